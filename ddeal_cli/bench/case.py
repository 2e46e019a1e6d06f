"""One point of the grid: which network, on what, and how long it may take."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from ddeal_core.choices import DeviceName, Precision
from ddeal_core.errors import InputError
from ddeal_core.network.config import NetworkConfig
from ddeal_core.settings import Count, Range, check_settings, check_value
from ddeal_core.weights.bundled import weights_file

Resolution = int | Literal["native"] | None
"""Short side in pixels that the network sees; None for what it was made for."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    `frames` of each pass follow `warm_up` frames, which are timed separately (None: as many as
    `settled` finds); after `limit` seconds a pass ends early, with three of them at least.
    """

    frames: Count = 24
    warm_up: Count | None = None
    limit: Annotated[float, Range(0, 1e9, above=True)] = 20.0

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def before(self) -> int:
        """Frames before the measured ones, the one on which the mask is given included."""
        return 1 + (2 if self.warm_up is None else self.warm_up)

    def settled(
        self, config: NetworkConfig, *, look_ahead: int = 1, at_most: int | None = None
    ) -> "Effort":
        """Decide how many frames to warm up for, at most `at_most`.

        So many that the network's memory is as full as in a long video, and that a batch of the
        look-ahead ends with the last of them: no measured frame is encoded before its time.
        """
        if self.warm_up is not None:
            return self
        # A full memory forgets every second frame, `memory_interval` frames after it filled up.
        full = (config.memory_frames + 1) * config.memory_interval if config.memory_frames else 0
        wanted = -(-(1 + max(2, full)) // look_ahead) * look_ahead - 1
        return replace(self, warm_up=wanted if at_most is None else max(2, min(wanted, at_most)))

    def affordable(self, seconds: float) -> int:
        """How many frames the limit allows where each takes so many seconds; three at least."""
        return min(self.frames, max(3, int(self.limit / max(seconds, 1e-9))))


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """The network that is measured: a file of weights, or a preset with random ones."""

    name: str
    weights: Path | None = None
    preset: str | None = None

    @property
    def config(self) -> NetworkConfig:
        """Configuration of the network; reads the file."""
        if self.weights is not None:
            from ddeal_core.weights import load_checkpoint

            return load_checkpoint(self.weights).config
        assert self.preset is not None
        return NetworkConfig.from_preset(self.preset)

    @classmethod
    def of_weights(cls, path: Path | None) -> "NetworkChoice":
        """A weights file; None for the bundled one; a missing one is refused."""
        return cls("bundled" if path is None else path.name, weights_file(path))

    @classmethod
    def of_preset(cls, name: str) -> "NetworkChoice":
        """A preset with random weights; an unknown one is refused."""
        NetworkConfig.from_preset(name)
        return cls(name, preset=name)


@dataclass(frozen=True, slots=True)
class Case:
    """One point of the grid.

    `size` is height and width of the video, `objects` how many are followed, `threads` those of
    torch on the CPU; the others are as `Segmenter` takes them.
    """

    subject: NetworkChoice
    size: tuple[int, int]
    objects: int
    precision: Precision = "float32"
    device: DeviceName = "cpu"
    threads: int = 1
    resolution: Resolution = None
    look_ahead: int = 1
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        check_value("threads", self.threads, Annotated[int, Range(1, 4096)])
        if self.precision == "float16" and self.device == "cpu":
            raise InputError("float16 is for GPUs: take bfloat16 or float32 on the CPU")
        if self.cuda_graphs and self.device != "cuda":
            raise InputError(f"CUDA graphs are for NVIDIA GPUs, not for {self.device}")

    @property
    def label(self) -> str:
        """In a few words."""
        height, width = self.size
        plural = "" if self.objects == 1 else "s"
        return f"{self.subject.name}, {width}x{height}, {self.objects} object{plural}"
