"""Clips that many tests need, made with the library's own encoders once a run."""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.codec.context import Flags
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ddeal_core.network import Ddeal, NetworkConfig

ImageArray = NDArray[np.uint8]

# Before torch is imported, and for the processes that tests start: threads only wait for each other
# on networks this small. `torch.set_num_threads` would not reach the threads that a run starts.
os.environ["OMP_NUM_THREADS"] = "1"

# No test cuts the power, and for the disk whole folders of tests would wait longer than they work.
os.fsync = os.fstat

# Imports take longer than what workers do here: a process that has done them is forked for each.
# Spawned ones, as users have them, are in the tests that start the program itself.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
)
multiprocessing.set_forkserver_preload(
    [
        *("ddeal_cli.main", "ddeal_core.batch.local", "ddeal_core.batch.runner", "pytest"),
        *("ddeal_core.training.trainer", "ddeal_core.datasets.packing", "rich.progress"),
    ]
)
_get_context = multiprocessing.get_context
if "forkserver" in multiprocessing.get_all_start_methods():
    multiprocessing.get_context = lambda method=None: _get_context(
        "forkserver" if method == "spawn" else method
    )

gc.disable()  # while libraries and tests are imported


def pytest_collection_finish() -> None:
    """Keep libraries and tests out of every collection of garbage, and collect now and then."""
    gc.freeze()
    gc.set_threshold(20_000, 20)
    gc.enable()


