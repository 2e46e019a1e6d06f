"""Crops of one object, which the network for first masks learns from."""

import cv2
import numpy as np
from PIL import Image

from ddeal_core.datasets.layouts import DavisLayout
from ddeal_core.datasets.object_crops import ObjectCrops
from ddeal_core.media import write_mask


def test_every_crop_shows_the_object_and_some_a_part_of_it(tmp_path):
    images, masks = (tmp_path / kind / "480p" / "ring" for kind in ("JPEGImages", "Annotations"))
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    ring = np.zeros((120, 160), np.uint8)
    cv2.circle(ring, (80, 60), 50, 1, 3)  # a crop of its middle would show nothing
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(images / "00000.jpg")
    write_mask(masks / "00000.png", ring)
    crops = ObjectCrops([], DavisLayout(tmp_path).sequences(), size=(64, 64), seed=1)
    labels = [crops.clip(index).labels[0] for index in range(60)]
    assert all((label == 1).any() for label in labels)
    rims = [np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]) for label in labels]
    cut = sum(bool((rim == 1).any()) for rim in rims)
    assert 5 < cut < 30
    again = ObjectCrops([], DavisLayout(tmp_path).sequences(), size=(64, 64), seed=1)
    assert np.array_equal(again.clip(7).labels[0], labels[7])
