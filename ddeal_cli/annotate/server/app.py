"""The application: what can be asked, and what is answered."""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ddeal_cli.annotate.exporting import EXPORTS, zip_folder
from ddeal_cli.annotate.server.guard import Guard
from ddeal_cli.annotate.server.requests import (
    TooLargeError,
    edges_of,
    export_of,
    mark_of,
    parsed,
    read_json,
    text_of,
    whole,
)
from ddeal_cli.annotate.server.stream import StateStream
from ddeal_cli.annotate.server.studio import Studio
from ddeal_cli.console import told
from ddeal_core.errors import DdealError, InputError

__all__ = ["make_app"]

_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def make_app(studio: Studio, stream: StateStream, *, token: str, once: str, port: int) -> ASGIApp:
    """Build the guarded application: see `Guard`."""
    statics = _statics()
    app = Starlette(
        routes=[
            Route("/", lambda _: _static(statics, "index.html")),
            Route("/static/{name}", lambda r: _static(statics, r.path_params["name"])),
            *_Pictures(studio).routes,
            *_Actions(studio, stream).routes,
        ],
        exception_handlers={
            TooLargeError: _too_large,
            InputError: _bad_input,
            DdealError: _failed,
            HTTPException: _plain,
            Exception: _failed,
        },
    )
    return Guard(app, token=token, once=once, port=port)


def _statics() -> dict[str, tuple[bytes, str]]:
    """All files of the page by name, read once: no name from outside ever becomes a path."""
    found = {}
    for each in files("ddeal_cli.annotate.server").joinpath("static").iterdir():
        ending = each.name.rpartition(".")[2]
        if ending in _KINDS:
            found[each.name] = (each.read_bytes(), _KINDS[ending])
    return found


def _static(statics: dict[str, tuple[bytes, str]], name: str) -> Response:
    if name not in statics:
        raise HTTPException(404, "there is no such page")
    content, kind = statics[name]
    return Response(content, media_type=kind, headers={"cache-control": "no-cache"})


class _Pictures:
    """Frames and label maps."""

    def __init__(self, studio: Studio) -> None:
        self._project, self._exporter = studio.project, studio.exporter

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/api/frames/{index:int}", self.frame),
            Route("/api/labels/{index:int}", self.labels),
            Route("/api/previews/{index:int}", self.preview),
        ]

    def frame(self, request: Request) -> Response:
        image = self._project.frames.read(request.path_params["index"])
        return _picture(image, "private, max-age=3600")

    def preview(self, request: Request) -> Response:
        """The frame as it would be exported with the edges that the query asks for, as JSON."""
        hard, finishing = edges_of(parsed(request.query_params.get("edges", "").encode()))
        index = request.path_params["index"]
        image = self._exporter.preview(self._project, index, hard=hard, finishing=finishing)
        return _picture(image, "no-store")

    def labels(self, request: Request) -> Response:
        """HxW bytes, row by row, deflated: exact, whatever the browser does to pictures."""
        labels = self._project.shown(request.path_params["index"])
        return Response(
            zlib.compress(labels.tobytes(), 1),
            media_type="application/octet-stream",
            headers={"content-encoding": "deflate"},
        )


def _picture(image: NDArray[np.uint8], keep: str) -> Response:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92, subsampling=0)
    return Response(buffer.getvalue(), media_type="image/jpeg", headers={"cache-control": keep})


