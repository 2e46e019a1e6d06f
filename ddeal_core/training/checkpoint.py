"""The state of a training run on disk."""

from pathlib import Path
from typing import Any

import torch

from ddeal_core.errors import OutputError, WeightsError
from ddeal_core.weights.inspection import load_checked
from ddeal_core.whole_files import written_whole


def save_run(state: dict[str, Any], path: Path) -> None:
    """Write a run's state; a killed process leaves the old file or the new one, never a part.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with written_whole(path) as part, part.open("wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # On a full disk torch's writer complains of its archive, over the system's own error.
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        raise OutputError(f"cannot write {path}: {cause}") from None


def load_run(path: Path) -> dict[str, Any]:
    """Read a run's state with the safe loader: tensors and plain values only.

    Raises:
        WeightsError: The file is missing or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"no training run at {path}")
    try:
        state = load_checked(path)
    except WeightsError as error:
        raise WeightsError(f"no whole training checkpoint: {error}") from None
    if not isinstance(state, dict) or "recipe" not in state:
        raise WeightsError(f"{path} is no training checkpoint: it holds something else")
    return state
