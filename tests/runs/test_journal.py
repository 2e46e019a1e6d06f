"""Runs that are broken off and go on: the bytes of an unbroken run, whatever happened."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ddeal_core
from ddeal_core import Segmenter
from ddeal_core.errors import InputError, OutputError, StoppedError
from ddeal_core.media import open_outputs, open_source, verify
from ddeal_core.media.sources.array_source import ArraySource
from ddeal_core.runs import cut_out
from ddeal_core.runs import journal as journal_module
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.runs.unfinished import all_whole, open_journal, unfinished_folder
from ddeal_core.tracking import Tracker
from ddeal_core.tracking.tracker_state import pack, unpack

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = ("masks", "mattes=mattes", "rgba=rgba", "cut.mov", "cut.webm", "over.mp4", "all.json")


@pytest.fixture
def segmenter(make_network):
    return Segmenter(make_network("compact"), resolution=64)


@pytest.fixture(autouse=True)
def _states_after_every_frame(monkeypatch):
    monkeypatch.setattr(journal_module, "_LEAST_PAUSE", 0.0)
    monkeypatch.setattr(journal_module, "_SHARE", 0)


@pytest.fixture
def masks(tiny_clip):
    """One object from frame 1 on, two more on frame 4; one of them corrected on frame 6."""
    later = np.zeros((96, 128), np.uint8)
    later[60:90, 90:120] = 38
    later[5:20, 90:120] = 7
    corrected = np.zeros((96, 128), np.uint8)
    corrected[50:80, 80:125] = 38
    return {1: tiny_clip.masks[1], 4: later, 6: corrected}


def outputs(folder, source, words=WORDS):
    folder.mkdir(exist_ok=True)
    named = [w.replace("=", f"={folder}/") if "=" in w else folder / w for w in words]
    return open_outputs(named, source=source, overwrite=True)


def checksums(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files
    }


def run(segmenter, clip, masks, folder, *, words=WORDS, frames=None, **options):
    """Run to the end, or break off after so many frames; how many were taken up."""
    with open_source(clip.video) as source:
        writers = outputs(folder, source, words)
        journal = open_journal(segmenter, source, masks, writers, **options)
        done = journal.done
        with closing(segment_video(segmenter, source, masks, writers, journal=journal)) as steps:
            for step in steps:
                assert step.restored is (step.done <= done)
                if step.done == frames:
                    break
        return done


@pytest.mark.parametrize("look_ahead", [1, 3])
@pytest.mark.parametrize("preset", ["compact", "paper-resnet50"])
def test_broken_off_twice_it_ends_with_the_bytes_of_an_unbroken_run(
    make_network, tiny_clip, masks, tmp_path, look_ahead, preset
):
    segmenter = Segmenter(make_network(preset), resolution=64, look_ahead=look_ahead)
    words = WORDS if preset == "compact" and look_ahead == 1 else ("mattes=mattes", "cut.mov")
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
        for index, frame in enumerate(tiny_clip.frames[:4]):
            tracker.step(frame, tiny_clip.masks[0] if index == 0 else None)
        state, notes = unpack(pack(tracker.snapshot(), offset=7), torch.device("cpu"))
        assert notes == {"offset": 7}
        assert pack(state, offset=7) == pack(tracker.snapshot(), offset=7)
        other = Tracker(make_network(preset))
        other.restore(state)
        for frame in tiny_clip.frames[4:]:
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
        **{name: getattr(tracker.state.memory, name)[..., :0] for name in ("keys", "weights")},
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


def test_an_unfinished_run_is_not_lost_by_accident(segmenter, tiny_clip, masks, tmp_path):
    words = ("cut.mov",)
    run(segmenter, tiny_clip, masks, tmp_path, words=words, frames=4)
    before = checksums(tmp_path)
    with pytest.raises(InputError, match=r"--resume to go on"):
        run(segmenter, tiny_clip, masks, tmp_path, words=words)
    other = Segmenter(segmenter._network, resolution=80)
    with pytest.raises(InputError, match=r"resolution was 64 and is 80 now"):
        run(other, tiny_clip, masks, tmp_path, words=words, resume=True)
    fewer = {1: masks[1]}
    with pytest.raises(InputError, match=r"masks\.4 was .* and is nothing now"):
        run(segmenter, tiny_clip, fewer, tmp_path, words=words, resume=True)
    with pytest.raises(InputError, match=r"outputs was 1 entries and is 2 entries now"):
        run(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov", "cut.webm"), resume=True)
    assert checksums(tmp_path) == before
    assert run(segmenter, tiny_clip, masks, tmp_path, words=words, overwrite=True) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"cut.mov", "cut.mov.manifest.json"}


def test_another_video_is_not_gone_on_with(segmenter, tiny_clip, masks, make_clip, tmp_path):
    words = ("cut.mov",)
    run(segmenter, tiny_clip, masks, tmp_path / "out", words=words, frames=4)
    make_clip(tmp_path / tiny_clip.video.name, list(tiny_clip.frames), options={"crf": "14"})
    with open_source(tmp_path / tiny_clip.video.name) as source:
        writers = outputs(tmp_path / "out", source, words)
        with pytest.raises(InputError, match=r"its input\.bytes was"):
            open_journal(segmenter, source, masks, writers, resume=True)


def test_on_another_processor_it_is_not_gone_on_with(
    segmenter, tiny_clip, masks, tmp_path, monkeypatch
):
    words = ("cut.mov",)
    run(segmenter, tiny_clip, masks, tmp_path, words=words, frames=4)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "ANOTHER")
    with pytest.raises(InputError, match=r"machine\.processor was .* and is ANOTHER now"):
        run(segmenter, tiny_clip, masks, tmp_path, words=words, resume=True)


def test_one_process_at_a_time(segmenter, tiny_clip, masks, tmp_path):
    with open_source(tiny_clip.video) as source:
        writers = outputs(tmp_path, source, ("cut.mov",))
        first = open_journal(segmenter, source, masks, writers)
        for option in ({"resume": True}, {"overwrite": True}, {}):
            with pytest.raises(InputError, match="another process"):
                open_journal(segmenter, source, masks, writers, **option)
        first.close()
        assert not unfinished_folder(tmp_path / "cut.mov").exists()
        open_journal(segmenter, source, masks, writers).close()


def cut_short(folder, name, size):
    os.truncate(folder / name, size)


def garble(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 255
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: cut_short(folder, "tracker.safetensors", 50),
        lambda folder: cut_short(folder, "results.log", 100),
        lambda folder: (folder / "tracker.safetensors").unlink(),
        lambda folder: (folder / "run.json").write_text("{"),
    ],
)
def test_what_is_damaged_is_begun_anew(segmenter, tiny_clip, masks, tmp_path, damage):
    run(segmenter, tiny_clip, masks, tmp_path / "whole", words=("cut.mov",))
    broken = tmp_path / "broken"
    run(segmenter, tiny_clip, masks, broken, words=("cut.mov",), frames=5)
    damage(broken / ".cut.mov.unfinished")
    assert run(segmenter, tiny_clip, masks, broken, words=("cut.mov",), resume=True) == 0
    assert checksums(broken) == checksums(tmp_path / "whole")


def test_a_frame_that_rotted_is_an_error_and_no_wrong_result(segmenter, tiny_clip, masks, tmp_path):
    run(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov",), frames=5)
    garble(tmp_path / ".cut.mov.unfinished", "results.log")
    with pytest.raises(OutputError, match="is damaged: start afresh with --overwrite"):
        run(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov",), resume=True)
    assert not (tmp_path / "cut.mov").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights, and there are no such pipes")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "link"),
        ("lock", "link"),
        ("run.json", "pipe"),
        ("results.log", "link"),
        ("results.log", "hard link"),
        ("tracker.safetensors", "pipe"),
    ],
)
def test_nothing_elsewhere_is_changed(segmenter, tiny_clip, masks, tmp_path, name, kind):
    run(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov",), frames=5)
    place = tmp_path / ".cut.mov.unfinished"
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
        run(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov",), resume=True)
    assert (checksums(victim) if victim.is_dir() else victim.read_bytes()) == before


def planted(segmenter, tiny_clip, masks, folder, change):
    """A run that was broken off, whose state a stranger has changed."""
    run(segmenter, tiny_clip, masks, folder, words=("cut.mov",), frames=5)
    path = folder / ".cut.mov.unfinished" / "tracker.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    record = json.loads(header["__metadata__"]["state"])
    change(record)
    header["__metadata__"]["state"] = json.dumps(record)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["notes"].update(done=-5),
        lambda record: record["notes"].update(done=10**30),
        lambda record: record["notes"].update(offset=10**30),
        lambda record: record.update(object_ids=[300, 301, 302]),
        lambda record: record.update(object_ids=[1, 2, 3, 4, 5, 6]),
    ],
)
def test_absurd_states_are_begun_anew(segmenter, tiny_clip, masks, tmp_path, change):
    run(segmenter, tiny_clip, masks, tmp_path / "whole", words=("cut.mov",))
    planted(segmenter, tiny_clip, masks, tmp_path / "broken", change)
    assert (
        run(segmenter, tiny_clip, masks, tmp_path / "broken", words=("cut.mov",), resume=True) == 0
    )
    assert checksums(tmp_path / "broken") == checksums(tmp_path / "whole")


def test_a_state_that_no_tracker_had_is_one_error(segmenter, tiny_clip, masks, tmp_path):
    change = lambda record: record["objects"]["fields"].update(age="old")  # noqa: E731
    planted(segmenter, tiny_clip, masks, tmp_path, change)
    with pytest.raises(OutputError, match="is damaged: start afresh with --overwrite"):
        run(segmenter, tiny_clip, masks, tmp_path, words=("cut.mov",), resume=True)


def test_what_is_packed_is_not_unpacked_beyond_its_size():
    bomb = zlib.compress(bytes(1 << 26))
    facts = {"ids": [1], "index": 0, "shape": [1, 2, 2], "given": []}
    head = json.dumps(facts | {"packed": len(bomb), "size": [3, 5]}).encode()
    kept = journal_module._decoded(len(head).to_bytes(4, "little") + head + bomb + bomb)
    assert kept.steps.shape == (1, 2, 2)
    assert kept.labels.shape == (3, 5)


def test_kept_labels_are_those_of_objects():
    maps, labels = zlib.compress(bytes(8)), zlib.compress(bytes([0, 1, 2, 0]))
    facts = {"ids": [1], "index": 0, "shape": [1, 2, 2], "given": []}
    head = json.dumps(facts | {"packed": len(maps), "size": [2, 2]}).encode()
    with pytest.raises(ValueError, match="no object's"):
        journal_module._decoded(len(head).to_bytes(4, "little") + head + maps + labels)


def test_records_behind_the_last_state_are_found_again(segmenter, tiny_clip, masks, tmp_path):
    run(segmenter, tiny_clip, masks, tmp_path / "whole", words=("cut.mov",))
    broken = tmp_path / "broken"
    run(segmenter, tiny_clip, masks, broken, words=("cut.mov",), frames=5)
    with (broken / ".cut.mov.unfinished/results.log").open("ab") as file:
        file.write(b"\x40\0\0\0half a record")
    assert run(segmenter, tiny_clip, masks, broken, words=("cut.mov",), resume=True) >= 4
    assert checksums(broken) == checksums(tmp_path / "whole")


def test_stopped_on_request_all_frames_in_hand_are_kept(segmenter, tiny_clip, masks, tmp_path):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == 5

    with open_source(tiny_clip.video) as source:
        writers = outputs(tmp_path, source, ("masks", "cut.mov"))
        journal = open_journal(segmenter, source, masks, writers)
        steps = segment_video(segmenter, source, masks, writers, journal=journal, stop=stop)
        with pytest.raises(StoppedError):
            list(steps)
    assert journal.done == 5
    assert not list(tmp_path.glob("*cut.mov*"))
    assert len(list((tmp_path / "masks").glob("*.png"))) == 5
    assert not (tmp_path / "masks" / "manifest.json").exists()
    assert run(segmenter, tiny_clip, masks, tmp_path, words=("masks", "cut.mov"), resume=True) == 5


def test_a_full_disk_keeps_what_was_found(segmenter, tiny_clip, masks, tmp_path, full_disk):
    run(segmenter, tiny_clip, masks, tmp_path / "whole", words=("cut.mov", "masks"))
    broken = tmp_path / "broken"
    with full_disk(90_000), pytest.raises(OutputError, match=r"cut\.mov|unfinished"):
        run(segmenter, tiny_clip, masks, broken, words=("cut.mov", "masks"))
    assert not (broken / "cut.mov").exists()
    again = run(segmenter, tiny_clip, masks, broken, words=("cut.mov", "masks"), resume=True)
    assert again >= 1
    assert checksums(broken) == checksums(tmp_path / "whole")


@pytest.mark.skipif(os.name == "nt", reason="open folders cannot be moved there")
def test_a_folder_that_vanishes_is_one_error(segmenter, tiny_clip, masks, tmp_path):
    with open_source(tiny_clip.video) as source:
        writers = outputs(tmp_path / "out", source, ("cut.mov",))
        journal = open_journal(segmenter, source, masks, writers)
        steps = segment_video(segmenter, source, masks, writers, journal=journal)
        next(steps)
        (tmp_path / "out").rename(tmp_path / "moved")
        with pytest.raises(OutputError, match=r"out"):
            list(steps)
    assert not (tmp_path / "out").exists()


def test_whole_outputs_are_known(segmenter, tiny_clip, masks, tmp_path):
    run(segmenter, tiny_clip, masks, tmp_path, words=("masks", "cut.mov"))
    with open_source(tiny_clip.video) as source:
        writers = outputs(tmp_path, source, ("masks", "cut.mov"))
        assert all_whole(segmenter, source, masks, writers)
        assert not all_whole(segmenter, source, {1: masks[1]}, writers)
        (tmp_path / "masks/00003.png").unlink()
        assert not all_whole(segmenter, source, masks, writers)


def test_a_live_source_is_not_resumed(segmenter, tiny_clip, tmp_path):
    class Live(ArraySource):
        is_live = True

    source = Live(np.stack(tiny_clip.frames))
    writers = outputs(tmp_path, source, ("cut.mov",))
    with pytest.raises(InputError, match="once only"):
        open_journal(segmenter, source, tiny_clip.masks[0], writers, resume=True)
    assert open_journal(segmenter, source, tiny_clip.masks[0], writers) is None


def test_a_run_backwards_is_not_resumed_and_says_so(segmenter, tiny_clip, masks, tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/00000.png").touch()
    with open_source(tiny_clip.video) as source:
        writers = outputs(tmp_path, source, ("masks",))
        with pytest.raises(InputError, match="backwards: such a run cannot be resumed"):
            open_journal(segmenter, source, masks, writers, direction="both", resume=True)


def test_where_no_journal_can_be_kept_it_runs_without(
    segmenter, tiny_clip, masks, tmp_path, caplog
):
    (tmp_path / ".cut.mov.unfinished").write_text("in the way")
    with open_source(tiny_clip.video) as source:
        writers = outputs(tmp_path, source, ("cut.mov",))
        assert open_journal(segmenter, source, masks, writers) is None
    assert "could not be resumed" in caplog.text


PROGRAM = """
import sys, torch
from ddeal_core import Segmenter, cut_out
from ddeal_core.runs import journal
torch.set_num_threads(1)
journal._LEAST_PAUSE, journal._SHARE = 0.0, 0
weights, video, mask, folder, *resume = sys.argv[1:]
segmenter = Segmenter.load(weights, device="cpu")
def tell(step):
    print(step.done, flush=True)
