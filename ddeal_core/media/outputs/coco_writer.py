"""Masks of a whole video in one COCO JSON file."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from ddeal_core.errors import OutputError
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import ResultWriter, check_size, output_error
from ddeal_core.media.outputs.run_lengths import pack_counts, run_lengths
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.whole_files import part_of

__all__ = ["CocoWriter"]


class CocoWriter(ResultWriter):
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
        if path.is_dir():
            raise OutputError(f"{path} is a folder; a JSON file cannot have its name")
        self._partial = part_of(path)
        self._video = source.path.name
        self._file: IO[str] | None = None
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
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._partial.open("w", encoding="ascii", newline="\n")
                self._file.write('{"annotations":[')
            image_id = frame.index + 1
            record: dict[str, object] = {
                "id": image_id,
                "width": width,
                "height": height,
                "file_name": frame.name,
                "frame": frame.index,
            }
            if frame.time is not None:
                record["time"] = round(float(frame.time), 6)
            self._images.append(_text(record))
            self._object_ids.update(cutout.object_ids)
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
                self._file.write(("," if self._count > 1 else "") + "\n" + _text(record))
        except OSError as error:
            raise output_error(self.path, error) from None

    def finish(self) -> None:
        """Complete the file and give it its name."""
        if self._file is None:
            raise OutputError(f"no frame came, so {self.path} was not written")
        categories = [
            _text({"id": i, "name": f"object {i}", "supercategory": "object"})
            for i in sorted(self._object_ids)
        ]
        rest = {"images": self._images, "categories": categories}
        try:
            self._file.write("\n]")
            for name, records in rest.items():
                self._file.write(f',\n"{name}":[\n' + ",\n".join(records) + "\n]")
            self._file.write(f',\n"info":{_text({"description": self._video})}}}\n')
            self._file.close()
            self._file = None
            self._publish(self._partial)
        except OSError as error:
            raise output_error(self.path, error) from None

    def abandon(self) -> None:
        """Remove the unfinished file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        with contextlib.suppress(OSError):
            self._partial.unlink()


def _text(record: dict[str, object]) -> str:
    return json.dumps(record, separators=(",", ":"))
