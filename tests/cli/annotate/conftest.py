"""A project on the tiny clip, and the page's server in a thread."""

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waiting import HANG, wait_for

from ddeal_cli.annotate.exporting import Exporter
from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.server.serving import PageServer, listen
from ddeal_cli.annotate.server.studio import Studio
from ddeal_cli.annotate.session_folder import SessionFolder
from ddeal_core.media import FrameReader, open_source
from ddeal_core.tracking import Segmenter


@pytest.fixture(scope="session")
def segmenter(make_network) -> Segmenter:
    """A network with random weights, small enough for tests."""
    return Segmenter(make_network())


@pytest.fixture
def project(tiny_clip) -> Iterator[Project]:
    """The tiny clip, without any mark."""
    with open_source(tiny_clip.video) as source:
        project = Project(FrameReader(source))
        yield project
        project.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speaks HTTP as the page does; every header can be set or left out (None)."""

    def __init__(self, address: str) -> None:
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", address)
        assert match
        self.address, self.port, self.token = address, int(match[1]), match[2]

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, Any] | None = None
    ) -> Answer:
        sent = {
            "Host": f"127.0.0.1:{self.port}",
            "Cookie": f"ddeal-{self.port}={self.token}",
            "Origin": f"http://127.0.0.1:{self.port}" if method == "POST" else None,
            "Content-Type": "application/json" if body is not None else None,
            **(headers or {}),
        }
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            if content is not None and "Transfer-Encoding" not in sent:
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            response = connection.getresponse()
            headers_got = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers_got, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: Any) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: object = None) -> Any:
        """The state after an action that has to work."""
        answer = self.ask("POST", f"/api/{path}", {} if body is None else body)
        assert answer.status == 200, answer.body
        return answer.json

    def wait(self, what: str = "done") -> Any:
        """The state once the job has ended so."""
        wait_for(lambda: (self.get("/api/project").json["job"] or {}).get("state") != "running")
        state = self.get("/api/project").json
        assert state["job"]["state"] == what, state["job"]
        return state


@dataclass
class Page:
    client: Client
    studio: Studio
    out: Path
    address_once: str


@contextmanager
def served(video: Path, segmenter: Segmenter, out: Path) -> Iterator[Page]:
    with open_source(video) as source:
        session = SessionFolder(out / "session")
        frames = FrameReader(source)
        masks, names = session.load(frames) if session.is_begun else ({}, {})
        studio = Studio(
            Project(frames, masks=masks, names=names), segmenter, Exporter(out, segmenter), session
        )
        server = PageServer(studio, listen())
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=[ready.set])
        thread.start()
        try:
            assert ready.wait(HANG)
            yield Page(Client(server.address), studio, out, server.address_once)
        finally:
            server.stop()
            thread.join(HANG)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def serve_into(segmenter) -> Callable[..., Any]:
    """`with serve_into(folder, video) as page:` the server, until the block ends."""

    def call(out: Path, video: Path) -> Any:
        return served(video, segmenter, out)

    return call


@pytest.fixture
def serve(serve_into, tmp_path) -> Callable[..., Any]:
    """`with serve(video) as page:` the server, until the block ends."""

    def call(video: Path) -> Any:
        return serve_into(tmp_path / "out", video)

    return call


@pytest.fixture
def page(serve, tiny_clip) -> Iterator[Page]:
    """The server on the tiny clip."""
    with serve(tiny_clip.video) as page:
        yield page
