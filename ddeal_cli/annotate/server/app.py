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
    read_body,
    text_of,
    whole,
)
from ddeal_cli.annotate.server.stream import StateStream
from ddeal_cli.annotate.server.studio import Studio
from ddeal_cli.console import told
from ddeal_core.errors import DdealError, InputError

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
            *_Api(studio, stream).routes,
        ],
        exception_handlers={
            TooLargeError: _answering(413),
            InputError: _answering(400),
            DdealError: _answering(500),
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


class _Api:
    """Pictures, what changes something, and what tells of it."""

    def __init__(self, studio: Studio, stream: StateStream) -> None:
        self._studio, self._project = studio, studio.project
        self._stream = stream

    @property
    def routes(self) -> list[Route]:
        studio, project = self._studio, self._project
        return [
            Route("/api/frames/{index:int}", self.frame),
            Route("/api/labels/{index:int}", self.labels),
            Route("/api/previews/{index:int}", self.preview),
            Route("/api/project", lambda _: _Json(studio.describe())),
            Route("/api/events", self.events),
            Route("/api/exports/{key}", self.download),
            self._post("frames/{index:int}/mark", lambda at, body: project.mark(at, mark_of(body))),
            self._post("frames/{index:int}/clear", self.clear),
            self._post("objects", lambda _, body: project.add_object(text_of(body, "name"))),
            self._post(
                "objects/{id:int}/rename",
                lambda of, body: project.rename_object(of, text_of(body, "name") or ""),
            ),
            self._post("objects/{id:int}/delete", lambda of, _: project.delete_object(of)),
            self._post("undo", lambda *_: project.undo()),
            self._post("redo", lambda *_: project.redo()),
            self._post("save", lambda *_: studio.save()),
            self._post("segment", lambda *_: studio.segment()),
            self._post("cancel", lambda *_: studio.jobs.cancel()),
            self._post("export", self.export),
        ]

    def _post(self, path: str, action: Callable[[Any, dict[str, Any]], object]) -> Route:
        """Do it in a thread, given the number in the path and the body; answer with the state."""

        async def answer(request: Request) -> Response:
            body = await read_body(request)
            await run_in_threadpool(action, next(iter(request.path_params.values()), None), body)
            return _Json(await run_in_threadpool(self._studio.describe))

        return Route(f"/api/{path}", answer, methods=["POST"])

    def frame(self, request: Request) -> Response:
        image = self._project.frames.read(request.path_params["index"])
        return _picture(image, "private, max-age=3600")

    def preview(self, request: Request) -> Response:
        """The frame as it would be exported with the edges that the query asks for, as JSON."""
        edges = edges_of(parsed(request.query_params.get("edges", "").encode()))
        image = self._studio.exporter.preview(self._project, request.path_params["index"], edges)
        return _picture(image, "no-store")

    def labels(self, request: Request) -> Response:
        """HxW bytes, row by row, deflated: exact, whatever the browser does to pictures."""
        labels = self._project.shown(request.path_params["index"])
        return Response(
            zlib.compress(labels.tobytes(), 1),
            media_type="application/octet-stream",
            headers={"content-encoding": "deflate"},
        )

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._stream.events(), media_type="text/event-stream")

    def clear(self, index: int, body: dict[str, Any]) -> None:
        self._project.clear(index, whole(body["object"], "object") if "object" in body else None)

    def export(self, _: None, body: dict[str, Any]) -> None:
        self._studio.export(export_of(body), edges_of(body))

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


class _Json(JSONResponse):
    """JSON in ASCII: names of files and objects may hold what is no text, lone surrogates."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def _picture(image: NDArray[np.uint8], keep: str) -> Response:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92, subsampling=0)
    return Response(buffer.getvalue(), media_type="image/jpeg", headers={"cache-control": keep})


def _problem(status: int, text: object) -> Response:
    return _Json({"error": " ".join(told(text).split())}, status_code=status)


def _answering(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_: Request, error: Exception) -> Response:
        return _problem(status, error)

    return answer


async def _failed(_: Request, error: Exception) -> Response:
    return _problem(500, f"{type(error).__name__}: {error}")


async def _plain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, error.detail)
