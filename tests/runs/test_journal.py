"""Runs that are broken off and go on: the bytes of an unbroken run, whatever happened."""

import hashlib
import json
import os
import shutil
import signal
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import Forked

from ddeal_core import Segmenter
from ddeal_core.errors import InputError, OutputError, StoppedError
from ddeal_core.media import verify
from ddeal_core.runs import OutputOptions, VideoRequest, cut_out, open_run
from ddeal_core.runs import journal as journal_module
from ddeal_core.runs.outputs import RunOutputs
from ddeal_core.runs.result_log import ResultLog
from ddeal_core.tracking import Tracker
from ddeal_core.tracking.tracker_state import pack, unpack

WORDS = ("masks", "mattes=mattes", "rgba=rgba", "cut.mov", "cut.webm", "over.mp4", "all.json")


BOTH = ("cut.mov", "masks")


@pytest.fixture(scope="module")
def segmenter(make_network):
    return Segmenter(make_network("compact"), resolution=64)


@pytest.fixture(scope="module", autouse=True)
def _states_after_every_frame():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "_LEAST_PAUSE", 0.0)
        patch.setattr(journal_module, "_SHARE", 0)
        yield


@pytest.fixture(scope="module")
def masks(tiny_clip):
    """One object from frame 1 on, two more on frame 4; one of them corrected on frame 6."""
    later = np.zeros((96, 128), np.uint8)
    later[60:90, 90:120] = 38
    later[5:20, 90:120] = 7
    corrected = np.zeros((96, 128), np.uint8)
    corrected[50:80, 80:125] = 38
    return {1: tiny_clip.masks[1], 4: later, 6: corrected}


def opened(segmenter, clip, masks, folder, *, words=WORDS, direction="forward", **options):
    """A run of these outputs in a folder."""
    folder.mkdir(exist_ok=True)
    names = [w.replace("=", f"={folder}/") if "=" in w else folder / w for w in words]
    request = VideoRequest(clip if isinstance(clip, Path) else clip.video, masks,
                           direction=direction)  # fmt: skip
    return open_run(request, OutputOptions(names, **options), segmenter)


def checksums(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files
    }


def run(segmenter, clip, masks, folder, *, frames=None, **options):
    """Run to the end, or break off after so many frames; how many were taken up."""
    with opened(segmenter, clip, masks, folder, **options) as made:
        kept, restored = made.kept, made.restored
        with closing(made.steps()) as steps:
            for step in steps:
                assert step.restored is (step.done <= restored)
                if step.done == frames:
                    break
        return kept


@pytest.fixture(scope="module")
def whole(segmenter, tiny_clip, masks, tmp_path_factory):
    """Folder of an unbroken run."""
    folder = tmp_path_factory.mktemp("whole")
    run(segmenter, tiny_clip, masks, folder, words=BOTH)
    return folder


@pytest.fixture(scope="module")
def unfinished(segmenter, tiny_clip, masks, tmp_path_factory):
    """Folder of a run that was broken off after five frames."""
    folder = tmp_path_factory.mktemp("unfinished")
    assert run(segmenter, tiny_clip, masks, folder, words=BOTH, frames=5) == 0
    return folder


@pytest.fixture
def broken(unfinished, tmp_path):
    """A copy of it, and where its journal is."""
    folder = shutil.copytree(unfinished, tmp_path / "broken")
    return folder, folder / ".cut.mov.unfinished"


@pytest.mark.parametrize("look_ahead", [1, 3])
def test_broken_off_twice_it_ends_with_the_bytes_of_an_unbroken_run(
    make_network, tiny_clip, masks, tmp_path, look_ahead
):
    segmenter = Segmenter(make_network("compact"), resolution=64, look_ahead=look_ahead)
    words = WORDS if look_ahead == 1 else ("mattes=mattes",)
    run(segmenter, tiny_clip, masks, tmp_path / "whole", words=words)
    broken = tmp_path / "broken"
    assert run(segmenter, tiny_clip, masks, broken, words=words, frames=3) == 0
    assert not (broken / "cut.mov").exists()
    first = run(segmenter, tiny_clip, masks, broken, words=words, frames=6, resume=True)
    second = run(segmenter, tiny_clip, masks, broken, words=words, resume=True)
    assert 1 <= first <= second <= 8
    assert second >= 4
    assert checksums(broken) == checksums(tmp_path / "whole")
    assert all(verify(broken / word.split("=")[-1]).whole for word in words)


