"""Masks of a whole video in one COCO JSON file."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.masks.run_lengths import pack_counts, run_lengths
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import RecordWriter, check_size
from ddeal_core.media.sources.frame_source import FrameSource


class CocoWriter(RecordWriter):
    """An "image" a frame, an "annotation" for each object in it, its mask as packed run lengths.

    ``category_id`` and ``track_id`` are the object's id; ``image_id`` is the frame's index plus 1,
    and ``images`` give ``frame`` (from 0) and ``time`` in seconds. Objects that are not in a
    frame have no annotation there.

    Args:
        path: The JSON file.
        source: Where the frames come from.
    """

    def __init__(self, path: Path, *, source: FrameSource) -> None:
        super().__init__(path)
        self._video = source.path.name
        self._images: list[str] = []
        self._object_ids: set[int] = set()
        self._count = 0

    @property
    def settings(self) -> Settings:
        """What the file holds."""
        return {"kind": "coco"}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Add the frame's masks; annotations go to the file at once, so memory stays small."""
        check_size(frame, cutout)
        height, width = frame.size
        image_id = frame.index + 1
        image: dict[str, object] = {
            "id": image_id,
            "width": width,
            "height": height,
            "file_name": frame.name,
            "frame": frame.index,
        }
        if frame.time is not None:
            image["time"] = round(float(frame.time), 6)
        self._images.append(_text(image))
        self._object_ids.update(cutout.object_ids)
        text = ""
        for object_id in cutout.object_ids:
            inside = cutout.labels == object_id
            left, top, across, down = cv2.boundingRect(inside.view(np.uint8))
            if not across:
                continue
            self._count += 1
            record = {
                "id": self._count,
                "image_id": image_id,
                "category_id": object_id,
                "track_id": object_id,
                "segmentation": {
                    "size": [height, width],
                    "counts": pack_counts(run_lengths(inside)),
                },
                "area": int(np.count_nonzero(inside)),
                "bbox": [left, top, across, down],
                "iscrowd": 0,
            }
            text += ("," if self._count > 1 else "") + "\n" + _text(record)
        self._put(text.encode("ascii"), head=b'{"annotations":[')

    def _end(self) -> bytes:
        categories = [
            _text({"id": i, "name": f"object {i}", "supercategory": "object"})
            for i in sorted(self._object_ids)
        ]
        text = "\n]"
        for name, records in (("images", self._images), ("categories", categories)):
            text += f',\n"{name}":[\n' + ",\n".join(records) + "\n]"
        return f'{text},\n"info":{_text({"description": self._video})}}}\n'.encode("ascii")


def _text(record: dict[str, object]) -> str:
    return json.dumps(record, separators=(",", ":"))
