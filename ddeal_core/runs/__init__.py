"""Running a video: from what a user names to finished outputs, also after an interruption."""

from typing import TYPE_CHECKING

from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.runs.run import cut_out
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "run": ("cut_out",),
        },
    )

__all__ = ["cut_out"]