class _Actions:
    """What changes something, and what tells of it."""

    def __init__(self, studio: Studio, stream: StateStream) -> None:
        self._studio = studio
        self._stream = stream

    @property
    def routes(self) -> list[Route]:
        def post(path: str, action: Callable[[Request], Awaitable[Response]]) -> Route:
            return Route(path, action, methods=["POST"])

        return [
            Route("/api/project", self.project),
            Route("/api/events", self.events),
            Route("/api/exports/{key}", self.download),
            post("/api/frames/{index:int}/mark", self.mark),
            post("/api/frames/{index:int}/clear", self.clear),
            post("/api/objects", self.add_object),
            post("/api/objects/{id:int}/rename", self.rename_object),
            post("/api/objects/{id:int}/delete", self.delete_object),
            post("/api/undo", self.undo),
            post("/api/redo", self.redo),
            post("/api/save", self.save),
            post("/api/segment", self.segment),
            post("/api/cancel", self.cancel),
            post("/api/export", self.export),
        ]

    def project(self, _: Request) -> Response:
        return _Json(self._studio.describe())

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._stream.events(), media_type="text/event-stream")

    async def mark(self, request: Request) -> Response:
        mark = mark_of(await read_json(request))
        return await self._done(self._studio.project.mark, request.path_params["index"], mark)

    async def clear(self, request: Request) -> Response:
        record = await read_json(request)
        object_id = whole(record, "object") if "object" in record else None
        index = request.path_params["index"]
        return await self._done(self._studio.project.clear, index, object_id)

    async def add_object(self, request: Request) -> Response:
        name = text_of(await read_json(request), "name")
        return await self._done(self._studio.project.add_object, name)

    async def rename_object(self, request: Request) -> Response:
        name = text_of(await read_json(request), "name") or ""
        return await self._done(self._studio.project.rename_object, request.path_params["id"], name)

    async def delete_object(self, request: Request) -> Response:
        await read_json(request)
        return await self._done(self._studio.project.delete_object, request.path_params["id"])

    async def undo(self, request: Request) -> Response:
        await read_json(request)
        return await self._done(self._studio.project.undo)

    async def redo(self, request: Request) -> Response:
        await read_json(request)
        return await self._done(self._studio.project.redo)

    async def save(self, request: Request) -> Response:
        await read_json(request)
        return await self._done(self._studio.save)

    async def segment(self, request: Request) -> Response:
        await read_json(request)
        return await self._done(self._studio.segment)

    async def cancel(self, request: Request) -> Response:
        await read_json(request)
        return await self._done(self._studio.jobs.cancel)

    async def export(self, request: Request) -> Response:
        record = await read_json(request)
        wanted, (hard, finishing) = export_of(record), edges_of(record)
        return await self._done(lambda: self._studio.export(wanted, hard=hard, finishing=finishing))

    def download(self, request: Request) -> Response:
        """A file that was written, or a folder of pictures as a zip."""
        export = EXPORTS.get(request.path_params["key"])
        path = None if export is None else self._studio.exporter.written.get(export.key)
        if export is None or path is None or not path.exists():
            raise HTTPException(404, "export it first")
        if path.is_file():
            return FileResponse(path, filename=export.name)

        def parts() -> Iterator[bytes]:
            with tempfile.TemporaryFile() as file:
                zip_folder(path, file)
                file.seek(0)
                while part := file.read(1 << 20):
                    yield part

        disposition = f'attachment; filename="{export.name}.zip"'
        return StreamingResponse(
            parts(), media_type="application/zip", headers={"content-disposition": disposition}
        )

    async def _done(self, action: Callable[..., object], *words: object) -> Response:
        """Do it in a thread, and answer with the state after it."""
        await run_in_threadpool(action, *words)
        return _Json(await run_in_threadpool(self._studio.describe))


class _Json(JSONResponse):
    """JSON in ASCII: names of files and objects may hold what is no text, lone surrogates."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def _problem(status: int, text: object) -> Response:
    return _Json({"error": " ".join(told(text).split())}, status_code=status)


async def _bad_input(_: Request, error: Exception) -> Response:
    return _problem(400, error)


async def _too_large(_: Request, error: Exception) -> Response:
    return _problem(413, error)


async def _failed(_: Request, error: Exception) -> Response:
    known = isinstance(error, DdealError)
    return _problem(500, error if known else f"{type(error).__name__}: {error}")


async def _plain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, error.detail)
