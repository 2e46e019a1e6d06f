"""Small whole files of every kind that ddeal reads, for a fuzzer to damage."""

import json
import pickle
import struct
from dataclasses import asdict, fields, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ddeal_cli.material import Material
from ddeal_cli.training_data import DataChoice
from ddeal_core.datasets import SyntheticConfig
from ddeal_core.datasets.packed_index import PackedIndex, PackedPart
from ddeal_core.media import write_mask
from ddeal_core.media.masks.run_lengths import pack_counts
from ddeal_core.media.outputs.manifest import FileRecord, FrameRecord, Manifest
from ddeal_core.network import Ddeal, NetworkConfig, TrackerConfig
from ddeal_core.training import RECIPES
from ddeal_core.training.log import LogRow
from ddeal_core.weights import Checkpoint, save_checkpoint

__all__ = ["TINY", "make_clip", "make_samples", "moving_square"]

TINY = replace(
    NetworkConfig.from_preset("compact"),
    preset="tiny",
    backbone_width=4,
    directional_channels=12,
    propagation_channels=10,
    fusion_channels=(14, 6),
    dense_channels=8,
    tracker=TrackerConfig(reach=0.1),
)
"""The default network with as few channels as it works with."""

_LOG_ROWS = ("0,stills,1.5,0.001,0.7,0.4,0.1,nan,nan", "1,stills,3.0,0.001,0.6,0.5,0.1,0.3,0.2")
_RUNS = (100, 20, 12, 20, 1384)

_VIDEOS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "h264.mkv": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "h264.ts": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "hevc.mp4": ("libx265", "yuv420p", {"x265-params": "log-level=none:keyint=8"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "g": "8"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"g": "8"}),
    "prores.mov": ("prores_ks", "yuva444p10le", {"profile": "4444"}),
    "mjpeg.mov": ("mjpeg", "yuvj420p", {}),
    "ffv1.mkv": ("ffv1", "yuv420p", {}),
    "moving.gif": ("gif", "rgb8", {}),
    "moving.png": ("apng", "rgb24", {}),
}


