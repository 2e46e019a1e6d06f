"""The whole network: Figure 1."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial, reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.appearance import AppearanceModel
from ddeal_core.network.backbone import Backbone, BackboneFeatures
from ddeal_core.network.config import Ablation, BackboneName, NetworkConfig
from ddeal_core.network.cues import Cues
from ddeal_core.network.dense.matching import DenseMatching
from ddeal_core.network.dense.memory import UNKNOWN, Memory
from ddeal_core.network.directional import DirectionalEmbedding, DirectionalFeatures
from ddeal_core.network.efficientnet import EfficientNetLite0
from ddeal_core.network.fusion import Fusion
from ddeal_core.network.matching import match
from ddeal_core.network.propagation import MaskPropagation
from ddeal_core.network.resnet import ResNet
from ddeal_core.network.state import FrameEncoding, ObjectState, Prediction, Projections, Reference
from ddeal_core.network.upsampling import Upsampling

STRIDE = 16
"""Frame sides are multiples of this; the tracker pads them."""

_BACKBONES: dict[BackboneName, Callable[..., Backbone]] = {
    "resnet18": partial(ResNet, "resnet18"),
    "resnet50": partial(ResNet, "resnet50"),
    "resnet101": partial(ResNet, "resnet101"),
    "efficientnet-lite0": EfficientNetLite0,
}


class Ddeal(nn.Module):
    """Directional deep embedding and appearance learning.

    The network keeps nothing of a video. A frame is encoded once (`encode`); a given mask starts
    the state of its objects (`start`); each later frame is segmented (`segment`) and the state
    follows it (`update`). G videos go side by side, with K objects each.

    Args:
        config: Shape and arithmetic.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _BACKBONES[config.backbone](width=config.backbone_width)
        s4, s8, s16 = (self.backbone.channels[name] for name in ("s4", "s8", "s16"))
        # The embedding of what `match` compares; checkpoints know it by this name.
        self.matching = DirectionalEmbedding(s16, config.directional_channels)
        self.appearance = AppearanceModel(s16, config)
        self.propagation = MaskPropagation(s16, config.propagation_channels)
        self.dense_matching = (
            DenseMatching(
                s8,
                s16,
                config.dense_channels,
                shortcut=config.dense_shortcut,
                with_memory=config.memory_frames > 0,
            )
            if config.dense_channels
            else None
        )
        extra = self.dense_matching.outputs if self.dense_matching is not None else 0
        # Maps at stride 8 reach stride 16 with their four pixels as channels.
        self.fusion = Fusion(
            2 + 4 + config.propagation_channels + 4 * extra,
            config.fusion_channels,
            context_blocks=config.context_blocks,
        )
        self.upsampling = Upsampling(s8, s4, config.fusion_channels[1], extra_s8=extra)
        self.register_buffer(
            "_mean", torch.tensor(self.backbone.mean).view(1, 3, 1, 1), persistent=False
        )
        self.register_buffer(
            "_std", torch.tensor(self.backbone.std).view(1, 3, 1, 1), persistent=False
        )

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._mean.device

    def encode(self, images: Tensor) -> FrameEncoding:
        """Compute what depends on the frames alone.

        Args:
            images: RGB in [0, 1], ``[B, 3, H, W]``, H and W multiples of `STRIDE`.
        """
        return self.describe(self.extract(images))

    def extract(
        self, images: Tensor, backbone: Callable[[Tensor], BackboneFeatures] | None = None
    ) -> BackboneFeatures:
        """Run the backbone, or another that does the same, on RGB in [0, 1], ``[B, 3, H, W]``."""
        with nullcontext() if self.backbone.autocasts else self._float32():
            return (backbone or self.backbone)(self.normalise(images))

    def normalise(self, images: Tensor) -> Tensor:
        """Shift and scale RGB in [0, 1] as the backbone's ImageNet weights want it."""
        return (images - self._mean) / self._std

    def describe(self, features: BackboneFeatures) -> FrameEncoding:
        """Compute what the heads of all objects share of a frame."""
        matching, appearance, propagation, context = self.project(features.s16)
        dense = None
        if self.dense_matching is not None and context is not None:
            dense = self.dense_matching.encode_frame(features.s8, context)
        return FrameEncoding(
            s16=features.s16,
            matching=DirectionalFeatures.of(matching).unit,
            appearance=DirectionalFeatures.of(appearance),
            propagation=propagation,
            skips=self.upsampling.encode_frame(features.s8, features.s4),
            dense=dense,
        )

    def project(self, s16: Tensor) -> Projections:
        """Apply the 1 x 1 convolutions that read the features at stride 16."""
        dense = self.dense_matching
        return Projections(
            matching=self.matching.conv(s16),
            appearance=self.appearance.embedding.conv(s16),
            propagation=self.propagation.encode_frame(s16),
            context=None if dense is None else dense.project_s16(s16),
        )

    def start(self, encoding: FrameEncoding, masks: Tensor) -> ObjectState:
        """Begin the state of objects on the frame on which they are given.

        Args:
            encoding: That frame of G videos.
            masks: 1 on the object and 0 elsewhere, ``[G, K, H, W]``.
        """
        coarse = _background_and_object(self._to_stride_16(masks))  # [G, K, 2, h, w]
        log_masks = None if self.dense_matching is None else self.dense_matching.log_masks(masks)
        keys, kept = encoding.dense, log_masks
        if keys is not None and kept is not None:
            keys, kept = self._kept(keys, kept)
        reference = Reference(encoding.matching, coarse.flatten(3), keys, kept)
        return ObjectState(
            references=(reference,),
            mean_directions=self._estimate(encoding.appearance, coarse),
            propagation_first=self.propagation.encode_first(encoding.s16, coarse),
            last_masks=coarse,
            last_dense_keys=encoding.dense,
            last_dense_log_masks=log_masks,
        )

    def combine(self, references: Iterable[Reference]) -> Reference:
        """Make one reference of several of the same objects: see `Reference.with_frame`."""
        with self._float32():
            return reduce(lambda a, b: a.with_frame(b, self.config.memory_similarity), references)

    def compute_cues(self, encoding: FrameEncoding, state: ObjectState) -> Cues:
        """Compare a frame with what is remembered of each object."""
        grid = encoding.s16.shape[-2:]
        with self._float32():
            matching = torch.cat(
                [match(encoding.matching, r.kernels, r.masks) for r in state.references], dim=1
            )
            appearance = self.appearance(encoding.appearance, state.mean_directions)
            dense = self._match_dense(encoding, state)
        return Cues(
            matching.view(*matching.shape[:3], *grid),
            appearance.view(*appearance.shape[:3], *grid),
            dense,
        )

    def segment(
        self, encoding: FrameEncoding, state: ObjectState, *, ablation: Ablation | None = None
    ) -> Prediction:
        """Segment a frame, each object on its own.

        Args:
            encoding: The frame, of G videos.
            state: Objects to look for.
            ablation: Cues that reach the fusion module; None for those of the configuration.
        """
        return self.predict(encoding, state, self.compute_cues(encoding, state), ablation=ablation)

    def predict(
        self,
        encoding: FrameEncoding,
        state: ObjectState,
        cues: Cues,
        *,
        ablation: Ablation | None = None,
        objects: slice = slice(None),
    ) -> Prediction:
        """Fuse the cues of some objects and bring them to full size: most of the memory.

        Args:
            encoding: The frame, of G videos.
            state: Of all objects.
            cues: Of all objects, from `compute_cues`.
            ablation: See `segment`.
            objects: Those that are wanted, of K.
        """
        cues = cues.of(objects)
        shown = cues.shown(ablation or self.config.ablation)
        first, last_masks = state.propagation_first[:, objects], state.last_masks[:, objects]
        propagation = self.propagation(encoding.propagation, first, last_masks)
        fused, coarse = self._fuse(shown, propagation)
        dense = None if shown.dense is None else shown.dense.flatten(0, 1)
        fine = self.upsampling(fused, encoding.skips, extra_s8=dense)

        def grouped(x: Tensor) -> Tensor:
            return x.float().view(-1, first.shape[1], *x.shape[1:])

        return Prediction(
            coarse=grouped(coarse),
            fine=grouped(fine),
            cues=cues,
            propagation=grouped(propagation),
        )

    def predict_coarse(self, cues: Cues, propagation: Tensor) -> Tensor:
        """Predict the coarse map alone, such as that which would come out without some cue.

        Args:
            cues: What the fusion module is shown: see `Cues.shown`.
            propagation: Features of the propagation module, ``[G, K, P, H/16, W/16]``.

        Returns:
            (background, object) logits, ``[G, K, 2, H/16, W/16]``.
        """
        _, coarse = self._fuse(cues, propagation.flatten(0, 1))
        return coarse.float().view(*propagation.shape[:2], *coarse.shape[1:])

    def _fuse(self, cues: Cues, propagation: Tensor) -> tuple[Tensor, Tensor]:
        maps = [cues.matching.flatten(0, 1), cues.appearance.flatten(0, 1), propagation]
        if cues.dense is not None:
            maps.append(F.pixel_unshuffle(cues.dense.flatten(0, 1), 2))
        return self.fusion(maps)  # type: ignore[no-any-return]

    def update(
        self,
        encoding: FrameEncoding,
        state: ObjectState,
        prediction: Prediction,
        merged: Tensor,
        *,
        remember: bool | None = None,
    ) -> ObjectState:
        """Let the state follow a frame: Algorithm 1, "Update", and the last masks.

        Args:
            encoding: The frame that was segmented.
            state: State before it.
            prediction: What `segment` said of it.
            merged: Object probabilities after merging, at full size, ``[G, K, H, W]``.
            remember: Whether the frame enters the memory; None leaves that to the interval.
        """
        means, masks, log_masks = self.follow(
            encoding.appearance, state.mean_directions, prediction.coarse, merged
        )
        age = state.age + 1
        return ObjectState(
            references=state.references,
            mean_directions=means,
            propagation_first=state.propagation_first,
            last_masks=masks,
            last_dense_keys=encoding.dense,
            last_dense_log_masks=log_masks,
            memory=self._remember(
                state.memory, encoding, prediction.cues, log_masks, age, remember
            ),
            age=age,
        )

    def follow(
        self, appearance: DirectionalFeatures, means: Tensor, coarse: Tensor, merged: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Compute what of the state changes on every frame: see `update` and `ObjectState`.

        Returns:
            Mean directions; (background, object) at stride 16; log-masks at stride 8, or None.
        """
        if self.config.recurrence == "coarse":
            masks = coarse.softmax(dim=2)
        else:
            masks = _background_and_object(_pool(merged))
        log_masks = None if self.dense_matching is None else self.dense_matching.log_masks(merged)
        return self._estimate(appearance, masks, means), masks, log_masks

    def _remember(
        self,
        memory: Memory | None,
        encoding: FrameEncoding,
        cues: Cues,
        log_masks: Tensor | None,
        age: int,
        remember: bool | None,
    ) -> Memory | None:
        config = self.config
        if not config.memory_frames or self.dense_matching is None:
            return memory
        assert encoding.dense is not None
        assert cues.dense is not None
        assert log_masks is not None
        interval = config.memory_interval if memory is None else memory.interval
        if not (age % interval == 0 if remember is None else remember):
            return memory
        keys, log_masks = self._kept(encoding.dense, log_masks, cues.dense)
        if memory is None:
            return Memory.of(keys, log_masks, interval=interval)
        return memory.add(keys, log_masks, age=age, most=config.memory_frames)

    def _kept(
        self, keys: Tensor, log_masks: Tensor, scores: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Leave out the positions of a frame that say nothing new: see `memory_similarity`.

        Args:
            keys: Unit features at stride 8.
            log_masks: Log-masks for them.
            scores: What `DenseMatching` said of the frame; None where nothing is known yet.
        """
        assert self.dense_matching is not None
        similarity = self.config.memory_similarity
        if similarity == 1:
            return keys.flatten(2), log_masks
        novel = None if scores is None else self.dense_matching.novel(scores, log_masks, similarity)
        with self._float32():
            kept = self.dense_matching.distinct(keys, log_masks, similarity, novel)
        places = kept.any(0).nonzero()[:, 0]
        keys, log_masks = keys.flatten(2)[:, :, places], log_masks[..., places]
        if len(keys) > 1:  # what one video keeps is nothing to the others
            log_masks = log_masks.masked_fill(~kept[:, None, None, places], UNKNOWN)
        return keys, log_masks

    def _estimate(
        self, features: DirectionalFeatures, masks: Tensor, previous: Tensor | None = None
    ) -> Tensor:
        with self._float32():
            return self.appearance.estimate(features, masks.float().flatten(3), previous)

    def _float32(self) -> AbstractContextManager[object]:
        """Cosines keep their digits: products of unit vectors stay out of autocast."""
        device = self.device.type
        if not torch.amp.is_autocast_available(device):
            return nullcontext()
        return torch.autocast(device, enabled=False)

    def _match_dense(self, encoding: FrameEncoding, state: ObjectState) -> Tensor | None:
        if self.dense_matching is None:
            return None
        first: list[tuple[Tensor, Tensor]] = []
        for reference in state.references:
            assert reference.dense_keys is not None
            assert reference.dense_log_masks is not None
            first.append((reference.dense_keys, reference.dense_log_masks))
        assert state.last_dense_keys is not None
        assert state.last_dense_log_masks is not None
        last = (state.last_dense_keys, state.last_dense_log_masks)
        maps = self.dense_matching(encoding.dense, tuple(first), last, state.memory)
        return maps.view(-1, state.objects, *maps.shape[1:])  # type: ignore[no-any-return]

    def _to_stride_16(self, masks: Tensor) -> Tensor:
        if self.config.mask_resize == "average":
            return _pool(masks)
        return masks[:, :, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def _pool(masks: Tensor) -> Tensor:
    return F.avg_pool2d(masks, STRIDE)


def _background_and_object(masks: Tensor) -> Tensor:
    return torch.stack([1 - masks, masks], dim=2)
