"""Video and images in, masks and composites out.

`open_source` gives frames, `read_mask` the first mask, `open_writer` takes the results::

    with open_source("clip.mp4") as source, open_writer("cut.mov", source=source) as writer:
        for frame in source:
            writer.write(frame, labels, alpha)
"""

from ddeal_core.media.colour import ColourTags
from ddeal_core.media.composites import green_screen, overlay, straight_alpha
from ddeal_core.media.frame import Frame
from ddeal_core.media.frame_source import FrameSource
from ddeal_core.media.image_source import ImageSource, natural_key, read_image
from ddeal_core.media.mask_folder import MaskFolderWriter
from ddeal_core.media.masks import Mask, read_mask, write_mask
from ddeal_core.media.palette import davis_palette
from ddeal_core.media.result_writer import ResultWriter
from ddeal_core.media.sources import open_source
from ddeal_core.media.video_source import VideoSource
from ddeal_core.media.video_writer import VideoWriter
from ddeal_core.media.writers import open_writer

__all__ = [
    "ColourTags",
    "Frame",
    "FrameSource",
    "ImageSource",
    "Mask",
    "MaskFolderWriter",
    "ResultWriter",
    "VideoSource",
    "VideoWriter",
    "davis_palette",
    "green_screen",
    "natural_key",
    "open_source",
    "open_writer",
    "overlay",
    "read_image",
    "read_mask",
    "straight_alpha",
    "write_mask",
]
