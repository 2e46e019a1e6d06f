"""Where and with what a bench was run."""

import contextlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddeal_core.versions import installed_version
from ddeal_core.workers import cores

_PACKAGES = ("ddeal", "torch", "numpy", "av", "opencv-python-headless")


def describe_machine() -> dict[str, Any]:
    """Machine, versions, commit and date, as plain JSON types."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "machine": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cpu": cpu_name(),
            "cores": cores(),
            "memory_bytes": memory(),
            "gpus": gpus,
        },
        "versions": {
            "python": platform.python_version(),
            "cuda": torch.version.cuda,
            **{name: installed_version(name) for name in _PACKAGES},
        },
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


class CompetingLoad:
    """How much of the processor other programs use from now on."""

    def __init__(self) -> None:
        self._before = _busy_seconds()

    def share(self) -> float | None:
        """0 to 1, of all cores; None where the system does not tell."""
        now = _busy_seconds()
        if self._before is None or now is None:
            return None
        busy, own, idle = (b - a for a, b in zip(self._before, now, strict=True))
        return min(1.0, max(0.0, busy - own) / max(busy + idle, 1e-9))


def _busy_seconds() -> tuple[float, float, float] | None:
    """Seconds of all cores: used by anybody, by this process, by nobody."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, idle, waiting, *interrupts = (
        int(field) / os.sysconf("SC_CLK_TCK") for field in fields
    )
    own = os.times()
    busy = user + nice + system + sum(interrupts)
    return busy, own.user + own.system, idle + waiting


def cpu_name() -> str:
    """What the processor calls itself."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    if platform.system() == "Darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return _told("sysctl", "-n", "machdep.cpu.brand_string")
    return platform.processor() or platform.machine()


def memory() -> int | None:
    """Bytes of the machine, or None where the system does not tell."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _commit() -> str | None:
    """Commit of the checkout that this package runs from, with ``+`` where it was changed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _told("git", "-C", str(root), "rev-parse", "HEAD")
        changed = _told("git", "-C", str(root), "status", "--porcelain", "-uno")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _told(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
