"""Files and folders: the bundled weights, and where something can be written."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ddeal_cli.doctor.finding import Finding
from ddeal_core.errors import DdealError


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
