import logging

import av
import numpy as np
import pytest
import torch
from PIL import Image

from ddeal_core.errors import InputError, MaskError, OutputError
from ddeal_core.media import davis_palette, open_source, open_writer, read_mask, write_mask
from ddeal_core.runs import cut_out
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.tracking import Segmenter


@pytest.fixture
def segment(ddeal, tiny_clip, tiny_weights):
    """`segment(*words)`: the tiny clip with the tiny weights, first mask given."""

    def call(*words, video=tiny_clip.video, mask=tiny_clip.first_mask):
        given = [] if mask is None else ["--mask", mask]
        return ddeal("segment", video, *given, "--weights", tiny_weights, "--device", "cpu", *words)

    return call


def labels_in(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_default_output_is_a_folder_of_palette_masks(segment, tiny_clip, tmp_path):
    run = segment()
    assert run.status == 0, run.err
    folder = tmp_path / "square_masks"
    pictures = sorted(folder.glob("*.png"))
    assert [p.name for p in pictures] == [f"{i:05d}.png" for i in range(8)]
    assert {p.name for p in folder.iterdir()} - {p.name for p in pictures} == {"manifest.json"}
    for path in pictures:
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("P", (128, 96))
            assert image.getpalette() == davis_palette().ravel().tolist()
    assert np.array_equal(labels_in(folder)[0], tiny_clip.masks[0])
    assert run.out == ""
    assert "wrote square_masks" in run.err


def test_several_outputs_of_one_pass_and_json(segment, tmp_path):
    names = ["masks", "cut.mov", "cut.webm", "over.mp4"]
    run = segment(
        "--json",
        "--steady",
        "--feather",
        "2",
        *(word for name in names for word in ("-o", tmp_path / name)),
    )
    assert run.status == 0, run.err
    assert run.json["outputs"] == [str(tmp_path / name) for name in names]
    assert run.json["frames"] == 8
    assert (run.json["width"], run.json["height"]) == (128, 96)
    assert run.json["objects"] == [1]
    for stretch in run.json["doubts"]:
        assert 0 < stretch["first"] <= stretch["worst"] <= stretch["last"] < 8
    assert ("look at frame" in run.err) == bool(run.json["doubts"])
    assert run.json["frames_per_second"] > 0
    assert len(labels_in(tmp_path / "masks")) == 8
    for name, codec in (("cut.mov", "prores"), ("cut.webm", "vp9"), ("over.mp4", "h264")):
        with av.open(tmp_path / name) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name in (codec, f"libvpx-{codec}")
            assert (stream.width, stream.height) == (128, 96)
            assert sum(1 for _ in container.decode(stream)) == 8


def test_green_is_for_what_holds_no_alpha(segment, tmp_path):
    run = segment("--green", "-o", tmp_path / "green.mp4", "-o", tmp_path / "cut.mov")
    assert run.status == 0, run.err
    with av.open(tmp_path / "green.mp4") as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    red, green, blue = frame[-4:, :8].reshape(-1, 3).mean(axis=0)
    assert green > 200
    assert max(red, blue) < 60
    with av.open(tmp_path / "cut.mov") as container:
        assert container.streams.video[0].pix_fmt.startswith("yuva")


def test_what_python_cannot_mean_is_refused(tiny_clip, tiny_weights):
    segmenter = Segmenter.load(tiny_weights, device="cpu")

    def call(mask, names="masks", **options):
        return cut_out(tiny_clip.video, {np.int64(7): mask}, names, segmenter=segmenter, **options)

    mask = tiny_clip.masks[7]
    for wrong in (mask * 1.7, mask.astype(np.int64) * 257, mask[..., None], mask * np.nan):
        with pytest.raises(MaskError, match=r"HxW integers|go from 1 to 254"):
            call(wrong)
    with pytest.raises(InputError, match="no output is named"):
        call(mask, [])
    with pytest.raises(TypeError):
        call(mask, start=6.5)
    assert call(mask > 0, start=np.int64(7), background=(1.0, 2.0, 3.0), names="b.mp4") == 1


def test_python_gives_the_bytes_of_the_command(segment, tiny_clip, tiny_weights, tmp_path):
    names = ["masks", "rgba=pictures", "cut.mov", "all.json", "new.mp4"]
    words = [word for name in names for word in ("-o", name)]
    assert segment(*words, "--background", "#2040a0").status == 0
    folder = tmp_path / "python"
    folder.mkdir()
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    done = cut_out(
        tiny_clip.video,
        tiny_clip.first_mask,
        ["rgba=python/pictures", *(folder / name for name in names[2:])],
        segmenter=segmenter,
        background="#2040a0",
    )
    assert done == 8
    with open_source(tiny_clip.video) as source:
        writers = [open_writer(folder / "masks", source=source)]
        steps = list(segment_video(segmenter, source, read_mask(tiny_clip.first_mask), writers))
    assert [step.done for step in steps] == list(range(1, 9))
    assert {step.total for step in steps} == {8}
    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


def test_a_mask_of_another_size_is_enlarged_and_its_shape_warned_of(segment, tmp_path):
    labels = np.zeros((48, 100), np.uint8)
    labels[10:30, 20:60] = 5
    write_mask(tmp_path / "wide.png", labels)
    run = segment(mask="wide.png")
    assert run.status == 0, run.err
    assert "100x48" in run.err
    assert "128x96" in run.err
    assert 5 in labels_in(tmp_path / "square_masks")[0]


def test_objects_are_chosen(segment, tmp_path):
    labels = np.zeros((96, 128), np.uint8)
    labels[10:30, 20:60], labels[50:80, 20:60] = 5, 38
    write_mask(tmp_path / "two.png", labels)
    run = segment("--objects", "38", "--json", mask="two.png")
    assert run.status == 0, run.err
    assert run.json["objects"] == [38]
    run = segment("--objects", "7", "-o", "other", mask="two.png")
    assert run.status == 2
    assert "object 7" in run.complaint


def test_a_folder_keeps_its_names_and_a_pattern_works(segment, tiny_clip, tmp_path):
    assert segment(video=tiny_clip.images).status == 0
    names = [path.name for path in sorted((tmp_path / "images_masks").glob("*.png"))]
    assert names == [path.name for path in sorted(tiny_clip.images.iterdir())]
    run = segment("-o", "some", video=tiny_clip.images / "0000[0-3].png")
    assert run.status == 0, run.err
    assert len(labels_in(tmp_path / "some")) == 4


def test_a_later_mask_counts_frames_of_the_whole_video(segment, tiny_clip, tmp_path):
    later = np.zeros((96, 128), np.uint8)
    later[60:90, 90:120] = 38
    write_mask(tmp_path / "more.png", later)
    start = tmp_path / "start.png"
    write_mask(start, tiny_clip.masks[2])
    run = segment(
        "--mask", "5=more.png", "--start", 2, "--end", 7, "-o", "masks", "--json", mask=start
    )
    assert run.status == 0, run.err
    assert "mask: 1 object: id 1" in run.err
    assert "mask at frame 5: 1 object: id 38" in run.err
    assert run.json["objects"] == [1, 38]
    assert [p.stem for p in sorted((tmp_path / "masks").glob("*.png"))] == [
        f"{i:05d}" for i in range(2, 7)
    ]
    found = dict(zip(range(2, 7), labels_in(tmp_path / "masks"), strict=True))
    assert np.array_equal(found[2], tiny_clip.masks[2])
    assert all(38 not in found[i] for i in range(2, 5))
    assert np.array_equal(found[5] == 38, later == 38)


def test_objects_may_begin_after_the_first_frame(segment, tiny_clip, tmp_path):
    run = segment("--mask", f"3={tiny_clip.first_mask}", "-o", "masks", mask=None)
    assert run.status == 0, run.err
    found = labels_in(tmp_path / "masks")
    assert not any(labels.any() for labels in found[:3])
    assert np.array_equal(found[3], tiny_clip.masks[0])


def test_a_file_with_a_number_and_a_sign_in_its_name_is_a_file(segment, tiny_clip, tmp_path):
    (tmp_path / "5=a.png").write_bytes(tiny_clip.first_mask.read_bytes())
    run = segment("-o", "masks", mask="5=a.png")
    assert run.status == 0, run.err
    assert labels_in(tmp_path / "masks")[0].any()


def test_network_options_reach_the_network(segment, tmp_path):
    def masks_with(*words):
        name = f"m{len(list(tmp_path.iterdir()))}"
        assert segment("-o", name, "--end", 4, *words).status == 0
        return np.stack(labels_in(tmp_path / name))

    plain = masks_with()
    assert (plain != masks_with("--resolution", "native")).any()
    for cue in ("matching", "appearance", "supplementary"):
        assert (plain != masks_with("--without", cue)).any(), cue


def test_frames_ahead_change_nothing_that_one_sees_and_quiet_says_nothing(segment, tmp_path):
    assert segment("-o", tmp_path / "one", "--quiet").err == ""
    assert segment("-o", tmp_path / "ahead", "--look-ahead", 3).status == 0
    for one, ahead in zip(labels_in(tmp_path / "one"), labels_in(tmp_path / "ahead"), strict=True):
        assert (one != ahead).mean() < 1e-3


def test_library_warnings_are_one_line(ddeal, capsys, monkeypatch):
    from ddeal_cli import weights

    def warn(*_):
        logging.getLogger("ddeal_core.media").warning("odd\nfile")
        return {"file": "", "bytes": 0, "parameters": 0, "config": {}, "provenance": {}}

    monkeypatch.setattr(weights, "_record", warn)
    monkeypatch.setattr("ddeal_core.weights.load_checkpoint", lambda _: None)
    run = ddeal("weights", "info", "--json")
    assert run.err == "warning: odd file\n"


class TestRefusals:
    """Each is one line and state 2, and leaves nothing behind."""

    def refused(self, run, *parts):
        assert run.status == 2, run.err
        for part in parts:
            assert str(part) in run.complaint

    def test_missing_mask(self, segment):
        self.refused(segment(mask="no.png"), "no.png")

    def test_missing_weights(self, ddeal, tiny_clip):
        run = ddeal(
            "segment", tiny_clip.video, "--mask", tiny_clip.first_mask, "--weights", "no.st"
        )
        self.refused(run, "no weights at no.st")

    def test_damaged_weights(self, ddeal, tiny_clip, tmp_path):
        (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 100)
        run = ddeal(
            "segment", tiny_clip.video, "--mask", tiny_clip.first_mask, "-w", "bad.safetensors"
        )
        self.refused(run, "bad.safetensors")

    def test_no_video(self, segment, tiny_clip, tmp_path):
        (tmp_path / "text.mp4").write_text("no video")
        self.refused(segment(video="text.mp4"), "text.mp4")
        self.refused(segment(video=tmp_path / "nothing*.jpg"), "nothing*.jpg")

    def test_mask_without_object(self, segment, tmp_path):
        write_mask(tmp_path / "empty.png", np.zeros((96, 128), np.uint8))
        self.refused(segment(mask="empty.png"), "no object")

    def test_bad_ids(self, segment, tmp_path):
        ids = np.zeros((96, 128), np.uint16)
        ids[10:40, 10:40], ids[50:60, 50:60] = 300, 1000
        Image.fromarray(ids).save(tmp_path / "wide.png")
        self.refused(segment(mask="wide.png"), "254")

    @pytest.mark.parametrize("words", [("--start", 4), ("--end", 3), ()])
    def test_mask_for_a_frame_that_is_not_there(self, segment, tiny_clip, tmp_path, words):
        index = 99 if not words else 3
        mask = [] if words == ("--end", 3) else [f"{index}={tiny_clip.first_mask}"]
        mask = mask or [f"3={tiny_clip.first_mask}"]
        run = segment(*words, "--mask", mask[0], "-o", "masks")
        self.refused(run, f"frame {index}")
        assert not (tmp_path / "masks").exists()

    def test_mask_beyond_the_end_of_a_video_that_hides_its_length(
        self, segment, make_clip, tiny_clip, tmp_path
    ):
        video = make_clip(tmp_path / "v.mkv", tiny_clip.frames)
        run = segment("--mask", f"99={tiny_clip.first_mask}", "-o", "over.mp4", video=video)
        self.refused(run, "frame 99", "after frame 7")
        assert not (tmp_path / "over.mp4").exists()

    def test_two_masks_for_one_frame(self, segment, tiny_clip):
        self.refused(segment("--mask", tiny_clip.first_mask), "two masks", "frame 0")

    def test_unknown_ending(self, segment, tmp_path):
        self.refused(segment("-o", "cut.gif"), ".gif")

    def test_existing_outputs(self, segment, tmp_path):
        (tmp_path / "over.mp4").write_text("mine")
        self.refused(segment("-o", "over.mp4"), "over.mp4", "--overwrite")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "99999.png").write_text("mine")
        self.refused(segment("-o", "full"), "full", "--overwrite")
        assert (tmp_path / "over.mp4").read_text() == "mine"
        run = segment("-o", "over.mp4", "-o", "full", "--overwrite")
        assert run.status == 0, run.err
        assert "warning: full also holds 1 PNG files of another run, such as 99999.png" in run.err
        assert (tmp_path / "over.mp4").read_bytes()[4:8] == b"ftyp"

    def test_output_that_is_an_input(self, segment, tiny_clip, tmp_path):
        run = segment("-o", tiny_clip.video, "--overwrite")
        self.refused(run, "input")
        run = segment("-o", tiny_clip.images, "--overwrite", video=tiny_clip.images)
        self.refused(run, "input")
        folder = tmp_path / "given"
        folder.mkdir()
        (folder / "00000.png").write_bytes(tiny_clip.first_mask.read_bytes())
        run = segment("-o", folder, "--overwrite", mask=folder / "00000.png")
        self.refused(run, "holds the mask")

    def test_one_output_twice(self, segment):
        self.refused(segment("-o", "a.mp4", "-o", "./a.mp4"), "twice")

    def test_format_that_does_not_fit(self, segment):
        self.refused(segment("-o", "a.mp4", "--format", "alpha"), "alpha")

    def test_graphs_on_a_cpu(self, segment):
        self.refused(segment("--cuda-graphs"), "NVIDIA GPUs")

    @pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has MPS")
    def test_no_such_device(self, segment):
        self.refused(segment("--device", "mps"), "mps")

    @pytest.mark.parametrize("resolution", ["0", "tiny", "-5", "8"])
    def test_bad_resolution(self, segment, resolution):
        self.refused(segment("--resolution", resolution))

    @pytest.mark.parametrize(
        "words", [("--start", 20), ("--start", 5, "--end", 5), ("--start", -1)]
    )
    def test_empty_range(self, segment, words):
        self.refused(segment(*words))


