import shutil

import pytest

from ddeal_core.batch import Job, find_videos, plan
from ddeal_core.errors import InputError
from ddeal_core.runs import OutputOptions, VideoRequest


def planned(videos, *, masks=(), outputs=(), **options):
    return plan([VideoRequest(v, masks) for v in videos], OutputOptions(outputs), **options)


def job(video, masks, outputs, **options):
    return Job(VideoRequest(video, masks), OutputOptions(outputs), **options)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two videos in two folders each, two folders of images, and masks; all of them empty."""
    monkeypatch.chdir(tmp_path)
    for name in ("day1/clip2.mp4", "day1/clip10.MOV", "day1/notes.txt", "day2/clip2.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("frames/bear/00000.jpg", "frames/camel/00000.jpg", "frames/.hidden/00000.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "frames/empty").mkdir()
    (tmp_path / "masks/bear").mkdir(parents=True)
    for name in ("clip2.png", "clip10.png", "bear/00000.png"):
        (tmp_path / "masks" / name).touch()
    return tmp_path


def test_one_input_is_one(here):
    assert find_videos(["day1/clip2.mp4"]) == (["day1/clip2.mp4"], False)
    assert find_videos(["frames/bear"]) == (["frames/bear"], False)
    assert find_videos(["frames/bear/*.jpg"]) == (["frames/bear/*.jpg"], False)
    assert find_videos(["-"]) == (["-"], False)
    assert find_videos(["nowhere"]) == (["nowhere"], False)
    assert find_videos(["frames/empty"]) == (["frames/empty"], False)


def test_folders_and_patterns_of_videos_are_many(here):
    # in natural order; other files, hidden and empty folders are passed over
    assert find_videos(["day1"]) == (["day1/clip2.mp4", "day1/clip10.MOV"], True)
    assert find_videos(["day2"]) == (["day2/clip2.mp4"], True)
    assert find_videos(["frames"]) == (["frames/bear", "frames/camel"], True)
    assert find_videos(["day*/*.mp4"]) == (["day1/clip2.mp4", "day2/clip2.mp4"], True)
    both = find_videos(["day2", "frames/bear"])
    assert both == (["day2/clip2.mp4", "frames/bear"], True)


def test_a_folder_that_holds_an_image_is_one_video(here):
    (here / "frames/00000.png").touch()
    assert find_videos(["frames"]) == (["frames"], False)


@pytest.mark.parametrize("words", [["day2", "day1/../day2/clip2.mp4"], ["frames/bear"] * 2])
def test_named_twice(here, words):
    with pytest.raises(InputError, match="named twice"):
        find_videos(words)


def test_live_input_is_alone(here):
    with pytest.raises(InputError, match="- is live"):
        find_videos(["day2", "-"])


def test_fields_of_names(here):
    jobs = planned(
        ["day1/clip10.MOV", "frames/bear"],
        masks=["m/{parent}-{stem}.png", "12=m/{name}.png"],
        outputs=["matte=out/{stem}.mov", "masks", "rgba=pictures"],
    )
    assert jobs == [
        job(
            "day1/clip10.MOV",
            ("m/day1-clip10.png", "12=m/clip10.MOV.png"),
            ("matte=out/clip10.mov", "masks/clip10", "rgba=pictures/clip10"),
        ),
        job(
            "frames/bear",
            ("m/frames-bear.png", "12=m/bear.png"),
            ("matte=out/bear.mov", "masks/bear", "rgba=pictures/bear"),
        ),
    ]


def test_masks_by_rule_and_default_outputs(here):
    shutil.copy("day2/clip2.mp4", "day2/a.b.mp4")
    jobs = planned(["day2/clip2.mp4", "frames/bear", "day2/a.b.mp4"], mask_dir="masks")
    assert jobs[:2] == [
        job("day2/clip2.mp4", ("masks/clip2.png",), ("clip2_masks",)),
        job("frames/bear", ("masks/bear",), ("bear_masks",), by_rule=True),
    ]
    assert jobs[2].outputs.output_names == ("a_b_masks",)
    assert "no mask in masks: name it a.b.png" in str(jobs[2].fault)


def test_two_masks_for_one_video(here):
    (here / "masks/clip2").mkdir()
    jobs = planned(["day2/clip2.mp4", "frames/bear"], mask_dir="masks")
    assert "both masks" in str(jobs[0].fault)
    assert jobs[1].fault is None


@pytest.mark.parametrize(
    ("videos", "options", "message"),
    [
        ("day1", {"masks": ["first.png"]}, "one mask for 2 videos"),
        ("day1", {"masks": ["m/{stam}.png", "{stem}.png"]}, "one mask for 2 videos"),
        ("day1", {"masks": ["{stem}{stam}.png"]}, r"\{stam\} is unknown"),
        ("day1", {}, "give either masks or a folder"),
        ("day1", {"masks": ["{stem}.png"], "mask_dir": "masks"}, "give either masks or a folder"),
        ("day1", {"mask_dir": "nowhere"}, "no folder nowhere"),
        ("frames", {"mask_dir": "day1"}, "no video has a mask; the first: no mask in day1"),
        ("day1", {"mask_dir": "masks", "outputs": ["cut.mov"]}, "one file for several videos"),
        (
            "day1",
            {"mask_dir": "masks", "outputs": ["{parent}"]},
            "clip2.mp4 and .*clip10.MOV would",
        ),
        ("day?/clip2.mp4", {"mask_dir": "masks"}, "would both be written to clip2_masks"),
        ("day2", {"mask_dir": "masks", "outputs": ["day2/{name}"]}, "is the input day2/clip2.mp4"),
        ("day2", {"mask_dir": "masks", "outputs": ["masks/{stem}.png"]}, "is the mask masks/clip2"),
    ],
)
def test_refused_before_anything_starts(here, videos, options, message):
    with pytest.raises(InputError, match=message):
        planned(find_videos([videos])[0], **options)


def test_one_mask_for_the_one_video_of_a_folder(here):
    videos, _ = find_videos(["day2"])
    assert planned(videos, masks=["first.png"], outputs=["cut.mov"]) == [
        job("day2/clip2.mp4", ("first.png",), ("cut.mov",))
    ]
