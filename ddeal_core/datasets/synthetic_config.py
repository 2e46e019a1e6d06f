"""Every switch of the synthetic-clip engine."""

from dataclasses import dataclass, field
from typing import Annotated

from ddeal_core.datasets.degradation import Amount, DegradationConfig
from ddeal_core.settings import ASCENDING, Range, Share, check_settings

Span = Annotated[tuple[Amount, Amount], ASCENDING]
Size = Annotated[float, Range(0, 0.9, above=True)]


@dataclass(frozen=True)
class SyntheticConfig:
    """How synthetic clips are made.

    Ranges are drawn log-uniformly once an object or clip, so that near-still clips and very
    fast ones both occur; a range whose upper end is 0 switches its motion off. A unit of time
    is one ordinary frame distance. Probabilities are shares of clips, or of objects where it
    says so; 0 switches the effect off.
    """

    # Clips made of one whole still: its own objects move within their own surroundings, so that
    # there is no pasting to be recognised.
    scene_probability: Share = 0.35
    # Of these, the ones in which image and mask are bent by one continuous field; in the others the
    # objects are lifted off, what was behind them is filled in and they move freely.
    warp_probability: Share = 0.5
    # Clips of video with masks, where there is some, whose own objects are labelled; more objects
    # are pasted on it, before them or behind.
    footage_probability: Share = 0.35
    # Objects pasted on it that are from video with masks, too.
    footage_moving_probability: Share = 0.6
    # Of these clips, the ones with another object of the same sequence: at another time, perhaps
    # mirrored, labelled or not.
    lookalike_probability: Share = 0.3
    behind_probability: Share = 0.4  # objects pasted on it that its own objects hide
    # Video with masks is played at a whole multiple of its pace, up to this one.
    max_stride: Annotated[int, Range(1, 1000)] = 3
    max_objects: Annotated[int, Range(1, 20)] = 5  # most labelled objects; the paper pastes 1 to 5
    single_probability: Share = 0.4  # clips with one labelled object only
    # Size of a pasted object as a share of the frame.
    area: Annotated[tuple[Size, Size], ASCENDING] = (0.008, 0.25)
    # Pasted objects from images with alpha, where both kinds are there.
    cutout_probability: Share = 0.12
    turntable_probability: Share = 0.1  # pasted objects that are seen from all round, and turn
    # Pasted objects from video with masks, which bring their own motion.
    moving_probability: Share = 0.2
    procedural_probability: Share = 0.08  # pasted objects with made-up shape and texture
    # Pasted clips with a video as their background, where there is one.
    video_probability: Share = 0.4
    # Pasted clips without a video whose background is a whole still with its objects left in
    # (look-alikes, clutter).
    still_background_probability: Share = 0.4
    procedural_background_probability: Share = 0.06  # pasted clips on a made-up background
    # Softness of a cut-out's edge, standard deviation in pixels of its still: no seam of always the
    # same kind is there to be learnt.
    feather: Span = (0.5, 1.1)
    # Cut-outs of some size that lose a pixel all round first, for masks that are drawn too wide.
    erode_probability: Share = 0.5
    speed: Span = (0.001, 0.15)  # pace of an object, frame widths a unit of time
    rotation: Span = (0.1, 12.0)  # turn of an object, degrees a unit of time
    turn: Span = (0.03, 1.0)  # turn of a thing that is seen from all round, sides a unit of time
    zoom: Span = (0.001, 0.08)  # change of an object's size, logarithm a unit of time
    stretch: Amount = 0.12  # shear and change of aspect of objects, standard deviation
    # Deformation of objects by control points, standard deviation as a share of their size.
    bend: Amount = 0.06
    hinge_probability: Share = 0.4  # objects of which a part swings about a joint
    swing: Amount = 20.0  # standard deviation of that swing, degrees
    camera_probability: Share = 0.75  # clips with a moving camera
    camera_speed: Span = (0.001, 0.06)  # its pace, frame widths a unit of time
    camera_rotation: Span = (0.02, 2.0)  # its turn, degrees a unit of time
    camera_zoom: Span = (0.0005, 0.03)  # its zoom, logarithm a unit of time
    # Deformation of the background, standard deviation as a share of its size.
    parallax: Amount = 0.015
    # Clips with dropped frames: steps of 1 to ``max_skip`` units of time.
    skip_probability: Share = 0.25
    max_skip: Annotated[int, Range(1, 1000)] = 4  # longest step
    leave_probability: Share = 0.08  # objects that leave the frame, and mostly come back
    distractor_probability: Share = 0.25  # clips with an unlabelled copy of a labelled object
    occluder_probability: Share = 0.35  # clips with other unlabelled objects
    harmonise_probability: Share = 0.35  # objects whose colours are drawn towards the background's
    object_light_probability: Share = 0.4  # objects whose brightness changes on their own
    object_light: Amount = 0.12  # standard deviation of that change
    blur_probability: Share = 0.4  # clips with motion blur
    shutter: Share = 0.7  # longest exposure as a share of the frame distance
    # Least visible size of a labelled object in the first frame, share of the frame.
    min_area: Share = 0.002
    min_visible: Share = 0.35  # least share of a labelled object that is visible in the first frame
    # Light, focus, noise and compression of the whole frame.
    degradation: DegradationConfig = field(default_factory=DegradationConfig)

    def __post_init__(self) -> None:
        check_settings(self)