def test_an_output_that_cannot_be_written_is_named(segment, tmp_path):
    (tmp_path / "file").write_text("no folder")
    run = segment("-o", "over.mp4", "-o", "file/cut.mov")
    assert run.status == 2
    assert "file" in run.complaint
    assert not (tmp_path / "over.mp4").exists()


def test_one_output_that_cannot_be_finished_leaves_the_others(tiny_clip, tiny_weights, tmp_path):
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    with open_source(tiny_clip.video) as source:
        writers = [open_writer(tmp_path / n, source=source) for n in ("cut.mov", "over.mp4")]
        steps = segment_video(segmenter, source, read_mask(tiny_clip.first_mask), writers)
        next(steps)
        (tmp_path / "cut.mov").mkdir()
        with pytest.raises(OutputError, match=r"cut\.mov"):
            list(steps)
    names = {p.name for p in tmp_path.iterdir() if p.is_file()}
    assert names == {"over.mp4", "over.mp4.manifest.json"}


def test_closing_early_abandons_the_outputs(tiny_clip, tiny_weights, tmp_path):
    segmenter = Segmenter.load(tiny_weights, device="cpu")
    with open_source(tiny_clip.video) as source:
        writers = [open_writer(tmp_path / "cut.mov", source=source)]
        steps = segment_video(segmenter, source, read_mask(tiny_clip.first_mask), writers)
        next(steps)
        steps.close()
    assert list(tmp_path.iterdir()) == []
