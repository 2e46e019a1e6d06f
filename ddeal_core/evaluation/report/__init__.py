"""Scores as HTML pages to look at, which need nothing but themselves.

- `page`: the page of a score, section by section
- `comparison`: the page of several scores
- `document`: what both are written with; the frame is ``page.html``
- `time_chart`, `speed_chart`: the charts, as SVG
- `pictures`: the worst frames, as pictures
"""

from ddeal_core.evaluation.report.comparison import write_comparison
from ddeal_core.evaluation.report.page import write_report
from ddeal_core.evaluation.report.pictures import FramePictures, PictureLoader, pictures_on_disk

__all__ = ["FramePictures", "PictureLoader", "pictures_on_disk", "write_comparison", "write_report"]
