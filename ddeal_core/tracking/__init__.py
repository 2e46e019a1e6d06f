"""From network to video: state held from frame to frame, objects merged, sizes matched."""

from typing import TYPE_CHECKING

from ddeal_core.lazy_names import lazy_names

if TYPE_CHECKING:
    from ddeal_core.tracking.merging import soft_aggregation, to_labels
    from ddeal_core.tracking.result import Result
    from ddeal_core.tracking.segmenter import Segmenter, resolve_device
    from ddeal_core.tracking.tracker import Tracker
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "merging": ("soft_aggregation", "to_labels"),
            "result": ("Result",),
            "segmenter": ("Segmenter", "resolve_device"),
            "tracker": ("Tracker",),
        },
    )

__all__ = ["Result", "Segmenter", "Tracker", "resolve_device", "soft_aggregation", "to_labels"]
