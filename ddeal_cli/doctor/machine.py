"""The machine: system, processor, memory, devices."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ddeal_cli.doctor.finding import Finding

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
    from ddeal_core.processes import cores

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
