"""See inside: what led the network to its answer, as arrays and as pictures (Figure 4)."""

from typing import TYPE_CHECKING

from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.cues.figure import CueFigure
    from ddeal_core.cues.frame_choice import FrameChoice
    from ddeal_core.cues.frame_cues import FrameCues
    from ddeal_core.cues.outputs import open_cues
    from ddeal_core.cues.writers import (
        CueArrayWriter,
        CueFolderWriter,
        CueVideoWriter,
        open_cue_writer,
    )
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "figure": ("CueFigure",),
            "frame_choice": ("FrameChoice",),
            "frame_cues": ("FrameCues",),
            "outputs": ("open_cues",),
            "writers": ("CueArrayWriter", "CueFolderWriter", "CueVideoWriter", "open_cue_writer"),
        },
    )

__all__ = [
    "CueArrayWriter",
    "CueFigure",
    "CueFolderWriter",
    "CueVideoWriter",
    "FrameChoice",
    "FrameCues",
    "open_cue_writer",
    "open_cues",
]
