"""One configuration of the network, and the presets it comes in."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ddeal_core.errors import ConfigError
from ddeal_core.settings import Name, Range, check_settings, read_settings

BackboneName = Literal["resnet18", "resnet50", "resnet101", "efficientnet-lite0"]
Channels = Annotated[int, Range(1, 4096)]


@dataclass(frozen=True, slots=True)
class Ablation:
    """Which cues the fusion module is given: the check marks of Table V.

    A cue that is off reaches the fusion module as zeros, so that one checkpoint serves all lines.

    Attributes:
        matching: Global directional matching (GDMM), and with it all other matching: dense
            matching at stride 8 and its memory, which the paper does not have.
        base: Base components of the appearance model (BC).
        supplementary: Supplementary components of the appearance model (SC).
    """

    matching: bool = True
    base: bool = True
    supplementary: bool = True

    def __post_init__(self) -> None:
        check_settings(self)
        if self.supplementary and not self.base:
            raise ConfigError(
                "the supplementary components learn from the base components' mistakes: "
                "switch both off, or only the supplementary ones"
            )

    @classmethod
    def table_v(cls, line: int) -> "Ablation":
        """Line 1 to 5 of Table V.

        Raises:
            ConfigError: No such line.
        """
        lines = {
            1: cls(),
            2: cls(base=False, supplementary=False),
            3: cls(matching=False),
            4: cls(supplementary=False),
            5: cls(matching=False, supplementary=False),
        }
        if line not in lines:
            raise ConfigError(f"Table V has lines 1 to 5, not {line}")
        return lines[line]


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """How a tracker runs a network from frame to frame; the network computes with none of it.

    Attributes:
        short_side: Short side in pixels that frames are scaled to by default; None leaves them.
        keep_given_mask: Whether a frame on which an object is given puts out that object's given
            mask; the released code puts out its own prediction on all frames but the first.
        reach: How far an object may move from one frame to the next, as a share of the short
            side: pieces that appear farther away are taken for look-alikes
            (`ddeal_core.tracking.motion_gate`). 0, as in the paper, lets it appear anywhere.
    """

    short_side: Annotated[int, Range(16, 8192)] | None = None
    keep_given_mask: bool = True
    reach: Annotated[float, Range(0, 2)] = 0.0

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that decides the network's shape and arithmetic.

    Attributes:
        preset: Name of the preset this came from; for people, it decides nothing.
        backbone: Which feature extractor.
        backbone_width: Channels of its stem: 64 in the published ResNets, 32 in EfficientNet-Lite0.
        directional_channels: Dimensions of the unit sphere, C of Eq. (1) and p of Eq. (10).
        propagation_channels: Channels of the mask-propagation module. The text gives no number
            for this, the next one and `update_rate`: the paper presets have the released code's.
        fusion_channels: Outputs of the two convolutions of the fusion module; the second one is
            also the width of the up-sampling path.
        context_blocks: Residual blocks of wide kernels between the fusion module and its predictor;
            0, as in the paper, is without them.
        update_rate: Learning rate lambda of Eq. (14).
        concentration: Initial value of the trainable kappa of Eq. (13).
        concentrations: One kappa for all components (the text) or one a class (the released code).
        mask_resize: How a given mask is made smaller, for a scaled frame and to stride 16: its
            nearest pixel, so that it stays 0 or 1 (the text), or the average of the pixels (the
            released code).
        supplementary_features: Features averaged into the supplementary mean directions: unit
            ones (the text) or those before normalisation (the released code).
        residual_posterior: Base posterior of Eq. (16) under the means after the update of Eq. (14)
            (the text) or under the freshly estimated ones (the released code).
        recurrence: Mask that feeds the next frame: the coarse prediction (the text) or the merged
            fine one, average-pooled (the released code at test time).
        dense_channels: Dimensions of the embedding for matching at stride 8 against the first and
            the last frame; 0, as in the paper, is without it.
        dense_shortcut: Whether the embedding at stride 8 is that of stride 16, enlarged, and what
            finer features add to it, rather than a convolution of their sum.
        memory_frames: Most frames between these two that the matching at stride 8 remembers;
            0 is without a memory.
        memory_interval: Frames from one that is remembered to the next, until the memory is full;
            then every second one is forgotten and the interval doubles.
        memory_similarity: Positions at stride 8 whose cosine to one that is stored, of an earlier
            frame or of their own, is at least this are not stored again; that holds for the first
            frame, too (`DenseMatching.novel`, `DenseMatching.distinct`). 1 stores everything.
        ablation: Cues that are switched off.
        tracker: How a tracker runs it; kept with the network because it was trained for that.
    """

    preset: Name
    backbone: BackboneName
    backbone_width: Channels = 64
    directional_channels: Channels = 512
    propagation_channels: Channels = 512
    fusion_channels: tuple[Channels, Channels] = (512, 128)
    context_blocks: Annotated[int, Range(0, 64)] = 0
    update_rate: Annotated[float, Range(0, 1)] = 0.1
    concentration: Annotated[float, Range(0, 1e4, above=True, below=True)] = 30.0
    concentrations: Literal["shared", "per-class"] = "shared"
    mask_resize: Literal["nearest", "average"] = "nearest"
    supplementary_features: Literal["unit", "raw"] = "unit"
    residual_posterior: Literal["updated", "fresh"] = "updated"
    recurrence: Literal["coarse", "fine"] = "coarse"
    dense_channels: Annotated[int, Range(0, 4096)] = 0
    dense_shortcut: bool = False
    memory_frames: Annotated[int, Range(0, 1024)] = 0
    memory_interval: Annotated[int, Range(1, 1_000_000)] = 5
    memory_similarity: Annotated[float, Range(0, 1, above=True)] = 1.0
    ablation: Ablation = Ablation()
    tracker: TrackerConfig = TrackerConfig()

    def __post_init__(self) -> None:
        check_settings(self)
        if self.dense_channels and not self.tracker.keep_given_mask:
            raise ConfigError(
                "dense matching needs keep_given_mask: it looks at the last frame, which an "
                "object that is segmented on its own first frame does not have"
            )
        if self.memory_frames and not self.dense_channels:
            raise ConfigError(
                "memory_frames needs dense_channels: the memory is matched at stride 8"
            )

    @classmethod
    def from_preset(cls, name: str) -> "NetworkConfig":
        """Look a preset up.

        Raises:
            ConfigError: No preset has this name.
        """
        if name not in PRESETS:
            raise ConfigError(f"no preset {name!r}: choose from {', '.join(PRESETS)}")
        return PRESETS[name]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, for checkpoints; the tracker's settings stand among the others."""
        values = dataclasses.asdict(self)
        tracker = values.pop("tracker")
        return {**values, **tracker}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "NetworkConfig":
        """Read back what `to_dict` wrote.

        Raises:
            ConfigError: A field is unknown, missing, or out of range.
        """
        if isinstance(values, dict):
            names = [field.name for field in dataclasses.fields(TrackerConfig)]
            tracker = {name: values[name] for name in names if name in values}
            values = {name: value for name, value in values.items() if name not in tracker}
            if tracker:
                values["tracker"] = tracker
        return read_settings(cls, values)


