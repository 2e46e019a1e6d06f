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

from ddeal_core.annotation.server.app import make_app
from ddeal_core.annotation.server.guard import new_token
from ddeal_core.annotation.server.stream import StateStream
from ddeal_core.annotation.server.studio import Studio
from ddeal_core.errors import InputError

__all__ = ["listen", "serve"]


def listen(port: int = 0) -> socket.socket:
    """Take a port of 127.0.0.1.

    Args:
        port: 0 for any that is free.

    Raises:
        InputError: Somebody else has it.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        taken.bind(("127.0.0.1", port))
    except OSError as error:
        taken.close()
        raise InputError(
            f"port {port} cannot be used ({error.strerror}): name another, or leave --port out"
        ) from None
    return taken


def serve(
    studio: Studio, listening: socket.socket, *, on_ready: Callable[[str], None] = lambda _: None
) -> int | None:
    """Serve the page until the process is told to end; the studio is closed then.

    Args:
        studio: What the page works on.
        listening: From `listen`.
        on_ready: Called with the address, which holds the token, when it can be opened.

    Returns:
        The signal that ended it, if one did.

    Raises:
        OutputError: The masks could not be saved in the end.
    """
    # what goes wrong is told on the page, in a line
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    port = listening.getsockname()[1]
    token = new_token()
    stream = StateStream(studio.describe)
    studio.on_change = stream.changed
    config = uvicorn.Config(
        make_app(studio, stream, token=token, port=port),
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
    server = _Server(config, stream, lambda: on_ready(f"http://127.0.0.1:{port}/?token={token}"))
    try:
        server.run(sockets=[listening])
    finally:
        studio.close()
    return server.ended_by


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, stream: StateStream, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._stream = stream
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ended_by: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._loop = asyncio.get_running_loop()
            self._on_ready()

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
        if self.should_exit:
            self.force_exit = True
        self.ended_by = sig
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stream.end)
