"""Every switch of the synthetic-clip engine."""

from dataclasses import dataclass, field
from typing import Annotated

from ddeal_core.datasets.degradation import DegradationConfig
from ddeal_core.settings import ASCENDING, Range, Share, check_settings

__all__ = ["SyntheticConfig"]

Amount = Annotated[float, Range(0, 1000)]
Span = Annotated[tuple[Amount, Amount], ASCENDING]
Size = Annotated[float, Range(0, 0.9, above=True)]


@dataclass(frozen=True)
class SyntheticConfig:
    """How synthetic clips are made.

    Ranges are drawn log-uniformly once an object or clip, so that near-still clips and very
    fast ones both occur; a range whose upper end is 0 switches its motion off. A unit of time
    is one ordinary frame distance. Probabilities are shares of clips, or of objects where it
    says so; 0 switches the effect off.

    Attributes:
        scene_probability: Clips made of one whole still: its own objects move within their own
            surroundings, so that there is no pasting to be recognised.
        warp_probability: Of these, the ones in which image and mask are bent by one continuous
            field; in the others the objects are lifted off, what was behind them is filled in
            and they move freely.
        footage_probability: Clips of video with masks, where there is some, whose own objects are
            labelled; more objects are pasted on it, before them or behind.
        footage_moving_probability: Objects pasted on it that are from video with masks, too.
        lookalike_probability: Of these clips, the ones with another object of the same sequence:
            at another time, perhaps mirrored, labelled or not.
        behind_probability: Objects pasted on it that its own objects hide.
        max_stride: Video with masks is played at a whole multiple of its pace, up to this one.
        max_objects: Most labelled objects; the paper pastes 1 to 5.
        single_probability: Clips with one labelled object only.
        area: Size of a pasted object as a share of the frame.
        cutout_probability: Pasted objects from images with alpha, where both kinds are there.
        turntable_probability: Pasted objects that are seen from all round, and turn.
        moving_probability: Pasted objects from video with masks, which bring their own motion.
        procedural_probability: Pasted objects with made-up shape and texture.
        video_probability: Pasted clips with a video as their background, where there is one.
        still_background_probability: Pasted clips without a video whose background is a whole
            still with its objects left in (look-alikes, clutter).
        procedural_background_probability: Pasted clips on a made-up background.
        feather: Softness of a cut-out's edge, standard deviation in pixels of its still: no seam
            of always the same kind is there to be learnt.
        erode_probability: Cut-outs of some size that lose a pixel all round first, for masks that
            are drawn too wide.
        speed: Pace of an object, frame widths a unit of time.
        rotation: Turn of an object, degrees a unit of time.
        turn: Turn of a thing that is seen from all round, sides a unit of time.
        zoom: Change of an object's size, logarithm a unit of time.
        stretch: Shear and change of aspect of objects, standard deviation.
        bend: Deformation of objects by control points, standard deviation as a share of their
            size.
        hinge_probability: Objects of which a part swings about a joint.
        swing: Standard deviation of that swing, degrees.
        camera_probability: Clips with a moving camera.
        camera_speed: Its pace, frame widths a unit of time.
        camera_rotation: Its turn, degrees a unit of time.
        camera_zoom: Its zoom, logarithm a unit of time.
        parallax: Deformation of the background, standard deviation as a share of its size.
        skip_probability: Clips with dropped frames: steps of 1 to ``max_skip`` units of time.
        max_skip: Longest step.
        leave_probability: Objects that leave the frame, and mostly come back.
        distractor_probability: Clips with an unlabelled copy of a labelled object.
        occluder_probability: Clips with other unlabelled objects.
        harmonise_probability: Objects whose colours are drawn towards the background's.
        object_light_probability: Objects whose brightness changes on their own.
        object_light: Standard deviation of that change.
        blur_probability: Clips with motion blur.
        shutter: Longest exposure as a share of the frame distance.
        min_area: Least visible size of a labelled object in the first frame, share of the frame.
        min_visible: Least share of a labelled object that is visible in the first frame.
        degradation: Light, focus, noise and compression of the whole frame.
    """

    scene_probability: Share = 0.35
    warp_probability: Share = 0.5
    footage_probability: Share = 0.35
    footage_moving_probability: Share = 0.6
    lookalike_probability: Share = 0.3
    behind_probability: Share = 0.4
    max_stride: Annotated[int, Range(1, 1000)] = 3
    max_objects: Annotated[int, Range(1, 20)] = 5
    single_probability: Share = 0.4
    area: Annotated[tuple[Size, Size], ASCENDING] = (0.008, 0.25)
    cutout_probability: Share = 0.12
    turntable_probability: Share = 0.1
    moving_probability: Share = 0.2
    procedural_probability: Share = 0.08
    video_probability: Share = 0.4
    still_background_probability: Share = 0.4
    procedural_background_probability: Share = 0.06
    feather: Span = (0.5, 1.1)
    erode_probability: Share = 0.5
    speed: Span = (0.001, 0.15)
    rotation: Span = (0.1, 12.0)
    turn: Span = (0.03, 1.0)
    zoom: Span = (0.001, 0.08)
    stretch: Amount = 0.12
    bend: Amount = 0.06
    hinge_probability: Share = 0.4
    swing: Amount = 20.0
    camera_probability: Share = 0.75
    camera_speed: Span = (0.001, 0.06)
    camera_rotation: Span = (0.02, 2.0)
    camera_zoom: Span = (0.0005, 0.03)
    parallax: Amount = 0.015
    skip_probability: Share = 0.25
    max_skip: Annotated[int, Range(1, 1000)] = 4
    leave_probability: Share = 0.08
    distractor_probability: Share = 0.25
    occluder_probability: Share = 0.35
    harmonise_probability: Share = 0.35
    object_light_probability: Share = 0.4
    object_light: Amount = 0.12
    blur_probability: Share = 0.4
    shutter: Share = 0.7
    min_area: Share = 0.002
    min_visible: Share = 0.35
    degradation: DegradationConfig = field(default_factory=DegradationConfig)

    def __post_init__(self) -> None:
        check_settings(self)