def test_a_state_survives_the_file_bit_by_bit(make_network, tiny_clip):
    for preset in ("compact", "paper-resnet50"):
        tracker = Tracker(make_network(preset))
        for index, frame in enumerate(tiny_clip.frames[:3]):
            tracker.step(frame, tiny_clip.masks[0] if index == 0 else None)
        state, notes = unpack(pack(tracker.snapshot(), offset=7), torch.device("cpu"))
        assert notes == {"offset": 7}
        assert pack(state, offset=7) == pack(tracker.snapshot(), offset=7)
        other = Tracker(make_network(preset))
        other.restore(state)
        for frame in tiny_clip.frames[3:5]:
            first, second = tracker.step(frame), other.step(frame)
            assert np.array_equal(first.probabilities, second.probabilities)
            assert (first.index, first.object_ids) == (second.index, second.object_ids)


def test_a_memory_in_which_nothing_was_new_survives_the_file(make_network, tiny_clip):
    network = make_network("compact", memory_interval=1, memory_similarity=0.1)
    tracker = Tracker(network)
    for index, frame in enumerate(tiny_clip.frames[:3]):
        tracker.step(frame, tiny_clip.masks[0] if index == 0 else None)
    assert tracker.state is not None
    empty = replace(
        tracker.state.memory,
        positions=(0,),
        **{name: getattr(tracker.state.memory, name)[..., :0] for name in ("keys", "log_masks")},
    )
    tracker._state = replace(tracker.state, memory=empty)
    state, _ = unpack(pack(tracker.snapshot()), torch.device("cpu"))
    other = Tracker(network)
    other.restore(state)
    frame = tiny_clip.frames[3]
    assert np.array_equal(tracker.step(frame).probabilities, other.step(frame).probabilities)


def test_damaged_states_are_noticed(make_network, tiny_clip):
    tracker = Tracker(make_network("compact"))
    tracker.step(tiny_clip.frames[0], tiny_clip.masks[0])
    content = pack(tracker.snapshot())
    for damaged in (b"", content[:100], content[:-9], b"{}" + content, bytes(len(content))):
        with pytest.raises(ValueError, match="no tracker state"):
            unpack(damaged, torch.device("cpu"))


def test_an_unfinished_run_is_not_lost_by_accident(
    segmenter, tiny_clip, masks, make_clip, broken, tmp_path, monkeypatch
):
    folder, _ = broken
    before = checksums(folder)

    def refused(match, segmenter=segmenter, clip=tiny_clip, masks=masks, words=BOTH, **options):
        with pytest.raises(InputError, match=match):
            run(segmenter, clip, masks, folder, words=words, **options)

    refused("an unfinished run is kept")
    other = Segmenter(segmenter._network, resolution=80)
    refused(r"resolution was 64 and is 80 now", segmenter=other, resume=True)
    fewer = {1: masks[1]}
    refused(r"masks\.4 was .* and is nothing now", masks=fewer, resume=True)
    refused(r"outputs was 2 entries and is 1 entries now", words=("cut.mov",), resume=True)
    video = tmp_path / tiny_clip.video.name
    make_clip(video, list(tiny_clip.frames), options={"crf": "14"})
    refused(r"its input\.bytes was", clip=video, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "ANOTHER")
        refused(r"machine\.processor was .* and is ANOTHER now", resume=True)
    assert checksums(folder) == before
    assert run(segmenter, tiny_clip, masks, folder, words=BOTH, overwrite=True, frames=1) == 0


def test_one_process_at_a_time(segmenter, tiny_clip, masks, tmp_path):
    words = ("cut.mov",)
    with opened(segmenter, tiny_clip, masks, tmp_path, words=words) as first:
        for option in ({"resume": True}, {"overwrite": True}, {}):
            with pytest.raises(InputError, match="another process"):
                run(segmenter, tiny_clip, masks, tmp_path, words=words, **option)
        first.journal.close()
    assert not (tmp_path / ".cut.mov.unfinished").exists()
    with opened(segmenter, tiny_clip, masks, tmp_path, words=words) as again:
        again.journal.close()


