"""A score as one HTML page to look at, which needs nothing but itself.

- `page`: the page, section by section; its frame is ``page.html``
- `time_chart`, `speed_chart`: the charts, as SVG
- `pictures`: the worst frames, as pictures
"""

from ddeal_core.evaluation.report.page import write_report
from ddeal_core.evaluation.report.pictures import FramePictures, PictureLoader, pictures_on_disk

__all__ = ["FramePictures", "PictureLoader", "pictures_on_disk", "write_report"]
