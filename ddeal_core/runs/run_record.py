"""What a run writes beside its outputs: which frames they hold, and what they were made of."""

from collections.abc import Mapping
from typing import Self

from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.outputs.manifest import FrameRecord, Manifest, write_manifest
from ddeal_core.media.outputs.result_writer import ResultWriter, output_error
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.directions import Direction
from ddeal_core.runs.run_settings import output_settings, run_settings, versions
from ddeal_core.tracking.segmenter import Labels, Segmenter

__all__ = ["RunRecord"]


class RunRecord:
    """Collects the frames of a run, and describes finished outputs.

    Args:
        settings: See `run_settings`.
        source: The video.
    """

    def __init__(self, settings: Settings, source: FrameSource) -> None:
        self.settings = settings
        self._time_base = None if source.time_base is None else str(source.time_base)
        self._frames: list[FrameRecord] = []

    @classmethod
    def of(
        cls,
        segmenter: Segmenter,
        source: FrameSource,
        masks: Mapping[int, Labels],
        direction: Direction = "forward",
    ) -> Self:
        """Begin the record of a run."""
        return cls(run_settings(segmenter, source, masks, direction=direction), source)

    def add(self, frame: Frame) -> None:
        """Note a frame that all outputs hold now."""
        self._frames.append(FrameRecord(frame.index, frame.name, frame.pts))

    def describe(self, writer: ResultWriter) -> None:
        """Write the manifest of a finished output, if it wants one.

        Raises:
            OutputError: It cannot be written, or the output cannot be read again.
        """
        if writer.settings is None:
            return
        manifest = Manifest(
            is_folder=writer.path.is_dir(),
            settings=output_settings(self.settings, writer),
            versions=versions(),
            time_base=self._time_base,
            frames=tuple(self._frames),
            files=tuple(writer.files()),
        )
        try:
            write_manifest(writer.path, manifest)
        except OSError as error:
            raise output_error(writer.path, error) from None
