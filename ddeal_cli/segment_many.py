"""Many videos in one ``ddeal segment``, and what is shown of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddeal_cli.console import complain, emit_json, say, told
from ddeal_cli.many_progress import ManyProgress
from ddeal_cli.one_video import listed
from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_core.batch import Outcome
    from ddeal_core.runs import NetworkOptions, OutputOptions, VideoRequest


def many_meant(
    found_many: bool,
    request: "VideoRequest",
    outputs: "OutputOptions",
    *,
    mask_dir: Path | None,
    engine: str,
) -> bool:
    """Whether the command is one for many videos, even if there is only one of them."""
    from ddeal_core.batch.plan import has_field

    named = any(has_field(word) for word in (*request.mask_names, *outputs.output_names))
    return found_many or named or mask_dir is not None or engine != "local"


def segment_many(
    requests: "Sequence[VideoRequest]",
    outputs: "OutputOptions",
    network: "NetworkOptions",
    *,
    mask_dir: Path | None,
    jobs: int | None,
    engine: str,
    quiet: bool,
    json: bool,
) -> int:
    """Cut out all videos and tell how each ended; gives the exit code."""
    from ddeal_core.batch import cut_out_many, plan

    planned = plan(requests, outputs, mask_dir=mask_dir)
    say("1 video" if len(planned) == 1 else f"{len(planned)} videos", quiet=quiet)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    with ManyProgress(len(planned), quiet=quiet) as progress:
        on_progress: Callable[..., None] | None = None if engine != "local" else progress.moved
        for outcome in cut_out_many(
            planned, network=network, workers=jobs, engine=engine, on_progress=on_progress
        ):
            outcomes.append(outcome)
            progress.ended(outcome)
            if outcome.error is not None:
                error = told(outcome.error, outcome.remedy)
                named = outcome.job.video in error
                complain(error if named else f"{outcome.job.video}: {error}")
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
            listed(outcome.doubts, most=3),
        ]
        for outcome in outcomes
    ]
    show_table(["video", "frames", "frames/s", "status", "look at"], rows, stderr=True)
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
        "outputs": [] if outcome.status == "failed" else list(outcome.job.outputs.output_names),
        "seconds": round(outcome.seconds, 3),
        "frames_per_second": round(outcome.frame_rate, 3),
        "device": outcome.device,
        "doubts": [asdict(stretch) for stretch in outcome.doubts],
        "error": None if outcome.error is None else told(outcome.error, outcome.remedy),
    }
