"""``ddeal annotate``: marking objects in a video by hand, and following them.

`Project` holds a video, its objects, the marks on its frames and the results; `TrackingRun` brings
the results up to date; `Exporter` writes them; `SessionFolder` keeps the masks. The page and its
HTTP are in `server`.
"""
