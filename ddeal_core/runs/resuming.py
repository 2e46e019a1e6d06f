"""Whether a run has been done before, wholly or in part, and whether this one goes on from it."""

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ddeal_core.errors import InputError
from ddeal_core.media.identity import Settings
from ddeal_core.media.outputs.manifest import is_complete
from ddeal_core.media.outputs.opening import check_free
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.journal import Journal
from ddeal_core.runs.records import output_settings, versions
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.whole_files import journal_folder, remove_leftovers, writing

_log = logging.getLogger(__name__)


def outputs_complete(run: Settings, writers: Sequence[ResultWriter]) -> bool:
    """Whether every output is there already, made with the same settings.

    They are judged by names and sizes: see `is_complete`. What a run that was killed at its very
    end left beside them is removed.

    Args:
        run: See `run_settings`.
        writers: Opened, and may be abandoned after.
    """
    for writer in writers:
        if writer.settings is None or not is_complete(writer.path, output_settings(run, writer)):
            return False
    with contextlib.suppress(OSError, InputError):  # also where another process writes there
        folder = journal_folder(writers[0].path)
        if folder.is_dir():
            journal = Journal(folder)
            kept = journal.description()
            own = {**_description(run, writers), "replaces": (kept or {}).get("replaces")}
            if kept is None or _difference(kept, own) is None:
                journal.discard()
            else:
                journal.release()
    for writer in writers:
        remove_leftovers(writer.path)
    return True


def open_journal(
    run: Settings,
    segmenter: Segmenter,
    source: FrameSource,
    writers: Sequence[ResultWriter],
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Journal | None:
    """Prepare to write the outputs of a run, so that it can be resumed if it is killed.

    Args:
        run: See `run_settings`.
        segmenter: The network.
        source: The video.
        writers: The outputs, opened with `overwrite`; nothing is written yet.
        resume: Go on from what an unfinished run of the same settings left; from the first frame
            where there is none.
        overwrite: Outputs may be replaced, and an unfinished run that is not gone on from is
            thrown away.

    Returns:
        A journal for `segment_video`; None for a live source, where cues are kept, and where none
        can be written (a warning says so).

    Raises:
        InputError: An output is in the way, an unfinished run would be lost or is of other
            settings, or another process is writing it. Nothing was changed.
        OutputError: The disk does not take it.
    """
    paths = [writer.path for writer in writers]
    if source.info.is_live and resume:
        raise InputError(f"{source.path} comes once only: a run on it cannot be resumed")
    if source.info.is_live or segmenter.keep_cues:
        if not overwrite:
            check_free(paths)
        return None
    folder = journal_folder(paths[0])
    if not overwrite and not folder.exists():
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
        _resume_or_start(
            journal, _description(run, writers), segmenter, paths, resume=resume, replace=overwrite
        )
    except BaseException:
        if journal.description() is None:
            journal.discard()
        else:
            journal.release()
        raise
    for path in paths:
        remove_leftovers(path)
    return journal


def _resume_or_start(
    journal: Journal,
    description: dict[str, Any],
    segmenter: Segmenter,
    paths: Sequence[Path],
    *,
    resume: bool,
    replace: bool,
) -> None:
    kept = journal.description()
    free = replace
    if kept is not None:
        replaced = bool(kept.pop("replaces", False))
        difference = _difference(kept, description)
        if difference is None and not resume and not replace:
            raise InputError(f"an unfinished run is kept for {paths[0]}", remedy="resume")
        if difference is not None and resume and not replace and journal.has_state:
            raise InputError(
                f"the unfinished run of {paths[0]} cannot be resumed, {difference}",
                remedy="overwrite",
            )
        if resume and difference is None:
            if not (replace or replaced):
                own = {p for p in paths if journal.was_finishing(p) or _is_of(p, description)}
                check_free(p for p in paths if not p.is_dir() and p not in own)
            had_state = journal.has_state
            if journal.resume(segmenter.device):
                return
            if had_state:
                _log.warning("%s is damaged: starting with the first frame", journal.folder)
            free = True  # what is there is this run's own, or was replaced by it
    if not free:
        check_free(paths)
    with writing(journal.folder):
        journal.start({**description, "replaces": replace})


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
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = ({f"[{i}]": v for i, v in enumerate(each)} for each in (before, now))
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"{name}.{key}".strip(".").replace(".[", "[")
            found = _difference(before.get(key), now.get(key), inner)
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
    settings = description["settings"]
    return any(
        is_complete(path, {**settings, "output": {n: v for n, v in each.items() if n != "path"}})
        for each in description["outputs"]
        if Path(each["path"]).name == path.name
    )
