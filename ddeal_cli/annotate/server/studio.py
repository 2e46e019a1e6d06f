"""A project with all that the page does to it: runs, exports, saving."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ddeal_cli.annotate.exporting import EXPORTS, Export, Exporter
from ddeal_cli.annotate.jobs import Jobs
from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.session_folder import SessionFolder
from ddeal_cli.annotate.tracking_run import RunRange, TrackingRun, spans
from ddeal_cli.console import told
from ddeal_core.errors import DdealError
from ddeal_core.runs import OutputOptions
from ddeal_core.tracking.segmenter import Segmenter

_log = logging.getLogger("ddeal_core")

_SAVE_AFTER = 0.6  # seconds without a change
_STOP_WITHIN = 5.0  # seconds: longer than a frame takes


class Studio:
    """Everything behind one page.

    Args:
        project: Closed with the studio.
        segmenter: The network.
        exporter: Where exports go.
        session: Where masks are saved, a moment after every change.
    """

    def __init__(
        self, project: Project, segmenter: Segmenter, exporter: Exporter, session: SessionFolder
    ) -> None:
        self.project = project
        self.exporter = exporter
        self.session = session
        self.on_change: Callable[[], None] = lambda: None
        self._run = TrackingRun(segmenter)
        self._saved = project.annotation
        self._save_error = ""
        self._timer: threading.Timer | None = None
        self._timing = threading.Lock()
        self.jobs = Jobs(self._changed)
        project.on_change = self._changed_by_hand
        self._notices = _Notices(self._changed)
        _log.addHandler(self._notices)

    def segment(self) -> None:
        """Bring the results up to date, in the background.

        Raises:
            InputError: There is nothing to do, or something is running.
        """
        what = RunRange(self.project)
        steps = (i for i in self._run.steps(self.project, what) if what.stale[i])
        self.jobs.begin("segment", steps, total=int(what.stale.sum()))

    def export(self, wanted: Sequence[Export], edges: OutputOptions) -> None:
        """Write outputs, in the background: see `Exporter.steps`.

        Raises:
            InputError: Something is running, or cannot be written.
        """

        def tell() -> str:
            return "wrote " + ", ".join(str(self.exporter.folder / each.name) for each in wanted)

        steps = self.exporter.steps(self.project, self.project.given, wanted, edges)
        self.jobs.begin("export", steps, total=len(self.project.frames), finished=tell)

    def save(self) -> None:
        """Save masks and names now.

        Raises:
            OutputError: The folder cannot be written to.
        """
        annotation = self.project.annotation
        if annotation is not self._saved:
            self.session.save(annotation, self.project.frames)
            self._saved = annotation
        self._save_error = ""
        self._changed()

    @property
    def is_saved(self) -> bool:
        """Whether the session's folder holds what there is."""
        return self._saved is self.project.annotation

    def close(self) -> None:
        """Cancel what runs, save, and let go.

        Raises:
            OutputError: The masks could not be saved.
        """
        _log.removeHandler(self._notices)
        with self._timing:
            if self._timer is not None:
                self._timer.cancel()
        self.jobs.cancel()
        try:
            self.save()
        finally:
            self.jobs.wait(_STOP_WITHIN)
            self.project.close()

    def describe(self) -> dict[str, Any]:
        """The whole state, but for pictures, as JSON."""
        project, job = self.project, self.jobs.current
        now = project.annotation
        source = project.frames.source
        rate = source.info.frame_rate
        return {
            "video": source.path.name or str(source.path),
            "frames": len(project.frames),
            "height": project.frames.size[0],
            "width": project.frames.size[1],
            "rate": 24.0 if rate is None else float(rate),
            "objects": [{"id": o.id, "name": o.name, "colour": o.colour} for o in now.objects],
            "marks": {
                str(index): {
                    "objects": list(marks.given),
                    "hints": {
                        str(i): {"box": each.box, "inside": each.inside, "outside": each.outside}
                        for i, each in marks.hints.items()
                    },
                }
                for index, marks in now.frames.items()
            },
            "fresh": spans(project.fresh()),
            "doubts": [[s.first, s.last + 1] for s in project.results.doubts(project.given)],
            "there": spans(project.results.there()),
            "revision": project.history.changes,
            "undo": project.history.can_undo,
            "redo": project.history.can_redo,
            "job": None if job is None else {**asdict(job), "rate": round(job.rate, 2)},
            "exports": [
                {"key": e.key, "name": e.name, "title": e.title, "written": e.key in written}
                for written in [self.exporter.written]
                for e in EXPORTS.values()
            ],
            "output": _shown(self.exporter.folder),
            "session": _shown(self.session.path),
            "saved": self.is_saved,
            "problem": self._save_error,
            "notice": {"number": self._notices.number, "text": self._notices.text},
        }

    def _changed(self) -> None:
        self.on_change()

    def _changed_by_hand(self) -> None:
        with self._timing:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(_SAVE_AFTER, self._save_quietly)
            self._timer.daemon = True
            self._timer.start()
        self._changed()

    def _save_quietly(self) -> None:
        try:
            self.save()
        except DdealError as error:
            self._save_error = told(error)
            self._changed()


class _Notices(logging.Handler):
    """What the library warns of, for the page.

    Attributes:
        number: How often it has.
        text: The last time, in one line.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_change = on_change
        self.number = 0
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a warning."""
        self.text = " ".join(record.getMessage().split())
        self.number += 1
        self._on_change()


def _shown(path: Path) -> str:
    return str(path.absolute())
