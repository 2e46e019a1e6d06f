"""The process's one server: opens a port on the loopback interface, ends at Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn

from ddeal_cli.annotate.server.app import make_app
from ddeal_cli.annotate.server.guard import new_token
from ddeal_cli.annotate.server.stream import StateStream
from ddeal_cli.annotate.server.studio import Studio
from ddeal_core.errors import InputError


def listen(port: int = 0) -> socket.socket:
    """Take a port of 127.0.0.1; 0 for any that is free."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        taken.bind(("127.0.0.1", port))
    except OSError as error:
        taken.close()
        raise InputError(
            f"port {port} cannot be used ({error.strerror}): name another, or leave --port out"
        ) from None
    return taken


class PageServer:
    """Serves one studio's page, and closes the studio in the end.

    A person opens `address`, which holds the token; `address_once` is for one visit, and for
    a command that others can see.
    """

    def __init__(self, studio: Studio, listening: socket.socket) -> None:
        # what goes wrong is told on the page, in a line
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
        port = listening.getsockname()[1]
        token, once = new_token(), new_token()
        self.address = f"http://127.0.0.1:{port}/?token={token}"
        self.address_once = f"http://127.0.0.1:{port}/?token={once}"
        self._studio, self._listening = studio, listening
        self._stream = StateStream(studio.describe)
        studio.on_change = self._stream.changed
        config = uvicorn.Config(
            make_app(studio, self._stream, token=token, once=once, port=port),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=64 << 10,
            limit_concurrency=64,
        )
        self._server = _Server(config, self._stream)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> int | None:
        """Serve until the process is told to end, or `stop` is called; gives the signal, or None.

        `on_ready` is called once the address can be opened.
        """
        self._server.on_ready = on_ready
        try:
            self._server.run(sockets=[self._listening])
        finally:
            self._studio.close()
        return self._server.ended_by

    def stop(self) -> None:
        """End it, from another thread."""
        self._server.leave()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stream: StateStream) -> None:
        super().__init__(config)
        self._stream = stream
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.ended_by: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        if self.started:
            self.on_ready()

    def leave(self) -> None:
        """End soon; pages that listen are let go."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stream.end)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Ctrl-C ends the server, once; whoever called decides what that means."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        if self.should_exit:  # the second time
            self.force_exit = True
        self.ended_by = sig
        self.leave()
