import multiprocessing
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest

from ddeal_core.batch import cut_out_many, find_videos, plan
from ddeal_core.errors import InputError, WeightsError
from ddeal_core.runs import NetworkOptions, OutputOptions, VideoRequest, run_video
from ddeal_core.tracking import Segmenter


def network_of(clips):
    return NetworkOptions(clips.weights, device="cpu")


def planned(clips, out, *, end=None, **options):
    videos, _ = find_videos([clips.videos])
    outputs = OutputOptions([f"{out}/{{stem}}.mov", f"{out}/m/{{stem}}"], **options)
    return plan([VideoRequest(v, end=end) for v in videos], outputs, mask_dir=clips.masks)


def same_files(first, second):
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names
    assert names == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_a_process_that_dies_is_one_failed_video_and_the_others_have_the_bytes_of_single_calls(
    make_clips, tiny_clip, tmp_path
):
    clips = make_clips("ab")
    (clips.videos / "a.mp4").unlink()
    (clips.videos / "a").mkdir()
    for index in range(300):  # more than are done before it is killed
        os.link(tiny_clip.images / "00000.png", clips.videos / f"a/{index:05d}.png")
    segmenter = Segmenter.load(clips.weights, device="cpu")
    jobs = planned(clips, tmp_path / "many", hard=True)
    for job in planned(clips, tmp_path / "single", hard=True)[1:]:
        run_video(job.request, job.outputs, segmenter)
    killed = []

    def kill(position):
        if not killed:
            (worker,) = multiprocessing.active_children()
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    outcomes = list(cut_out_many(jobs, workers=1, network=network_of(clips), on_progress=kill))
    first, *others = outcomes
    assert first.status == "failed"
    assert "its process was ended by SIGKILL (out of memory?)" in first.error
    assert [(o.status, o.frames, o.size, o.objects) for o in others] == [
        ("done", 8, (96, 128), (1,))
    ], outcomes
    shutil.rmtree(tmp_path / "many/m/a")  # what the dead one had begun
    for path in (tmp_path / "many").glob(".*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert same_files(tmp_path / "single", tmp_path / "many")


def test_a_failure_does_not_stop_the_rest(make_clips, tmp_path):
    clips = make_clips("abcd")
    (clips.videos / "a.mp4").write_text("no video")
    (clips.masks / "b.png").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/c.mov").touch()
    outcomes = list(
        cut_out_many(planned(clips, tmp_path / "out"), workers=0, network=network_of(clips))
    )
    ended = {Path(outcome.job.video).stem: outcome for outcome in outcomes}
    assert {name: outcome.status for name, outcome in ended.items()} == {
        "a": "failed", "b": "failed", "c": "failed", "d": "done",
    }  # fmt: skip
    assert "no video that can be read" in ended["a"].error
    assert "no mask in" in ended["b"].error
    assert "c.mov exists" in ended["c"].error
    assert not (tmp_path / "out/m/c").exists()
    assert all(outcome.bad_input for name, outcome in ended.items() if name != "d")


def test_what_is_complete_is_skipped(make_clips, tmp_path):
    clips = make_clips("abc")

    def run(**options):
        jobs = planned(clips, tmp_path / "out", **options)
        outcomes = list(cut_out_many(jobs, workers=0, network=network_of(clips)))
        return [outcome.status for outcome in outcomes], outcomes

    assert run(end=2)[0] == ["done"] * 3
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    states, outcomes = run(end=2)
    assert states == ["complete"] * 3
    assert [outcome.frames for outcome in outcomes] == [0] * 3
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    # an output is gone, another is short, a video is another one
    (tmp_path / "out/a.mov").unlink()
    next((tmp_path / "out/m/b").glob("*.png")).write_bytes(b"")
    states, outcomes = run(end=2)
    assert states == ["failed", "failed", "complete"]
    assert "a is not empty" in outcomes[0].error
    states, outcomes = run(end=3)
    assert states == ["failed"] * 3, "with other settings, it is another result"
    assert run(end=3, overwrite=True)[0] == ["done"] * 3


def test_a_full_disk_is_no_bad_input(make_clips, full_disk, tmp_path):
    clips = make_clips("a")
    with full_disk(1000):
        (outcome,) = cut_out_many(
            planned(clips, tmp_path / "out"), workers=0, network=network_of(clips)
        )
    assert (outcome.status, outcome.bad_input) == ("failed", False)
    assert "cannot write" in outcome.error


def test_what_holds_for_all_is_said_once(make_clips, tmp_path):
    clips = make_clips("ab")
    network = NetworkOptions("nowhere", device="cpu")
    with pytest.raises(WeightsError, match="nowhere"):
        list(cut_out_many(planned(clips, tmp_path / "out"), workers=0, network=network))
    for engine in ("spark", "ray://", "ray:x"):
        with pytest.raises(InputError, match="no engine"):
            list(cut_out_many(planned(clips, tmp_path / "out"), engine=engine))


@pytest.mark.skipif(sys.platform != "linux", reason="counted by way of /proc")
def test_many_videos_leave_no_threads_and_no_open_files(make_clips, tmp_path):
    clips = make_clips("abcdef")
    jobs, counts = planned(clips, tmp_path / "out", end=2), []
    for _ in cut_out_many(jobs, workers=0, network=network_of(clips)):
        open_files, threads = (len(os.listdir(f"/proc/self/{name}")) for name in ("fd", "task"))  # noqa: PTH208
        counts.append((open_files, threads, threading.active_count()))
    assert len(counts) == 6
    assert counts[2] == counts[-1]


def test_a_folder_of_masks_for_all_frames(make_clips, tiny_clip, tmp_path):
    from ddeal_core.media import write_mask

    clips = make_clips("a")
    shutil.copytree(tiny_clip.images, tmp_path / "JPEGImages/square")
    annotations = tmp_path / "Annotations/square"
    annotations.mkdir(parents=True)
    for index, mask in enumerate(tiny_clip.masks):
        write_mask(annotations / f"{index:05d}.png", mask)
    videos, _ = find_videos([tmp_path / "JPEGImages"])
    requests = [VideoRequest(video, end=4) for video in videos]
    first = [VideoRequest(video, annotations / "00000.png", end=4) for video in videos]
    jobs = plan(requests, OutputOptions(tmp_path / "all"), mask_dir=tmp_path / "Annotations")
    jobs += plan(first, OutputOptions(tmp_path / "first"))
    outcomes = list(cut_out_many(jobs, workers=0, network=network_of(clips)))
    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    assert same_files(tmp_path / "all/square", tmp_path / "first/square")