def encode_clip(
    path: Path,
    frames: Sequence[ImageArray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rate: Fraction = Fraction(24),
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    matrix: int | None = None,
    transfer: int | None = None,
    full_range: bool = False,
    audio: bool = False,
) -> Path:
    """Encode RGB frames; `pts` in units of `time_base` for a variable rate, `matrix` as H.273."""
    time_base = time_base or 1 / rate
    pts = list(range(len(frames))) if pts is None else list(pts)
    durations = [b - a for a, b in itertools.pairwise(pts)] + [pts[-1] - pts[-2] if pts[1:] else 1]
    color_range = 2 if full_range else 1
    with av.open(path, "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.time_base = time_base
        context.flags |= Flags.frame_duration
        context.color_range = color_range
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if matrix is not None:
            context.colorspace = matrix
        if transfer is not None:
            context.color_trc = transfer
        if rotation is not None:
            stream.set_display_rotation(rotation)
        sound: Any = container.add_stream("aac", rate=44100) if audio else None
        for image, stamp, duration in zip(frames, pts, durations, strict=True):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=pix_fmt,
                dst_colorspace={None: 5, 6: 5}.get(matrix, matrix),
                dst_color_range=color_range,
            )
            picture.pts, picture.time_base, picture.duration = stamp, time_base, duration
            if matrix is not None:
                picture.colorspace = matrix
            if transfer is not None:
                picture.color_trc = transfer
            container.mux(stream.encode(picture))
        if sound is not None:
            _encode_tone(container, sound)
        container.mux(stream.encode(None))
    return path


def _encode_tone(container: Any, stream: Any) -> None:
    tone = (np.sin(np.arange(1024 * 8) * 0.06) * 0.2).astype(np.float32)
    for block in range(8):
        frame = av.AudioFrame.from_ndarray(
            tone[None, block * 1024 : (block + 1) * 1024], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 44100, block * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def encode_tone(path: Path) -> Path:
    """Make a file with sound only."""
    with av.open(path, "w") as container:
        _encode_tone(container, container.add_stream("aac", rate=44100, layout="mono"))
    return path


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """`make_clip(path, frames, *, codec=..., ...) -> path`: see `encode_clip`."""
    return encode_clip


@dataclass(frozen=True)
class TinyClip:
    """A textured square that crosses a plain background.

    Attributes:
        video: H.264 in MP4, 24 frames a second.
        images: A folder with the same frames as PNG, 00000.png and so on.
        first_mask: The first frame's mask, an indexed PNG (object 1).
        frames: HxWx3 uint8 RGB, before encoding.
        masks: HxW uint8, one for each frame.
    """

    video: Path
    images: Path
    first_mask: Path
    frames: tuple[ImageArray, ...]
    masks: tuple[ImageArray, ...]


def moving_square(
    count: int, *, height: int = 96, width: int = 128
) -> tuple[list[ImageArray], list[ImageArray]]:
    """Draw frames and their masks."""
    rng = np.random.default_rng(7)
    side = min(height, width) // 3
    texture = np.kron(
        rng.integers(120, 250, (4, 4, 3), np.uint8), np.ones((side // 4 + 1,) * 2 + (1,), np.uint8)
    )
    frames, masks = [], []
    for index in range(count):
        image = np.empty((height, width, 3), np.uint8)
        image[..., 0] = 40
        image[..., 1] = np.linspace(30, 90, height, dtype=np.uint8)[:, None]
        image[..., 2] = np.linspace(60, 110, width, dtype=np.uint8)[None]
        top, left = height // 4 + index, width // 8 + 3 * index
        mask = np.zeros((height, width), np.uint8)
        mask[top : top + side, left : left + side] = 1
        image[mask == 1] = texture[:side, :side].reshape(-1, 3)
        frames.append(image)
        masks.append(mask)
    return frames, masks


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    """Eight frames of 96x128 with a moving square, as video, as images, with masks."""
    from PIL import Image

    from ddeal_core.media import write_mask

    root = tmp_path_factory.mktemp("tiny")
    frames, masks = moving_square(8)
    video = encode_clip(root / "square.mp4", frames, options={"crf": "12"})
    images = root / "images"
    images.mkdir()
    for index, image in enumerate(frames):
        Image.fromarray(image).save(images / f"{index:05d}.png")
    first_mask = root / "first.png"
    write_mask(first_mask, masks[0])
    return TinyClip(video, images, first_mask, tuple(frames), tuple(masks))


@pytest.fixture(scope="session")
def sound_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file without a picture."""
    return encode_tone(tmp_path_factory.mktemp("sound") / "tone.m4a")


# Shapes that make a network quick; the arithmetic stays that of the preset.
TINY_SHAPES: dict[str, Any] = {
    "backbone_width": 4,
    "directional_channels": 12,
    "propagation_channels": 10,
    "fusion_channels": (14, 6),
    "short_side": None,
}


def narrow(config: NetworkConfig, **changes: Any) -> NetworkConfig:
    """Give a preset few channels; `changes` are values of the configuration, flat."""
    from dataclasses import asdict

    shapes = dict(TINY_SHAPES)
    if config.dense_channels:
        shapes["dense_channels"] = 8
    values = {**config.to_dict(), **shapes, **changes}
    values["ablation"] = asdict(changes.get("ablation", config.ablation))
    return type(config).from_dict(values)


@pytest.fixture
def narrow_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """All presets with few channels and layers, for commands that train from random weights."""
    from ddeal_core.network import PRESETS

    for name, config in PRESETS.items():
        # Fewer made oneDNN write beyond its memory on a processor with AVX2 only.
        small = narrow(config, backbone="resnet18", backbone_width=8)
        monkeypatch.setitem(PRESETS, name, small)


@pytest.fixture
def quick_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ddeal bench` measures what the device can do on the smallest products and a short copy."""
    monkeypatch.setattr("ddeal_cli.bench.peaks._LONG_ENOUGH", 0.0)
    monkeypatch.setattr("ddeal_cli.bench.peaks._COPY_BYTES", 1 << 20)


def make_tiny_network(preset: str = "compact", *, seed: int = 0, **changes: Any) -> Ddeal:
    """Make a preset's network with few channels and random numbers in all its entries."""
    from ddeal_core.network import NetworkConfig

    config = narrow(NetworkConfig.from_preset(preset), **changes)
    return copy.deepcopy(_random_network(config, seed))


@functools.cache
def _random_network(config: NetworkConfig, seed: int) -> Ddeal:
    import zlib

    import torch

    from ddeal_core.weights.blank import blank_network

    network = blank_network(config).eval()
    for name, tensor in network.state_dict().items():
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            values = rng.uniform(0.5, 1.5, tensor.shape)
        elif name.endswith("raw_concentration"):
            values = rng.uniform(8.0, 12.0, tensor.shape)
        elif ".log_" in name:
            values = tensor.numpy() + rng.uniform(-0.3, 0.3)
        elif tensor.ndim == 1:
            scale = name.endswith("weight")  # of a batch norm
            values = (
                rng.uniform(0.4, 0.9, tensor.shape)
                if scale
                else 0.05 * rng.normal(size=tensor.shape)
            )
        else:
            values = rng.normal(size=tensor.shape) * np.sqrt(1.8 / np.prod(tensor.shape[1:]))
            if "predictor" in name:  # zero-sum filters: neither class wins everywhere
                values -= values.mean(axis=(1, 2, 3), keepdims=True)
        tensor.copy_(torch.from_numpy(np.asarray(values, np.float32)))
    return network


@pytest.fixture(scope="session")
def make_preset() -> Callable[..., Ddeal]:
    """`make_preset(preset, *, seed=0, **changes) -> Ddeal`: see `make_tiny_network`."""
    return make_tiny_network


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Ddeal]:
    """`make_preset` on the smallest backbone, for what does not depend on which it is."""
    return functools.partial(make_tiny_network, backbone="resnet18")


@pytest.fixture(scope="session")
def run_python() -> Callable[..., str]:
    """`run_python(code, ...)`: what a fresh process says that runs it; options of `run`."""

    def call(code: str, **options: Any) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, **options
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """`with full_disk(size):` no file can grow past `size` bytes; writes fail as on a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
