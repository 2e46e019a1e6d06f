"""Where weights lie; known without torch."""

from pathlib import Path

from ddeal_core.errors import WeightsError

BUNDLED = Path(__file__).with_name("compact.safetensors")
"""The weights that come with the package."""
FIRST_MASK = BUNDLED.with_name("first-mask.safetensors")
"""Those of the network that makes first masks from hints."""


def weights_file(path: Path | None = None) -> Path:
    """The file of weights that are meant: None are the bundled ones.

    Raises:
        WeightsError: There is no such file.
    """
    chosen = path or BUNDLED
    if not chosen.is_file():
        raise WeightsError(f"no weights at {chosen}")
    return chosen
