"""The stages that a frame passes through, and a clock that tells them apart.

The network and the tracker know nothing of the clock. While `watch` is on, the functions that
`_places` names are wrapped: each charges its time to its stage, less what it calls of others.
"""

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from ddeal_core.network.ddeal import Ddeal

STAGES = (
    "decode",
    "upload",
    "backbone",
    "matching",
    "appearance",
    "propagation",
    "fusion",
    "up-sampling",
    "merge",
    "download",
    "write",
)
"""In the order in which a frame passes them."""

OTHER = "other"
"""What no stage claims: padding, pooling of masks, the loop itself."""

_OF_NETWORK = (
    ("backbone", "backbone", ("forward",)),
    ("backbone", "", ("project",)),  # all projections of its output as one product
    ("matching", "matching", ("forward",)),
    ("matching", "dense_matching", ("encode_frame", "log_masks", "forward")),
    ("appearance", "appearance", ("forward", "estimate")),
    ("appearance", "appearance.embedding", ("forward",)),
    ("propagation", "propagation", ("encode_frame", "encode_first", "forward")),
    ("fusion", "fusion", ("forward",)),
    ("up-sampling", "upsampling", ("encode_frame", "forward")),
)
_OF_MODULES = (
    ("matching", "ddeal_core.network.ddeal", "match"),
    ("merge", "ddeal_core.tracking.tracker", "soft_aggregation"),
    ("merge", "ddeal_core.tracking.maps", "update_argmax"),
    ("upload", "ddeal_core.tracking.tracker", "Tracker._to_tensor"),
    ("download", "ddeal_core.tracking.tracker", "Tracker._to_result"),
)


def places(network: Ddeal) -> list[tuple[str, Any, str]]:
    """Stage, owner and name of each function that is wrapped."""
    found: list[tuple[str, Any, str]] = []
    for stage, path, names in _OF_NETWORK:
        owner: Any = network
        for part in filter(None, path.split(".")):
            owner = getattr(owner, part)
        if owner is not None:  # the paper's presets have no dense matching
            found += [(stage, owner, name) for name in names]
    for stage, module, path in _OF_MODULES:
        owner = importlib.import_module(module)
        *parts, name = path.split(".")
        for part in parts:
            owner = getattr(owner, part)
        found.append((stage, owner, name))
    return found


class StageClock:
    """Charges time to the innermost stage that is open, thread by thread.

    `synchronise` waits for the device, wherever a stage begins or ends.
    """

    def __init__(self, synchronise: Callable[[], None]) -> None:
        self._synchronise = synchronise
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}
        self._open = threading.local()

    @property
    def stage(self) -> str:
        """The stage that is open in this thread."""
        stack: list[str] = getattr(self._open, "stack", [])
        return stack[-1] if stack else OTHER

    @contextmanager
    def within(self, stage: str) -> Iterator[None]:
        """Charge what happens inside to a stage."""
        if not hasattr(self._open, "stack"):
            self._open.stack = []
        self._charge()
        self._open.stack.append(stage)
        try:
            yield
        finally:
            self._charge()
            self._open.stack.pop()

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time charged to a stage."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.within(stage):
                return function(*args, **kwargs)

        return timed

    def lap(self) -> dict[str, float]:
        """Seconds by stage since the last lap."""
        with self._lock:
            seconds, self._seconds = self._seconds, {}
        return seconds

    def _charge(self) -> None:
        self._synchronise()
        now = time.perf_counter()
        if self._open.stack:
            elapsed = now - self._open.since
            with self._lock:
                stage = self._open.stack[-1]
                self._seconds[stage] = self._seconds.get(stage, 0.0) + elapsed
        self._open.since = now


@contextmanager
def watch(network: Ddeal, clock: StageClock) -> Iterator[None]:
    """Charge the stages of a network, and of all trackers, to a clock while this is open."""
    with ExitStack() as undo:
        for stage, owner, name in places(network):
            inherited = name not in vars(owner)
            before = getattr(owner, name) if inherited else vars(owner)[name]
            setattr(owner, name, clock.wrap(stage, before))
            undo.callback(_restore, owner, name, None if inherited else before)
        yield


def _restore(owner: Any, name: str, before: Any) -> None:
    if before is None:
        delattr(owner, name)  # an instance shows its class's function again
    else:
        setattr(owner, name, before)