cut_out(video, mask, [folder + "/masks", folder + "/cut.mov", folder + "/all.json"],
        segmenter=segmenter, resume=bool(resume), on_frame=tell)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_killed_at_any_moment(make_network, make_clip, tiny_clip, tmp_path):
    """Real processes, killed after a random frame and a random part of the next one."""
    from ddeal_core.media import write_mask
    from ddeal_core.weights import Checkpoint, save_checkpoint

    network = make_network("compact")
    weights, video, mask = (tmp_path / n for n in ("w.safetensors", "clip.mp4", "first.png"))
    save_checkpoint(Checkpoint(network.config, network.state_dict()), weights)
    make_clip(video, list(tiny_clip.frames) * 8)  # long enough not to end before it is killed
    write_mask(mask, tiny_clip.masks[0])

    def start(folder, *words):
        root = str(Path(ddeal_core.__file__).parents[1])
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, weights, video, mask, str(tmp_path / folder), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        )

    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    cut_out(
        video,
        mask,
        [tmp_path / "whole" / name for name in ("masks", "cut.mov", "all.json")],
        segmenter=Segmenter.load(weights, device="cpu"),
    )
    chance = random.Random(11)
    killed = 0
    for last in (chance.randint(2, 11), chance.randint(12, 22)):
        process = start("broken", "resume")
        for line in process.stdout:
            if int(line) >= last:
                break
        process.send_signal(signal.SIGKILL)
        _, complaint = process.communicate()
        assert not complaint
        killed += process.returncode == -signal.SIGKILL
        if (tmp_path / "broken/cut.mov").exists():  # killed at the very end: its manifest may lack
            whole = (tmp_path / "whole/cut.mov").read_bytes()
            assert (tmp_path / "broken/cut.mov").read_bytes() == whole
    assert killed
    cut_out(
        video,
        mask,
        [tmp_path / "broken" / name for name in ("masks", "cut.mov", "all.json")],
        segmenter=Segmenter.load(weights, device="cpu"),
        resume=True,
    )
    assert checksums(tmp_path / "broken") == checksums(tmp_path / "whole")


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_killed_between_an_output_and_its_manifest(make_network, make_clip, tiny_clip, tmp_path):
    from ddeal_core.media import write_mask
    from ddeal_core.weights import Checkpoint, save_checkpoint

    network = make_network("compact")
    weights, video, mask = (tmp_path / n for n in ("w.safetensors", "clip.mp4", "first.png"))
    save_checkpoint(Checkpoint(network.config, network.state_dict()), weights)
    make_clip(video, list(tiny_clip.frames))
    write_mask(mask, tiny_clip.masks[0])
    names = ("masks", "cut.mov", "all.json")

    def cut(folder, **options):
        segmenter = Segmenter.load(weights, device="cpu")
        (tmp_path / folder).mkdir(exist_ok=True)
        outputs = [tmp_path / folder / name for name in names]
        cut_out(video, mask, outputs, segmenter=segmenter, **options)

    cut("whole")
    (tmp_path / "broken").mkdir()
    dying = """
import os, signal
from ddeal_core.runs.run_record import RunRecord
describe = RunRecord.describe
def die(self, writer):
    if writer.path.name == "cut.mov":
        os.kill(os.getpid(), signal.SIGKILL)
    describe(self, writer)
RunRecord.describe = die
"""
    root = str(Path(ddeal_core.__file__).parents[1])
    command = [sys.executable, "-c", dying + PROGRAM, weights, video, mask, tmp_path / "broken", ""]
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (tmp_path / "broken/cut.mov").is_file()
    assert not verify(tmp_path / "broken/cut.mov").whole
    (tmp_path / "broken/all.json").write_text("somebody's")
    with pytest.raises(InputError, match=r"all\.json exists"):
        cut("broken", resume=True)
    (tmp_path / "broken/all.json").unlink()
    cut("broken", resume=True)
    assert checksums(tmp_path / "broken") == checksums(tmp_path / "whole")
