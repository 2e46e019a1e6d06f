"""All outputs of one run, written frame by frame and finished or abandoned together."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from ddeal_core.errors import DdealError, OutputError
from ddeal_core.finishing import Finisher
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.manifest import FrameRecord, Manifest, write_manifest
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.journal import Journal
from ddeal_core.runs.records import output_settings, versions
from ddeal_core.runs.result_log import encode_result
from ddeal_core.tracking.doubt import DoubtMeter
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.tracker_state import TrackerState
from ddeal_core.whole_files import output_error, writing


@dataclass(frozen=True, slots=True)
class Progress:
    """One frame that has been segmented and handed to all writers.

    Attributes:
        frame: As it came from the source.
        result: What was found in it.
        done: Frames so far, this one included.
        total: Frames that the source promises, or None.
        restored: Whether the result was found by an earlier run that did not end.
        forward: What going forward found in it, where `result` joins both ways.
        state: What the tracker knows now, where a run could go on from here.
        cutout: What outputs are made of, where that is worked out already.
    """

    frame: Frame
    result: Result
    done: int
    total: int | None
    restored: bool = False
    forward: Result | None = None
    state: TrackerState | None = None
    cutout: Cutout | None = None


class RunOutputs:
    """Writers, their manifests, and the journal; the writers are finished or abandoned by this.

    Args:
        writers: Of the outputs.
        source: The video.
        journal: Where results are kept until all outputs are whole, or None.
        meter: Measures the doubt about every result.
        finisher: Finishes every cut-out.

    Attributes:
        settings: What manifests say: see `run_settings`.
    """

    def __init__(
        self,
        writers: Sequence[ResultWriter],
        source: FrameSource,
        journal: Journal | None = None,
        meter: DoubtMeter | None = None,
        finisher: Finisher | None = None,
    ) -> None:
        self._writers, self._source = tuple(writers), source
        self._journal, self._meter, self._finisher = journal, meter, finisher
        self._frames: list[FrameRecord] = []
        self.settings: Settings = {}

    def write(self, step: Progress) -> None:
        """Write a frame to the journal, then to all outputs.

        Raises:
            OutputError: One of them cannot be written.
        """
        frame, result = step.frame, step.result
        kept = None if self._journal is None else self._journal.forward
        cutout = step.cutout or self._cutout(frame, result)
        if kept is not None and not step.restored:
            payload = cutout.record() if step.forward is None else None
            kept.log.add(frame.index, step.forward or result, payload=payload)
        if self._meter is not None:
            self._meter.add(frame.index, result)
        for writer in self._writers:
            writer.write(frame, cutout)
        self._frames.append(FrameRecord(frame.index, frame.name, frame.pts))
        if kept is not None and step.state is not None:
            kept.reached(step.done, step.state)

    def prepared(self, step: Progress) -> Progress:
        """Work out what writers will want of a frame, in a thread that has nothing else to do."""
        cutout = self._cutout(step.frame, step.result)
        for writer in self._writers:
            writer.prepare(cutout)
        return replace(step, cutout=cutout)

    def _cutout(self, frame: Frame, result: Result) -> Cutout:
        cutout = result.cutout(frame.image)
        cutout.record = cache(lambda: encode_result(result))  # the journal's and a soft output's
        return cutout if self._finisher is None else self._finisher.finish(cutout)

    def finish(self) -> None:
        """Finish all outputs, also after one that cannot be finished.

        Raises:
            OutputError: What could not be finished, and why. The journal stays.
        """
        failures: list[str] = []
        for position, writer in enumerate(self._writers):
            try:
                if self._journal is not None:
                    self._journal.finishing(writer.path)
                writer.finish()
                self.describe(writer)
            except (DdealError, OSError) as error:
                _abandon([writer])
                known = isinstance(error, DdealError)
                failures.append(str(error if known else output_error(writer.path, error)))
            except BaseException:
                self.abandon(position)
                raise
        if failures:
            self.abandon(len(self._writers))
            raise OutputError("; ".join(failures))
        if self._journal is not None:
            self._journal.discard()

    def describe(self, writer: ResultWriter) -> None:
        """Write the manifest of a finished output, if it wants one."""
        if writer.settings is None:
            return
        time_base = self._source.info.time_base
        manifest = Manifest(
            is_folder=writer.path.is_dir(),
            settings=output_settings(self.settings, writer),
            versions=versions(),
            time_base=None if time_base is None else str(time_base),
            frames=tuple(self._frames),
            files=tuple(writer.files()),
        )
        with writing(writer.path):
            write_manifest(writer.path, manifest)

    def keep_parts(self) -> list[str]:
        """Complete outputs whose input ended too early; give their places. The journal stays."""
        kept: list[str] = []
        for position, writer in enumerate(self._writers):
            try:
                kept.append(str(writer.keep_part()))
            except (DdealError, OSError):
                _abandon([writer])
            except BaseException:
                self.abandon(position)
                raise
        self.abandon(len(self._writers))
        return kept

    def abandon(self, position: int = 0) -> None:
        """Remove what is not whole, of the writers from a position on; the journal stays."""
        try:
            _abandon(self._writers[position:])
        except BaseException:  # Ctrl-C while it tidies up
            _abandon(self._writers[position:])
            raise
        finally:
            if self._journal is not None:
                self._journal.close()


def _abandon(writers: Sequence[ResultWriter]) -> None:
    for writer in writers:
        with contextlib.suppress(DdealError, OSError):
            writer.abandon()