def garble(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def plant(journal, change):
    """Change a state as a stranger might."""
    path = journal / "forward.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    record = json.loads(header["__metadata__"]["state"])
    change(record)
    header["__metadata__"]["state"] = json.dumps(record)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


def test_what_is_damaged_or_absurd_is_begun_anew(
    segmenter, tiny_clip, masks, whole, unfinished, tmp_path
):
    damages = (
        lambda journal: os.truncate(journal / "forward.safetensors", 50),
        lambda journal: os.truncate(journal / "forward.log", 100),
        lambda journal: plant(journal, lambda record: record["notes"].update(done=-5)),
        lambda journal: plant(journal, lambda record: record["notes"].update(offset=10**30)),
        lambda journal: plant(journal, lambda record: record.update(object_ids=[300, 301])),
        lambda journal: (journal / "run.json").write_text("{"),
    )
    for number, damage in enumerate(damages):
        folder = shutil.copytree(unfinished, tmp_path / str(number))
        damage(folder / ".cut.mov.unfinished")
        # without its description, nothing says whose the pictures are
        words = BOTH if number < 5 else ("cut.mov",)
        with opened(segmenter, tiny_clip, masks, folder, words=words, resume=True) as made:
            assert made.kept == made.restored == 0
            assert not list(folder.rglob("forward.safetensors"))
            if number == 1:
                list(made.steps())
                assert checksums(folder) == checksums(whole)
            else:
                made.journal.close()


def test_what_makes_no_sense_later_is_an_error_and_no_wrong_result(
    segmenter, tiny_clip, masks, unfinished, tmp_path
):
    damages = (
        lambda journal: garble(journal / "forward.log"),  # a frame that rotted
        lambda journal: plant(
            journal, lambda record: record["objects"]["fields"].update(age="old")
        ),  # a state that no tracker had
    )
    for number, damage in enumerate(damages):
        folder = shutil.copytree(unfinished, tmp_path / str(number))
        damage(folder / ".cut.mov.unfinished")
        with pytest.raises(OutputError, match="is damaged"):
            run(segmenter, tiny_clip, masks, folder, words=BOTH, resume=True)
        assert not (folder / "cut.mov").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights, and there are no such pipes")
@pytest.mark.parametrize(
    ("name", "kind"), [("", "link"), ("run.json", "pipe"), ("forward.log", "hard link")]
)
def test_nothing_elsewhere_is_changed(segmenter, tiny_clip, masks, broken, tmp_path, name, kind):
    folder, place = broken
    path = place / name if name else place
    victim = tmp_path / "victim"
    path.rename(victim)
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.hardlink_to(victim)
    before = checksums(victim) if victim.is_dir() else victim.read_bytes()
    with pytest.raises(InputError, match="leads to another place, or is no file: remove it"):
        run(segmenter, tiny_clip, masks, folder, words=BOTH, resume=True)
    assert (checksums(victim) if victim.is_dir() else victim.read_bytes()) == before


@pytest.fixture
def record(tmp_path):
    """`record(head, packed)`: the result of frame 7 in a log that a stranger wrote."""

    def make(head, packed):
        text = json.dumps(head).encode()
        payload = len(text).to_bytes(4, "little") + text + packed
        path = tmp_path / "forward.log"
        parts = (len(payload), zlib.crc32(payload), 7)
        path.write_bytes(b"".join(n.to_bytes(4, "little") for n in parts) + payload)
        log = ResultLog.at(path)
        log.recover(1, path.stat().st_size)
        with closing(log):
            return log.get(7, (3, 5), torch.device("cpu"))

    return make


def test_what_is_packed_is_not_unpacked_beyond_its_size(record):
    bomb = zlib.compress(bytes(1 << 26))
    result = record({"ids": [1], "index": 0, "shape": [1, 2, 2], "given": []}, bomb)
    assert result.maps.merged.shape == (1, 2, 2, 2)
    assert result.labels.shape == (3, 5)


@pytest.mark.parametrize(
    "facts",
    [
        {"ids": [1, 2]},
        {"ids": [300]},
        {"shape": [1, 0, 2]},
        {"shape": [1, 1 << 20, 1 << 20]},
        {"given": [1]},
        {"given": [9]},
        {"index": None},
        {"shape": None},
    ],
    ids=str,
)
def test_records_that_make_no_sense_are_refused(record, facts):
    head = {"ids": [1], "index": 0, "shape": [1, 2, 2], "given": []} | facts
    with pytest.raises((ValueError, InputError)):
        record(head, zlib.compress(bytes(8)))


def test_a_log_gives_back_what_it_was_given(make_network, tiny_clip):
    tracker = Tracker(make_network("compact"))
    two = tiny_clip.masks[0].copy()
    two[60:80, 80:110] = 9
    frames = tiny_clip.frames[:4]
    results = [tracker.step(f, two if i == 0 else None) for i, f in enumerate(frames)]
    with closing(ResultLog.temporary()) as log:
        for index, result in enumerate(results):
            log.add(index, result)
        log.add(90, results[3], (9,))
        for index, result in reversed(list(enumerate(results))):
            found = log.get(index, (96, 128), torch.device("cpu"))
            assert (found.index, found.object_ids) == (result.index, result.object_ids)
            np.testing.assert_array_equal(found.labels, result.labels)
            np.testing.assert_array_equal(found.probabilities, result.probabilities)
        one = log.get(90, (96, 128), torch.device("cpu"))
        assert one.object_ids == (9,)
        np.testing.assert_array_equal(one.probabilities[1], results[3].probabilities[2])
        assert log.get(91, (96, 128), torch.device("cpu")) is None


def test_records_behind_the_last_state_are_found_again(segmenter, tiny_clip, masks, whole, broken):
    folder, journal = broken
    with (journal / "forward.log").open("ab") as file:
        file.write(b"\x40\0\0\0half a record")
    assert run(segmenter, tiny_clip, masks, folder, words=BOTH, resume=True) >= 4
    assert checksums(folder) == checksums(whole)


def test_stopped_on_request_all_frames_in_hand_are_kept(segmenter, tiny_clip, masks, tmp_path):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == 5

    with opened(segmenter, tiny_clip, masks, tmp_path, words=("masks", "cut.mov")) as made:
        with pytest.raises(StoppedError):
            list(made.steps(stop=stop))
        assert made.kept == 5
    assert not list(tmp_path.glob("*cut.mov*"))
    assert len(list((tmp_path / "masks").glob("*.png"))) == 5
    assert not (tmp_path / "masks" / "manifest.json").exists()
    assert run(segmenter, tiny_clip, masks, tmp_path, words=("masks", "cut.mov"), resume=True) == 5


def test_a_full_disk_keeps_what_was_found(segmenter, tiny_clip, masks, whole, tmp_path, full_disk):
    with full_disk(90_000), pytest.raises(OutputError, match=r"cut\.mov|unfinished"):
        run(segmenter, tiny_clip, masks, tmp_path, words=BOTH)
    assert not (tmp_path / "cut.mov").exists()
    assert run(segmenter, tiny_clip, masks, tmp_path, words=BOTH, resume=True) >= 1
    assert checksums(tmp_path) == checksums(whole)


@pytest.mark.skipif(os.name == "nt", reason="open folders cannot be moved there")
def test_a_folder_that_vanishes_is_one_error(segmenter, tiny_clip, masks, tmp_path):
    with opened(segmenter, tiny_clip, masks, tmp_path / "out", words=("cut.mov",)) as made:
        steps = made.steps()
        next(steps)
        (tmp_path / "out").rename(tmp_path / "moved")
        with pytest.raises(OutputError, match=r"out"):
            list(steps)
    assert not (tmp_path / "out").exists()


def test_whole_outputs_are_known(segmenter, tiny_clip, masks, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "whole")

    def is_complete(given):
        try:
            with opened(segmenter, tiny_clip, given, folder, words=BOTH, resume=True) as made:
                return made.is_complete
        except InputError:
            return False

    assert is_complete(masks)
    assert not is_complete({1: masks[1]})
    (folder / "masks/00003.png").unlink()
    assert not is_complete(masks)


def test_a_live_source_is_not_resumed(segmenter, tiny_clip, tmp_path):
    for resume in (True, False):
        with tiny_clip.video.open("rb") as pipe:
            request = VideoRequest(pipe, {0: tiny_clip.masks[0]}, end=2)
            outputs = OutputOptions(tmp_path / "cut.mov", resume=resume)
            if resume:
                with (
                    pytest.raises(InputError, match="once only"),
                    open_run(request, outputs, segmenter),
                ):
                    pass
            else:
                with open_run(request, outputs, segmenter) as made:
                    assert made.journal is None
                    assert len(list(made.steps())) == 2


@pytest.mark.parametrize(("direction", "look_ahead"), [("backward", 3), ("both", 1)])
def test_both_ways_go_on_where_they_were_broken_off(
    make_network, tiny_clip, masks, tmp_path, direction, look_ahead
):
    segmenter = Segmenter(make_network("compact"), resolution=64, look_ahead=look_ahead)
    words = ("masks", "mattes=mattes")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(segmenter, tiny_clip, masks, whole, words=words, direction=direction)

    def steps_back(stop_at, **options):
        """Frames of the way back that were new, until a run is stopped or ends."""
        seen = []
        with opened(
            *(segmenter, tiny_clip, masks, broken), words=words, direction=direction, **options
        ) as made:
            kept = made.kept
            steps = made.steps(
                on_back=lambda done, total: seen.append((done, total)),
                stop=lambda: len(seen) == stop_at,
            )
            with closing(steps):
                for step in steps:
                    if stop_at is None and step.done == 5:
                        break
        return kept, seen

    with pytest.raises(StoppedError):
        steps_back(3)
    kept, seen = steps_back(None, resume=True)  # broken off on the way forward
    total = {"backward": 7, "both": 5}[direction]  # from the last mask, or the last first mask
    assert kept == 3 - 3 % look_ahead
    assert seen == [(done, total) for done in range(kept + 1, total + 1)]
    kept = run(segmenter, tiny_clip, masks, broken, words=words, direction=direction, resume=True)
    assert kept > total
    assert checksums(broken) == checksums(whole)


@pytest.mark.skipif(os.name == "nt", reason="no /proc there")
@pytest.mark.parametrize("place", ["{}/file/cut.mov", "{}/file/deeper/cut.mov", "/proc/no/cut.mov"])
def test_an_output_that_cannot_be_is_refused_before_all_else(
    segmenter, tiny_clip, tmp_path, place, caplog
):
    (tmp_path / "file").touch()
    words = ("good/masks", place.format(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    request = VideoRequest(tiny_clip.video, tmp_path / "nowhere.png")
    names = [word if word.startswith("/") else tmp_path / word for word in words]
    with pytest.raises(InputError, match=r"cannot write .*cut\.mov"):
        open_run(request, OutputOptions(names), segmenter).__enter__()
    assert not caplog.text
    assert sorted(tmp_path.rglob("*")) == before


def test_where_no_journal_can_be_kept_it_runs_without(
    segmenter, tiny_clip, masks, tmp_path, caplog
):
    (tmp_path / ".cut.mov.unfinished").write_text("in the way")
    with opened(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov",)) as made:
        assert made.journal is None
    assert "could not be resumed" in caplog.text


def cut_until_killed(weights, video, mask, folder, frame, name=""):
    """In a process of its own, which is killed after a frame, or as a manifest is to appear."""

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(self, writer):
        if writer.path.name == name:
            die()
        describe(self, writer)

    journal_module._LEAST_PAUSE, journal_module._SHARE = 0.0, 0
    describe, RunOutputs.describe = RunOutputs.describe, dying
    outputs = [folder / output for output in ("masks", "cut.mov", "all.json")]
    cut_out(video, mask, outputs, segmenter=Segmenter.load(weights, device="cpu"), resume=True,
            on_frame=lambda step: step.done == frame and die())  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_killed_again_and_again_it_ends_with_the_bytes_of_an_unbroken_run(
    make_network, tiny_clip, tmp_path, monkeypatch
):
    """A real process, killed between frames and at the worst moments of the end."""
    from ddeal_core.weights import Checkpoint, save_checkpoint

    network, weights = make_network("compact"), tmp_path / "w.safetensors"
    save_checkpoint(Checkpoint(network.config, network.state_dict()), weights)
    broken, whole = tmp_path / "broken", tmp_path / "whole"

    def killed(frame, name=""):
        words = (weights, tiny_clip.video, tiny_clip.first_mask, broken, frame, name)
        process = Forked(tmp_path, cut_until_killed, *words)
        assert process.ended() == -signal.SIGKILL, process.err.read_text()
        assert (broken / ".masks.unfinished").is_dir()

    def cut(folder, **options):
        folder.mkdir(exist_ok=True)
        outputs = [folder / name for name in ("masks", "cut.mov", "all.json")]
        segmenter = Segmenter.load(weights, device="cpu")
        cut_out(tiny_clip.video, tiny_clip.first_mask, outputs, segmenter=segmenter, **options)

    broken.mkdir()
    killed(4)
    assert not (broken / "cut.mov").exists()
    killed(0, "cut.mov")
    assert not verify(broken / "cut.mov").whole
    (broken / "all.json").write_text("somebody's")
    with pytest.raises(InputError, match=r"all\.json exists"):
        cut(broken, resume=True)
    (broken / "all.json").unlink()

    def interrupted(journal):
        journal.release()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # when all is whole, and what was kept still there
        patch.setattr(journal_module.Journal, "discard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cut(broken, resume=True)
    assert verify(broken / "all.json").whole
    assert (broken / ".masks.unfinished").is_dir()
    cut(broken, resume=True)
    cut(whole)
    assert checksums(broken) == checksums(whole)
    assert not list(tmp_path.rglob(".*"))
