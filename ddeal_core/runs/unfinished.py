"""Which run an unfinished one beside the outputs is, and whether this one goes on from it."""

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ddeal_core.errors import InputError
from ddeal_core.media.identity import Settings
from ddeal_core.media.outputs.manifest import is_complete
from ddeal_core.media.outputs.opening import check_free
from ddeal_core.media.outputs.result_writer import ResultWriter, output_error
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.directions import Direction
from ddeal_core.runs.journal import Journal
from ddeal_core.runs.run_settings import output_settings, run_settings, versions
from ddeal_core.tracking.segmenter import Labels, Segmenter
from ddeal_core.whole_files import remove_leftovers

__all__ = ["all_whole", "open_journal", "unfinished_folder"]

_log = logging.getLogger(__name__)


def unfinished_folder(output: Path) -> Path:
    """Where a run keeps its journal until it is done; `output` is its first one."""
    return output.with_name(f".{output.name}.unfinished")


def all_whole(
    segmenter: Segmenter,
    source: FrameSource,
    masks: Labels | Mapping[int, Labels],
    writers: Sequence[ResultWriter],
    *,
    direction: Direction = "forward",
) -> bool:
    """Whether every output of a run is there already, made with the same settings.

    Going by names and sizes, see `is_complete`; `writers` are opened, and may be abandoned after.
    """
    if segmenter.keep_cues or not all(writer.path.exists() for writer in writers):
        return False  # outputs of cues have no settings to go by
    run = run_settings(segmenter, source, masks, direction=direction)
    return all(is_complete(writer.path, output_settings(run, writer)) for writer in writers)


def open_journal(
    segmenter: Segmenter,
    source: FrameSource,
    masks: Labels | Mapping[int, Labels],
    writers: Sequence[ResultWriter],
    *,
    direction: Direction = "forward",
    resume: bool = False,
    overwrite: bool = False,
) -> Journal | None:
    """Make ready to write the outputs of a run, and to be killed meanwhile.

    Args:
        segmenter: The network.
        source: The video.
        masks: As `segment_video` takes them.
        writers: The outputs, opened with `overwrite`; nothing is written yet.
        direction: Which way objects are followed.
        resume: Go on from what an unfinished run of the same settings left; from the first frame
            where there is none.
        overwrite: Outputs may be replaced, and an unfinished run that is not gone on from is
            thrown away.

    Returns:
        A journal for `segment_video`; None for a live source, where cues are kept, where objects
        are followed backwards, and where none can be written (a warning says so).

    Raises:
        InputError: An output is in the way, an unfinished run would be lost or is of other
            settings, or another process is writing it. Nothing was changed.
        OutputError: The disk does not take it.
    """
    paths = [writer.path for writer in writers]
    reason = None
    if source.is_live:
        reason = f"{source.path} comes once only"
    elif segmenter.keep_cues:
        reason = "what led to the answer (cues) is not kept"
    elif direction != "forward":
        reason = "objects are followed backwards"
    if reason is not None:
        if resume and source.is_live:
            raise InputError(f"{reason}: a run on it cannot be resumed")
        if not overwrite:
            try:
                check_free(paths)
            except InputError as error:
                if not resume:
                    raise
                raise InputError(f"{error} ({reason}: such a run cannot be resumed)") from None
        return None
    folder = unfinished_folder(paths[0])
    if not folder.exists() and not overwrite:
        check_free(paths)
    try:
        journal = Journal(folder)
    except BlockingIOError:
        raise InputError(f"another process is writing {paths[0]} now: wait for it") from None
    except OSError as error:
        if not overwrite:
            check_free(paths)
        _log.warning(
            "this run could not be resumed after an interruption: %s cannot be written (%s)",
            folder,
            error.strerror or error,
        )
        return None
    try:
        run = run_settings(segmenter, source, masks, direction=direction)
        _take_up(journal, _description(run, writers), segmenter, paths, resume, overwrite)
    except BaseException:
        _leave(journal)
        raise
    for path in paths:
        remove_leftovers(path)
    return journal


def _take_up(
    journal: Journal,
    description: dict[str, Any],
    segmenter: Segmenter,
    paths: Sequence[Path],
    resume: bool,
    overwrite: bool,
) -> None:
    kept = journal.description()
    difference, free = None, overwrite
    if kept is not None:
        replaces = bool(kept.pop("replaces", False))
        difference = _difference(kept, description)
        if difference is None and not resume and not overwrite:
            raise InputError(
                f"an unfinished run is kept for {paths[0]}: run again with --resume to go on, or "
                "with --overwrite to start afresh"
            )
        if difference is not None and resume and not overwrite and journal.has_state:
            raise InputError(
                f"the unfinished run of {paths[0]} cannot be resumed, {difference}: give what it "
                "was begun with, or start afresh with --overwrite and without --resume"
            )
        if resume and difference is None:
            if not (overwrite or replaces):
                own = {p for p in paths if journal.was_finishing(p) or _is_of(p, description)}
                check_free(p for p in paths if not p.is_dir() and p not in own)
            if journal.resume(segmenter.device):
                return
            if journal.has_state:
                _log.warning("%s is damaged: starting with the first frame", journal.folder)
            free = True  # what is there is this run's own, or was replaced by it
    if not free:
        check_free(paths)
    try:
        journal.start({**description, "replaces": overwrite})
    except OSError as error:
        raise output_error(journal.folder, error) from None


def _leave(journal: Journal) -> None:
    """Let go of it as it was found."""
    if journal.description() is None:
        journal.discard()
    else:
        journal.release()


def _description(run: Settings, writers: Sequence[ResultWriter]) -> dict[str, Any]:
    """All that must be the same for the same bytes, the machine included."""
    base = writers[0].path.absolute().parent
    outputs = []
    for writer in writers:
        place = str(writer.path.absolute())
        with contextlib.suppress(ValueError):  # another drive
            place = Path(os.path.relpath(place, base)).as_posix()
        outputs.append({"path": place, **dict(writer.settings or {})})
    cuda = run["device"] == "cuda"
    machine = {
        "processor": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if cuda else None,
    }
    return {"settings": dict(run), "outputs": outputs, "versions": versions(), "machine": machine}


def _difference(before: Any, now: Any, name: str = "") -> str | None:
    """Say in a few words where two records of JSON types differ first; None if nowhere."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"{name}.{key}" if name else key
            found = _difference(before.get(key), now.get(key), inner)
            if found is not None:
                return found
        return None
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            found = _difference(old, new, f"{name}[{index}]")
            if found is not None:
                return found
        return None
    if before == now:
        return None
    return f"its {name.removeprefix('settings.')} was {_brief(before)} and is {_brief(now)} now"


def _brief(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{len(value)} entries"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:10]}..."


def _is_of(path: Path, description: dict[str, Any]) -> bool:
    """Whether a file was finished by this very run before it ended."""
    for output in description["outputs"]:
        if Path(output["path"]).name == path.name:
            own = {name: value for name, value in output.items() if name != "path"}
            if is_complete(path, {**description["settings"], "output": own}):
                return True
    return False
