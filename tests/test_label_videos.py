"""The script that makes real clips of videos and hints."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from ddeal_core.datasets.layouts import DavisLayout

ROOT = Path(__file__).parents[1]


def test_clips_of_hints(make_clip, tiny_clip, tmp_path, monkeypatch):
    videos = tmp_path / "videos"
    videos.mkdir()
    make_clip(videos / "square.mp4", list(tiny_clip.frames))
    truth = tiny_clip.masks[4] > 0
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    box = [int(columns[0]) - 3, int(rows[0]) - 3, int(np.ptp(columns)) + 7, int(np.ptp(rows)) + 7]
    labels = {"square": {"frame": 4, "step": 2, "kept": [1, 4], "objects": {"2": {"box": box}}}}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    words = ("label_videos.py", videos, "labels.json", "clips", "--resolution", 160)
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "scripts/label_videos.py"), run_name="__main__")
    (sequence,) = DavisLayout(tmp_path / "clips").sequences("labelled")
    assert [frame.stem for frame in sequence.frames] == ["00000", "00001", "00002"]
    # frames 2, 4 and 6: the second to the fourth of those that were taken
    for stem, index in zip(sorted(sequence.annotations), (2, 4, 6), strict=True):
        found = np.array(Image.open(sequence.annotations[stem]))
        image = np.array(Image.open(sequence.frames[int(stem)])).astype(int)
        assert set(np.unique(found)) <= {0, 2}
        assert np.abs(image - tiny_clip.frames[index]).mean() < 12
        known = tiny_clip.masks[index] > 0
        assert ((found == 2) & known).sum() / ((found == 2) | known).sum() > 0.5
