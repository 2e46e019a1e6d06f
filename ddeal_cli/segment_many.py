"""Many videos in one ``ddeal segment``: its options, and what is shown of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddeal_cli.console import complain, emit_json, say
from ddeal_cli.many_progress import ManyProgress
from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_core.batch import Outcome

__all__ = ["EngineOption", "JobsOption", "MaskDirOption", "exit_code", "many_meant", "segment_many"]

_MANY = "Many videos"

MaskDirOption = Annotated[
    Path | None,
    typer.Option(
        "--mask-dir",
        metavar="DIR",
        help="Where each video's mask is found by its name: DIR/clip.png, or a folder DIR/clip "
        "with masks by frame (of masks for all frames, the first is taken). Or write {stem} "
        "(clip), {name} (clip.mp4) or {parent} (its folder) in --mask, as in -o.",
        rich_help_panel=_MANY,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        help="Videos at a time, each in a process with its share of the cores. Default: 1; with "
        "ray, as many as the cluster has room for.",
        rich_help_panel=_MANY,
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="local|ray[://HOST:PORT]",
        help="Where videos are cut out: in processes of this machine, or by a Ray cluster whose "
        "machines see all files under the same paths.",
        rich_help_panel=_MANY,
    ),
]


def many_meant(
    found_many: bool,
    masks: Sequence[str],
    outputs: Sequence[str],
    *,
    mask_dir: Path | None,
    engine: str,
) -> bool:
    """Whether the command is one for many videos, even if there is only one of them."""
    from ddeal_core.batch.plan import has_field

    named = any(has_field(word) for word in (*masks, *outputs))
    return found_many or named or mask_dir is not None or engine != "local"


def segment_many(
    videos: Sequence[str],
    *,
    masks: Sequence[str],
    mask_dir: Path | None,
    outputs: Sequence[str],
    jobs: int | None,
    engine: str,
    network: Mapping[str, Any],
    cutting: Mapping[str, Any],
    quiet: bool,
    json: bool,
) -> int:
    """Cut out all videos and tell how each ended.

    Args:
        videos: From `find_videos`.
        masks: See `plan`.
        mask_dir: See `plan`.
        outputs: See `plan`.
        jobs: See `cut_out_many`.
        engine: See `cut_out_many`.
        network: Keyword arguments of `Segmenter.load`.
        cutting: Keyword arguments of `cut_out`.
        quiet: Show only warnings and errors.
        json: Print one object with a list of all videos.

    Returns:
        The exit code: see `exit_code`.
    """
    from ddeal_core.batch import cut_out_many, plan

    planned = plan(videos, masks=masks, mask_dir=mask_dir, outputs=outputs)
    say("1 video" if len(planned) == 1 else f"{len(planned)} videos", quiet=quiet)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    with ManyProgress(len(planned), quiet=quiet) as progress:
        on_progress: Callable[..., None] | None = None if engine != "local" else progress.moved
        for outcome in cut_out_many(
            planned,
            workers=jobs,
            engine=engine,
            network=network,
            on_progress=on_progress,
            **cutting,
        ):
            outcomes.append(outcome)
            progress.ended(outcome)
            if outcome.error is not None:
                named = outcome.job.video in outcome.error
                complain(outcome.error if named else f"{outcome.job.video}: {outcome.error}")
    seconds = time.monotonic() - began
    order = {job: number for number, job in enumerate(planned)}
    outcomes.sort(key=lambda outcome: order[outcome.job])
    if not quiet:
        _show(outcomes, seconds)
    if json:
        emit_json(_record(outcomes, seconds, engine))
    return exit_code(outcomes)


def exit_code(outcomes: "Sequence[Outcome]") -> int:
    """0 where no video failed, 2 where only bad input was at fault, 1 where something else was."""
    failures = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not failures:
        return 0
    return 2 if all(outcome.bad_input for outcome in failures) else 1


def _counts(outcomes: "Sequence[Outcome]") -> dict[str, int]:
    states = [outcome.status for outcome in outcomes]
    return {state: states.count(state) for state in ("done", "complete", "failed")}


def _show(outcomes: "Sequence[Outcome]", seconds: float) -> None:
    rows = [
        [
            outcome.job.video,
            str(outcome.frames) if outcome.frames else "",
            f"{outcome.frame_rate:.1f}" if outcome.frames else "",
            "complete before" if outcome.status == "complete" else outcome.status,
        ]
        for outcome in outcomes
    ]
    show_table(["video", "frames", "frames/s", "status"], rows, stderr=True)
    frames = sum(outcome.frames for outcome in outcomes)
    counts = _counts(outcomes)
    parts = [f"{counts['done']} of {len(outcomes)} videos done"]
    parts += [f"{counts['complete']} complete before"] if counts["complete"] else []
    parts += [f"{counts['failed']} failed"] if counts["failed"] else []
    say(f"{', '.join(parts)}: {frames} frames in {seconds:.1f} s, {frames / seconds:.1f} frames/s")


def _record(outcomes: "Sequence[Outcome]", seconds: float, engine: str) -> dict[str, Any]:
    frames = sum(outcome.frames for outcome in outcomes)
    return {
        "videos": [_video_record(outcome) for outcome in outcomes],
        **_counts(outcomes),
        "frames": frames,
        "seconds": round(seconds, 3),
        "frames_per_second": round(frames / seconds, 3),
        "engine": engine,
    }


def _video_record(outcome: "Outcome") -> dict[str, Any]:
    height, width = outcome.size or (None, None)
    return {
        "video": outcome.job.video,
        "status": outcome.status,
        "frames": outcome.frames,
        "width": width,
        "height": height,
        "objects": list(outcome.objects),
        "outputs": [] if outcome.status == "failed" else list(outcome.job.outputs),
        "seconds": round(outcome.seconds, 3),
        "frames_per_second": round(outcome.frame_rate, 3),
        "device": outcome.device,
        "error": outcome.error,
    }
