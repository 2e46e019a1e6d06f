"""Telling the page what has changed, as server-sent events.

Each event is the whole state. Changes that come faster than events are sent are told together, so
that a page that is slow to listen costs no memory.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

_PAUSE = 0.1  # seconds between two events
_HEARTBEAT = 10.0


class StateStream:
    """Sends the state, described as JSON in a thread, to all who listen when it has changed."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = describe
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Event] = set()
        self._ended = False

    def changed(self) -> None:
        """Say that the state has changed; from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """Let all listeners go; from the thread of the event loop."""
        self._ended = True
        self._wake()

    async def events(self) -> AsyncIterator[str]:
        """Give the state now and after every change."""
        self._loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        changed.set()
        self._listeners.add(changed)
        try:
            while not self._ended:
                try:
                    await asyncio.wait_for(changed.wait(), _HEARTBEAT)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                changed.clear()
                state = await asyncio.to_thread(self._describe)
                yield f"data: {json.dumps(state, separators=(',', ':'))}\n\n"
                if not self._ended:
                    await asyncio.sleep(_PAUSE)
        finally:
            self._listeners.discard(changed)

    def _wake(self) -> None:
        for each in self._listeners:
            each.set()