def _paper(backbone: BackboneName) -> NetworkConfig:
    return NetworkConfig(preset=f"paper-{backbone}", backbone=backbone)


def _released(backbone: BackboneName) -> NetworkConfig:
    return NetworkConfig(
        preset=f"released-{backbone}",
        backbone=backbone,
        concentrations="per-class",
        mask_resize="average",
        supplementary_features="raw",
        residual_posterior="fresh",
        recurrence="fine",
        tracker=TrackerConfig(keep_given_mask=False),
    )


DEFAULT_PRESET = "compact"

PRESETS: dict[str, NetworkConfig] = {
    "paper-resnet50": _paper("resnet50"),
    "paper-resnet101": _paper("resnet101"),
    "released-resnet50": _released("resnet50"),
    "released-resnet101": _released("resnet101"),
    DEFAULT_PRESET: NetworkConfig(
        preset=DEFAULT_PRESET,
        backbone="efficientnet-lite0",
        backbone_width=32,
        directional_channels=128,
        propagation_channels=96,
        fusion_channels=(96, 64),
        context_blocks=3,
        concentrations="per-class",
        mask_resize="average",
        recurrence="fine",
        dense_channels=64,
        dense_shortcut=True,
        memory_frames=8,
        memory_similarity=0.8,
        tracker=TrackerConfig(short_side=384, reach=0.1),
    ),
}
