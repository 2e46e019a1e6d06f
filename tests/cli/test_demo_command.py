import av
import numpy as np
from PIL import Image

from ddeal_cli.sample import VIDEO, sample_labels
from ddeal_core.media import read_mask


def test_demo_writes_clip_masks_and_videos_and_says_where(ddeal, tiny_weights, tmp_path):
    words = ["demo", "--weights", tiny_weights, "--frames", 3, "--device", "cpu"]
    run = ddeal(*words, "--json")
    assert run.status == 0, run.err
    folder = tmp_path / "ddeal-demo"
    names = {"sample.mp4", "first.png", "masks", "overlay.mp4", "cutout.mov"}
    manifests = {f"{name}.manifest.json" for name in ("overlay.mp4", "cutout.mov")}
    assert {path.name for path in folder.iterdir()} == names | manifests
    for name in names:
        assert str(folder / name) in run.err
    assert "frames/s on cpu" in run.err
    assert run.json["frames"] == 3
    assert 0 <= run.json["J-Mean"] <= 1
    assert f"J {run.json['J-Mean']:.3f}" in run.err
    assert np.array_equal(read_mask(folder / "first.png").labels, sample_labels()[0])
    assert (folder / "sample.mp4").read_bytes() == VIDEO.read_bytes()
    assert len(list((folder / "masks").glob("*.png"))) == 3
    for path in (folder / "masks").glob("*.png"):
        with Image.open(path) as mask:
            assert mask.size == (640, 360)
    with av.open(folder / "cutout.mov") as container:
        assert container.streams.video[0].pix_fmt.startswith("yuva")
    assert ddeal(*words, "--frames", 2, "--quiet").status == 0  # an earlier demo is replaced


def test_demo_leaves_other_folders_alone(ddeal, tiny_weights, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "first.png").write_text("mine")
    run = ddeal("demo", "--weights", tiny_weights, "-o", "mine")
    assert run.status == 2
    assert "first.png" in run.complaint
    assert (tmp_path / "mine" / "first.png").read_text() == "mine"