def moving_square(index: int, *, height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """One frame, HxWx3 uint8: a bright square on a gradient."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = 40
    image[..., 1] = np.linspace(30, 90, height, dtype=np.uint8)[:, None]
    image[..., 2] = np.linspace(60, 110, width, dtype=np.uint8)[None]
    side = height // 3
    left = 2 + index % max(1, width - side - 4)
    image[4 : 4 + side, left : left + side] = (230, 200, 20)
    return image


def make_clip(
    path: Path,
    frames: int,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound: bool = False,
    height: int = 32,
    width: int = 48,
) -> Path:
    """Encode a moving square, as MP4 unless the name ends otherwise."""
    file_format = "apng" if codec == "apng" else None
    # Matroska names each file by chance otherwise
    with av.open(path, "w", format=file_format, options={"fflags": "+bitexact"}) as container:
        # x264's macroblock tree does not give the same bytes twice.
        same = {"mbtree": "0"} if codec == "libx264" else {}
        stream: Any = container.add_stream(
            codec, rate=Fraction(24), options={**same, **(options or {})}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        heard: Any = container.add_stream("aac", rate=44100) if sound else None
        for index in range(frames):
            image = moving_square(index, height=height, width=width)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(picture.reformat(format=pix_fmt)))
        if heard is not None:
            tone = (np.sin(np.arange(1024 * 8) * 0.06) * 0.2).astype(np.float32)
            for block in range(8):
                part = np.ascontiguousarray(tone[None, block * 1024 : (block + 1) * 1024])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 44100, block * 1024
                container.mux(heard.encode(frame))
            container.mux(heard.encode(None))
        container.mux(stream.encode(None))
    return path


def make_samples(folder: Path) -> dict[str, list[Path]]:
    """Write all samples; the same on every call.

    Returns:
        Files by kind: "video", "image", "mask", "weights", "pickle", and more of text and JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Path]] = {"video": [], "image": [], "mask": []}
    for name, (codec, pix_fmt, options) in _VIDEOS.items():
        if codec in av.codecs_available:
            path = folder / name
            sound = name in ("h264.mp4", "h264.mkv")
            # x265 writes outside of its memory where pictures are smaller than its blocks
            height, width = (128, 192) if codec == "libx265" else (32, 48)
            make_clip(
                path,
                12,
                codec=codec,
                pix_fmt=pix_fmt,
                options=options,
                sound=sound,
                height=height,
                width=width,
            )
            found["video"].append(path)
    image = Image.fromarray(moving_square(3))
    for name, options in (
        ("a.png", {}),
        ("a.jpg", {"quality": 90}),
        ("a.webp", {}),
        ("a.bmp", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("deflated.tif", {"compression": "tiff_deflate"}),
        ("progressive.jpg", {"progressive": True}),
    ):
        image.save(folder / name, **options)  # type: ignore[arg-type]
        found["image"].append(folder / name)
    labels = np.zeros((32, 48), np.uint8)
    labels[4:14, 5:15], labels[20:30, 25:40] = 1, 38
    write_mask(folder / "mask.png", labels)
    Image.fromarray((labels > 0).astype(np.uint8) * 255).save(folder / "grey.png")
    Image.fromarray((labels > 0).astype(np.uint16) * 65535).save(folder / "deep.png")
    image.putalpha(Image.fromarray((labels > 0).astype(np.uint8) * 255))
    image.save(folder / "alpha.png")
    image.convert("P").save(folder / "mask.gif")
    names = ("mask.png", "grey.png", "deep.png", "alpha.png", "mask.gif")
    found["mask"] = [folder / name for name in names]
    return {**found, **_make_weights(folder), **_make_json(folder)}


def _make_weights(folder: Path) -> dict[str, list[Path]]:
    torch.manual_seed(0)
    network = Ddeal(TINY)
    save_checkpoint(Checkpoint(TINY, network.state_dict(), {"data": ["none"]}), folder / "w")
    (folder / "w").replace(folder / "tiny.safetensors")
    state = {"net": network.state_dict(), "recipe": {}, "epoch": 3, "best": [0.5, None, "x"]}
    torch.save(state, folder / "new.pth")
    _save_as_before(state, folder / "old.pth")
    pickles = [folder / "new.pth", folder / "old.pth"]
    return {"weights": [folder / "tiny.safetensors"], "pickle": pickles}


def _save_as_before(content: object, path: Path) -> None:
    """Write the format of torch before 1.6, whose own writer names storages by their addresses."""
    storages: list[Any] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            if not isinstance(item, torch.storage.TypedStorage):
                return None
            storages.append(item)
            kind = getattr(torch, item._pickle_storage_type())
            return ("storage", kind, f"{len(storages) - 1}", "cpu", item._size(), None)

    with path.open("wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
        pickle.dump(1001, file, 2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, file, 2)
        Pickler(file, 2).dump(content)
        pickle.dump([f"{number}" for number in range(len(storages))], file, 2)
        for item in storages:
            file.write(struct.pack("<q", item._size()))
            file.write(bytes(item._untyped_storage))


def _make_json(folder: Path) -> dict[str, list[Path]]:
    meta = {"videos": {"v": {"objects": {"1": {"category": "cat", "frames": ["00000", "00001"]}}}}}
    packed = pack_counts(_RUNS)
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 48, "height": 32}],
        "annotations": [
            {"id": 1, "image_id": 1, "segmentation": [[4, 4, 14, 4, 14, 14, 4, 14]], "area": 100},
            {
                "id": 2,
                "image_id": 1,
                "segmentation": {"size": [32, 48], "counts": list(_RUNS)},
                "iscrowd": 0,
            },
            {
                "id": 3,
                "image_id": 1,
                "segmentation": {"size": [32, 48], "counts": packed},
            },
        ],
    }
    case = {
        "label": "compact",
        "network": "compact",
        "size": [48, 32],
        "network_size": [48, 32],
        "objects": 1,
        "precision": "float32",
        "device": "cpu",
        "threads": 2,
        "frames": 12,
        "model": {"frames_per_second": 5.5},
        "memory": {"resident": 300_000_000, "device": None},
    }
    contents = {
        "json-meta": meta,
        "json-coco": coco,
        "json-recipe": RECIPES["compact"].to_dict(),
        "json-record": {"schema": "ddeal-bench-1", "kind": "speed", "cases": [case]},
    }
    cut = b"a cut-out"
    (folder / "cut.mov").write_bytes(cut)
    manifest = Manifest(
        is_folder=False,
        settings={"input": {"name": "clip.mp4"}, "start": None},
        versions={"ddeal": "1"},
        time_base="1/24",
        frames=(FrameRecord(0, "00000", 0), FrameRecord(1, "00001", 512)),
        files=(FileRecord("cut.mov", len(cut), sha256(cut).hexdigest()),),
    )
    packed_part = PackedPart("dataset", "DAVIS:train", "sets/DAVIS", items=1, files=0, bytes=0)
    choice = DataChoice((("/data/DAVIS", "train"),), material=Material(stills=("/data/stills",)))
    within = DataChoice((("sets/DAVIS", "train"),), options=("max_objects=2",), digest="00")
    index = PackedIndex((packed_part,), asdict(within), {"short_side": 300})
    contents |= {
        "json-network": TINY.to_dict(),
        "json-engine": asdict(SyntheticConfig()),
        "json-packed": json.loads(index.to_json()),
        "json-choice": asdict(choice),
        "json-session": {"video": "a.mp4", "objects": [{"id": 1, "name": "swan"}]},
        "json-manifest": json.loads(manifest.to_text()),
    }
    found = {}
    for kind, content in contents.items():
        path = folder / f"{kind}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        found[kind] = [path]
    columns = ",".join(field.name for field in fields(LogRow))
    texts = (
        ("text-set", "val.txt", "bear\nswan\n"),
        (
            "text-set",
            "val-2016.txt",
            "# val\n/JPEGImages/480p/bear/0.jpg /Annotations/bear/0.png\n",
        ),
        ("text-log", "log.csv", "\n".join((columns, *_LOG_ROWS, ""))),
    )
    for kind, name, text in texts:
        (folder / name).write_text(text, encoding="utf-8")
        found.setdefault(kind, []).append(folder / name)
    return found
