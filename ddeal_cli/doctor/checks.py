"""What is there: packages, the machine, codecs, files and folders."""

import getpass
import hashlib
import importlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Literal

from ddeal_core.errors import DdealError
from ddeal_core.versions import installed_version

State = Literal["fine", "absent", "broken"]
_MARKS: dict[State, str] = {"fine": " ", "absent": "-", "broken": "!"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, in one line, and what to do about it: always said where it is broken.

    "absent" is no fault: nobody needs it.
    """

    name: str
    value: str
    state: State = "fine"
    advice: str = ""

    def __post_init__(self) -> None:
        if self.state == "broken" and not self.advice:
            raise ValueError(f"{self.name} is broken, but nothing says what to do")

    def to_text(self) -> str:
        """One line that can be pasted; ``!`` marks what is broken, ``-`` what is absent."""
        return f"{_MARKS[self.state]} {self.name:<23}{self.value}"

    def to_dict(self) -> dict[str, str]:
        """As plain JSON types, without the name."""
        advice = {"advice": self.advice} if self.advice else {}
        return {"value": self.value, "state": self.state, **advice}


def without_personal_names(text: object) -> str:
    """One line of text with ~ for the home folder, and USER for its owner's name in paths."""
    line = " ".join(str(text).split())
    with suppress(RuntimeError, OSError):
        home = str(Path.home())
        if len(home) > 1:
            line = re.sub(rf"(?<![\w./\\-]){re.escape(home)}(?![\w.-])", "~", line)
    with suppress(Exception):  # a user without a name: whatever the system raises
        line = re.sub(rf"(?<=[/\\]){re.escape(getpass.getuser())}(?![\w.-])", "USER", line)
    return line


_MODULES = {
    "torch": "torch",
    "numpy": "numpy",
    "av": "av",
    "opencv-python-headless": "cv2",
    "pillow": "PIL.Image",
    "safetensors": "safetensors",
    "matplotlib": "matplotlib",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "typer": "typer",
    "rich": "rich",
}


def check_packages() -> Iterator[Finding]:
    """Import each package that is needed; look whether the extras are installed."""
    yield Finding("ddeal", installed_version("ddeal") or "run from a checkout, not installed")
    yield Finding("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    for package, module in _MODULES.items():
        number = installed_version(package)
        try:
            importlib.import_module(module)
        except Exception as error:  # a library that is broken raises what it likes
            why = f"{number or 'not installed'}; import fails: {type(error).__name__}: {error}"
            advice = f"pip install --force-reinstall '{_wanted(package)}'"
            yield Finding(package, why, "broken", advice)
        else:
            yield Finding(package, number or "imported, version unknown")
    for extra, packages in _extras().items():
        missing = [name for name in packages if installed_version(name) is None]
        if missing:
            advice = f"pip install 'ddeal[{extra}]' if you want it"
            value = f"not installed ({', '.join(missing)})"
            yield Finding(f"extra {extra}", value, "absent", advice)
        else:
            yield Finding(f"extra {extra}", "installed")


def _requirements() -> list[str]:
    try:
        return requires("ddeal") or []
    except PackageNotFoundError:
        return []


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _wanted(package: str) -> str:
    """The package with the versions that fit, as the installed metadata say."""
    for requirement in _requirements():
        if _name(requirement) == package:
            return requirement.partition(";")[0].strip()
    return package


def _extras() -> dict[str, list[str]]:
    """Packages of each extra; extras of other extras are left out."""
    found: dict[str, list[str]] = {}
    for requirement in _requirements():
        match = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        if match and _name(requirement) != "ddeal":
            found.setdefault(match[1], []).append(_name(requirement))
    return found


# Those that the kernels beneath torch and OpenCV choose by.
_FLAGS = ("avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "PYTORCH_ENABLE_MPS_FALLBACK",
    "PYTHONPATH",
)


def check_machine() -> Iterator[Finding]:
    """Say what it is; try each device that torch offers."""
    yield Finding("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    import torch

    from ddeal_cli.bench.machine import cpu_name, memory
    from ddeal_core.workers import cores

    yield Finding("processor", f"{cpu_name()}, {cores()} cores for this process")
    found = ", ".join(flag for flag in _FLAGS if flag in _cpu_flags())
    yield Finding(
        "instructions",
        f"torch uses {torch.backends.cpu.get_cpu_capability()}" + (f"; {found}" if found else ""),
    )
    yield Finding("threads", f"{torch.get_num_threads()} of torch")
    total, free = memory(), _available_memory()
    sizes = [f"{total / 2**30:.1f} GiB" if total else "unknown"]
    if free is not None:
        sizes.append(f"{free / 2**30:.1f} GiB available")
    yield Finding("memory", ", ".join(sizes))
    yield from _devices()
    for name in _VARIABLES:
        if name in os.environ:
            yield Finding(name, os.environ[name] or "(empty)")


def _devices() -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        parts, advice = ["none that torch can use"], ""
        if shutil.which("nvidia-smi") is not None:
            parts.append("a driver is installed")
            advice = "install a CUDA build of torch that fits the driver"
        if torch.version.cuda:
            parts.append(f"torch is built for CUDA {torch.version.cuda}")
        elif advice:
            parts.append("torch is built without CUDA")
        yield Finding("cuda", "; ".join(parts), "absent", advice)
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        text = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        yield _tried(f"cuda:{index}", text)
    if torch.backends.mps.is_available():
        yield _tried("mps", "Apple GPU")


def _tried(device: str, text: str) -> Finding:
    """Add two numbers there: a driver too old, or a card too new, shows only then."""
    import torch

    try:
        if float(torch.ones(2, device=device).sum()) != 2:
            raise RuntimeError("1 + 1 is not 2 there")
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        advice = "update the driver or torch; until then use --device cpu"
        return Finding(device, f"{text}; fails: {first}", "broken", advice)
    return Finding(device, text)


def _cpu_flags() -> set[str]:
    for name, value in _fields("/proc/cpuinfo"):
        if name in ("flags", "Features"):
            return set(value.split())
    return set()


def _available_memory() -> int | None:
    for name, value in _fields("/proc/meminfo"):
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _fields(path: str) -> Iterator[tuple[str, str]]:
    """Names and values of one of Linux's files; none elsewhere."""
    with suppress(OSError):
        for line in Path(path).read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            yield name.strip(), value


# As ddeal_core/media/outputs/video_recipes.py and sound_track.py name them.
_ENCODERS = {
    "prores_ks": "ProRes 4444 with alpha (.mov)",
    "libvpx-vp9": "VP9 with alpha (.webm)",
    "libx264": "H.264 (.mp4, .mkv)",
    "aac": "AAC sound (.mp4, .mov)",
    "libopus": "Opus sound (.webm, .mkv)",
}
_DECODERS = ("h264", "hevc", "vp9", "av1", "prores", "mpeg4", "mjpeg", "ffv1")


def check_codecs() -> Iterator[Finding]:
    """Look up every encoder that outputs use, and the usual decoders."""
    import av

    versions = {name: ".".join(map(str, parts)) for name, parts in av.library_versions.items()}
    yield Finding("FFmpeg", f"libavcodec {versions.get('libavcodec', 'of unknown version')}")
    advice = "reinstall PyAV from its wheel: pip install --force-reinstall --only-binary av av"
    for name, use in _ENCODERS.items():
        if _is_there(name, "w"):
            yield Finding(name, use)
        else:
            yield Finding(name, f"missing: no {use}", "broken", advice)
    there = [name for name in _DECODERS if _is_there(name, "r")]
    missing = [name for name in _DECODERS if name not in there]
    if missing:
        state: State = "broken" if "h264" in missing else "absent"
        value = f"{' '.join(there)}; not {' '.join(missing)}"
        yield Finding("decoders", value, state, advice)
    else:
        yield Finding("decoders", " ".join(there))


def _is_there(name: str, mode: Literal["r", "w"]) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, mode)
    except UnknownCodecError:
        return False
    return True


def check_places() -> Iterator[Finding]:
    """Read the bundled weights to the last byte; write a file here and in the temporary folder."""
    yield _weights()
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        advice = "set TMPDIR to a folder that can be written"
        yield Finding("temporary folder", str(error.strerror or error), "broken", advice)
    else:
        yield _writable("temporary folder", temporary, str(temporary), needed=True)
    yield _writable("current folder", Path(), "", needed=False)


def _weights() -> Finding:
    try:
        from ddeal_core.weights import BUNDLED, load_checkpoint

        config = load_checkpoint(BUNDLED).config
    except (DdealError, ImportError, OSError) as error:  # torch may be what is broken
        return Finding("bundled weights", str(error), "broken", "install ddeal anew")
    content = BUNDLED.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Finding(
        "bundled weights",
        f"{config.preset}, {config.backbone}, {len(content) / 1e6:.1f} MB, SHA-256 {digest[:16]}",
    )


def _writable(name: str, folder: Path, shown: str, *, needed: bool) -> Finding:
    prefix = f"{shown}, " if shown else ""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        value = f"{prefix}cannot be written: {error.strerror or error}"
        if needed:
            return Finding(name, value, "broken", "set TMPDIR to a folder that can be written")
        return Finding(name, value, "absent", "write outputs elsewhere with -o")
    return Finding(name, f"{prefix}writable, {free / 1e9:.1f} GB free")
