"""Video and images in, masks and composites out.

`open_source` gives frames, `read_mask` the first mask, `open_writer` takes the results::

    with open_source("clip.mp4") as source, open_writer("cut.mov", source=source) as writer:
        for frame in source:
            writer.write(frame, Cutout(frame.image, labels, alpha))
"""

from ddeal_core.media.colour import ColourTags
from ddeal_core.media.file_kinds import natural_key
from ddeal_core.media.frame import Frame
from ddeal_core.media.masks.mask_images import Mask, read_mask, write_mask
from ddeal_core.media.masks.mask_set import mask_files, read_masks
from ddeal_core.media.masks.palette import davis_palette
from ddeal_core.media.matting.background import Background, as_background
from ddeal_core.media.matting.composites import blurred_background, over, overlay, straight_alpha
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.matting.edges import foreground_colours, refine_alpha
from ddeal_core.media.outputs.coco_writer import CocoWriter
from ddeal_core.media.outputs.look import OutputLook
from ddeal_core.media.outputs.manifest import (
    Manifest,
    Verdict,
    is_complete,
    manifest_path,
    outputs_at,
    read_manifest,
    verify,
)
from ddeal_core.media.outputs.opening import open_outputs
from ddeal_core.media.outputs.picture_folders import (
    MaskFolderWriter,
    MatteFolderWriter,
    RgbaFolderWriter,
    write_picture,
)
from ddeal_core.media.outputs.result_writer import ResultWriter
from ddeal_core.media.outputs.video_writer import VideoWriter
from ddeal_core.media.outputs.writers import open_writer
from ddeal_core.media.pixel_limit import max_pixels, set_max_pixels
from ddeal_core.media.sources.damage import DamageRecord
from ddeal_core.media.sources.frame_reader import FrameReader
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.media.sources.image_source import ImageSource, read_image
from ddeal_core.media.sources.live_source import LiveSource
from ddeal_core.media.sources.opening import open_source
from ddeal_core.media.sources.video_source import VideoSource

__all__ = [
    "Background",
    "CocoWriter",
    "ColourTags",
    "Cutout",
    "DamageRecord",
    "Frame",
    "FrameReader",
    "FrameSource",
    "ImageSource",
    "LiveSource",
    "Manifest",
    "Mask",
    "MaskFolderWriter",
    "MatteFolderWriter",
    "OutputLook",
    "ResultWriter",
    "RgbaFolderWriter",
    "Verdict",
    "VideoSource",
    "VideoWriter",
    "as_background",
    "blurred_background",
    "davis_palette",
    "foreground_colours",
    "is_complete",
    "manifest_path",
    "mask_files",
    "max_pixels",
    "natural_key",
    "open_outputs",
    "open_source",
    "open_writer",
    "outputs_at",
    "over",
    "overlay",
    "read_image",
    "read_manifest",
    "read_mask",
    "read_masks",
    "refine_alpha",
    "set_max_pixels",
    "straight_alpha",
    "verify",
    "write_mask",
    "write_picture",
]
