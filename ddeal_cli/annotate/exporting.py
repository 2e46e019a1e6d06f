"""Results of a project as files, of the kinds that ``ddeal segment`` writes."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ddeal_cli.annotate.project import Project
from ddeal_cli.annotate.result_store import GivenMasks
from ddeal_core.errors import InputError
from ddeal_core.finishing import Finisher
from ddeal_core.media.frame import Frame
from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.matting.background import GREEN
from ddeal_core.media.matting.composites import over
from ddeal_core.media.outputs.opening import check_free
from ddeal_core.media.outputs.result_writer import FolderWriter
from ddeal_core.runs import OutputOptions, VideoRequest, open_run
from ddeal_core.tracking.result import Result
from ddeal_core.tracking.segmenter import Segmenter


@dataclass(frozen=True, slots=True)
class Export:
    """Something that can be written: `kind` as `open_writer` has it, `title` for people."""

    key: str
    name: str
    kind: str
    title: str


EXPORTS = {
    each.key: each
    for each in (
        Export("masks", "masks", "masks", "Masks: indexed PNG, one a frame"),
        Export("cutout-mov", "cutout.mov", "alpha", "Cut-out with alpha: ProRes 4444, .mov"),
        Export("cutout-webm", "cutout.webm", "alpha", "Cut-out with alpha: VP9, .webm"),
        Export("overlay", "overlay.mp4", "overlay", "Overlay with outlines: .mp4"),
        Export("green", "green.mp4", "background", "Objects before green: .mp4"),
        Export("matte", "matte.mp4", "matte", "Matte of all objects: grey .mp4"),
        Export("mattes", "mattes", "mattes", "Mattes: a folder of grey PNG an object"),
        Export("rgba", "rgba", "rgba", "Frames cut out: RGBA PNG"),
        Export("coco", "annotations.json", "coco", "COCO annotations: .json"),
    )
}
"""By key, in the order in which they are offered."""


class Exporter:
    """Writes exports into one folder.

    The segmenter is for frames without a fresh result. Without `overwrite`, only what this
    exporter wrote may be replaced.
    """

    def __init__(self, folder: Path, segmenter: Segmenter, *, overwrite: bool = False) -> None:
        self.folder = folder
        self._segmenter = segmenter
        self._overwrite = overwrite
        self.written: dict[str, Path] = {}
        self._begun: set[str] = set()
        self._folders: dict[str, FolderWriter] = {}

    def preview(self, project: Project, index: int, edges: OutputOptions) -> NDArray[np.uint8]:
        """Show a frame as it would be exported, before green; steadying needs the frames before.

        Returns:
            HxWx3 uint8 RGB.

        Raises:
            InputError: There is no such frame.
            MediaError: It cannot be read.
        """
        shown = project.shown(index)
        result = project.results.get(index, self._segmenter.device)
        if result is None or not np.array_equal(result.labels, shown):  # marked since
            result = Result.of_labels(shown, index=index, object_ids=ids_in(shown))
        finisher = Finisher(replace(edges.finishing, steady=False))
        cutout = finisher.finish(result.cutout(project.frames.read(index)))
        return over(cutout.paint(hard=edges.hard), cutout.opacity(hard=edges.hard), GREEN)

    def steps(
        self,
        project: Project,
        given: GivenMasks,
        wanted: Sequence[Export],
        edges: OutputOptions,
    ) -> Generator[int]:
        """Write outputs in one pass, step by step.

        Fresh results are written as they are; where some are missing, the network runs over the
        video, and its results are kept.

        `edges` say whether these are hard, and how masks are finished; results are kept as they
        were.

        Yields:
            The number of each frame that was written.

        Raises:
            InputError: Nothing is wanted or marked, or an output is there already.
        """
        if not wanted:
            raise InputError("choose at least one output")
        if not given.frames:
            raise InputError("there is nothing to export: mark an object first")
        names = [f"{each.kind}={self.folder / each.name}" for each in wanted]
        outputs = replace(edges, names=names, overwrite=True, resumable=False)
        return self._steps(project, given, wanted, outputs)

    def _steps(
        self, project: Project, given: GivenMasks, wanted: Sequence[Export], outputs: OutputOptions
    ) -> Generator[int]:
        paths = {each.key: self.folder / each.name for each in wanted}
        if not self._overwrite:
            check_free(path for key, path in paths.items() if key not in self._begun)
        for each in wanted:
            self._remove_pictures(each)
        request = VideoRequest(project.frames.source.path, given.labels())
        known = project.results.fresh(given).all()

        def stored(frame: Frame) -> Result:
            found = None
            if frame.index >= given.frames[0]:
                found = project.results.get(frame.index, self._segmenter.device)
            if found is None:
                return Result.of_labels(np.zeros(frame.size, np.uint8), index=frame.index)
            return found

        with open_run(request, outputs, self._segmenter) as run:
            self._begun.update(paths)
            for each, writer in zip(wanted, run.writers, strict=True):
                if isinstance(writer, FolderWriter):
                    self._folders[each.key] = writer
            with closing(run.steps(results=stored if known else None)) as steps:
                for step in steps:
                    if not known and step.frame.index >= given.frames[0]:
                        doubt = 0.0 if run.meter is None else run.meter.doubts[step.frame.index]
                        project.results.put(step.frame.index, step.result, given, doubt)
                    yield step.frame.index
        self.written.update(paths)

    def _remove_pictures(self, export: Export) -> None:
        """Delete the pictures that an earlier export wrote: objects may be deleted by now."""
        before = self._folders.pop(export.key, None)
        if before is None:
            return
        for file in before.files():
            with suppress(OSError):
                (before.path / file.name).unlink()


def zip_folder(folder: Path, into: BinaryIO) -> None:
    """Pack the pictures of a folder, as they are: they are compressed already."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
