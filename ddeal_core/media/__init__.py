"""Video and images in, masks and composites out.

`open_source` gives frames, `read_mask` the first mask, `open_writer` takes the results::

    with open_source("clip.mp4") as source, open_writer("cut.mov", source=source) as writer:
        for frame in source:
            writer.write(frame, Cutout(frame.image, labels, alpha))
"""

from ddeal_core.media.background import Background, as_background
from ddeal_core.media.coco_writer import CocoWriter
from ddeal_core.media.colour import ColourTags
from ddeal_core.media.composites import blurred_background, over, overlay, straight_alpha
from ddeal_core.media.cutout import Cutout
from ddeal_core.media.edges import foreground_colours, refine_alpha
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_reader import FrameReader
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.image_source import ImageSource, natural_key, read_image
from ddeal_core.media.live_source import LiveSource
from ddeal_core.media.mask_folder import MaskFolderWriter
from ddeal_core.media.mask_set import mask_files, read_masks
from ddeal_core.media.masks import Mask, read_mask, write_mask
from ddeal_core.media.outputs import open_outputs
from ddeal_core.media.palette import davis_palette
from ddeal_core.media.picture_folders import MatteFolderWriter, RgbaFolderWriter
from ddeal_core.media.result_writer import ResultWriter
from ddeal_core.media.sources import open_source
from ddeal_core.media.video_source import VideoSource
from ddeal_core.media.video_writer import VideoWriter
from ddeal_core.media.writers import Kind, open_writer

__all__ = [
    "Background",
    "CocoWriter",
    "ColourTags",
    "Cutout",
    "Frame",
    "FrameReader",
    "FrameSource",
    "ImageSource",
    "Kind",
    "LiveSource",
    "Mask",
    "MaskFolderWriter",
    "MatteFolderWriter",
    "ResultWriter",
    "RgbaFolderWriter",
    "VideoSource",
    "VideoWriter",
    "as_background",
    "blurred_background",
    "davis_palette",
    "foreground_colours",
    "mask_files",
    "natural_key",
    "open_outputs",
    "open_source",
    "open_writer",
    "over",
    "overlay",
    "read_image",
    "read_mask",
    "read_masks",
    "refine_alpha",
    "straight_alpha",
    "write_mask",
]
