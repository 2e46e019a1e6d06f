"""The plain network: objects, frames and a video; see `ddeal_cli.bench.plain`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ddeal_cli.bench.plain.features import PlainFrame
from ddeal_cli.bench.plain.matching import PlainMatching, PlainObject


@dataclass(frozen=True)
class PlainResult:
    """What is said of one frame.

    Attributes:
        ids: Objects known by now.
        merged: ``[1 + K, H, W]`` float32, background first; they sum to 1.
        labels: ``[H, W]`` uint8, id of the most probable object, 0 for the background.
        fine: (background, object) logits ``[2, H, W]`` before merging, by id.
    """

    ids: list[int]
    merged: NDArray[np.float32]
    labels: NDArray[np.uint8]
    fine: dict[int, torch.Tensor]

    @property
    def log_probs(self) -> dict[int, NDArray[np.float32]]:
        """Logs of (background, object) before merging, ``[2, H, W]`` by id."""
        return {i: fine.log_softmax(0).cpu().numpy() for i, fine in self.fine.items()}


class PlainNetwork(PlainMatching):
    """Everything, in the structure of the authors' code.

    The backbone runs once a frame. All else runs for one object after the other, with what
    depends on the frame alone repeated for each, and the appearance features computed a second
    time for the update.
    """

    # Appearance model

    def kappa(self, component: int) -> torch.Tensor:
        """Concentration of a component."""
        raw = self.state["appearance.raw_concentration"]
        return F.softplus(raw[component % 2] if len(raw) == 2 else raw[0])

    def score(self, raw: torch.Tensor, mean: torch.Tensor, component: int) -> torch.Tensor:
        """Algorithm 1, "Inference": nothing is added to the features' norm."""
        cosines = (mean[:, None] * raw).sum(0) / raw.square().sum(0).sqrt()
        return self.kappa(component) * cosines

    def estimate(
        self, raw: torch.Tensor, mask: torch.Tensor, previous: list[torch.Tensor] | None
    ) -> list[torch.Tensor]:
        """Algorithm 1, "Update"; without previous means, the first estimate."""
        positions = raw.shape[1]
        unit = self.unit(raw)
        alpha = [share.flatten() for share in mask]  # Eq. (15)

        def direction(weights: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
            total = (weights * features).sum(1) / positions
            return total / (total.square().sum().sqrt() + 1 / positions**2)

        def mixed(component: int, fresh: torch.Tensor) -> torch.Tensor:
            if previous is None:
                return fresh
            rate = self.config.update_rate
            return (1 - rate) * previous[component] + rate * fresh  # Eq. (14)

        fresh = [direction(alpha[k], unit) for k in (0, 1)]
        means = [mixed(k, fresh[k]) for k in (0, 1)]
        judged = fresh if self.config.residual_posterior == "fresh" else means
        scores = [self.score(raw, judged[k], k) for k in (0, 1)]
        total = scores[0].exp() + scores[1].exp()
        for k in (2, 3):
            posterior = scores[k - 2].exp() / total  # Eq. (13)
            missed = (alpha[k - 2] - posterior).clamp_min(0)  # Eq. (16)
            features = unit if self.config.supplementary_features == "unit" else raw
            means.append(mixed(k, direction(missed, features)))
        return means

    # One object, one frame

    def resize_mask(self, mask: torch.Tensor) -> torch.Tensor:
        """``[H, W]`` to (background, object) at stride 16."""
        height, width = mask.shape
        if self.config.mask_resize == "nearest":
            small = mask[8::16, 8::16]
        else:
            small = mask.view(height // 16, 16, width // 16, 16).mean((1, 3))
        return torch.stack([1 - small, small])

    @staticmethod
    def dense_shares(mask: torch.Tensor) -> torch.Tensor:
        """(background, object) at stride 8."""
        height, width = mask.shape
        small = mask.view(height // 8, 8, width // 8, 8).mean((1, 3))
        return torch.stack([1 - small, small])

    def start(
        self, frame: PlainFrame, masks: dict[int, torch.Tensor], before: dict[int, PlainObject]
    ) -> dict[int, PlainObject]:
        """States of objects on the frame on which their masks, ``[H, W]``, are given."""
        items = {i: self.start_one(frame, mask) for i, mask in masks.items()}
        if frame.dense is not None and items:
            kept = self.distinct(frame.dense, items.values(), None)
            for i, item in items.items():
                assert item.last_dense is not None
                item.given = [(frame, item.last_dense, kept)]
                if i in before:
                    self.keep_given(item, before[i])
        return items

    def start_one(self, frame: PlainFrame, mask: torch.Tensor) -> PlainObject:
        """State of one of them."""
        small = self.resize_mask(mask)
        shares = self.dense_shares(mask)
        return PlainObject(
            first_frame=frame,
            first_features=self.matching_features(frame),
            first_mask=small,
            last_mask=small,
            means=self.estimate(self.appearance_features(frame), small, None),
            last_frame=frame,
            last_dense=shares,
        )

    def segment(self, frame: PlainFrame, item: PlainObject) -> tuple[torch.Tensor, torch.Tensor]:
        """Coarse and fine (background, object) logits, ``[2, h, w]`` and ``[2, H, W]``."""
        height, width = frame.s16.shape[-2:]
        ablation = self.config.ablation
        matching = self.match(frame, item)
        raw = self.appearance_features(frame)
        appearance = [self.score(raw, item.means[k], k).view(height, width) for k in range(4)]
        nothing = [torch.zeros(height, width, device=self.device)] * 2
        if not ablation.matching:
            matching = nothing
        if not ablation.base:
            appearance[:2] = nothing
        if not ablation.supplementary:
            appearance[2:] = nothing

        x = torch.cat(
            [frame.s16, item.first_frame.s16, item.last_mask[None], item.first_mask[None]], dim=1
        )
        x = self.conv("propagation.conv_in", x).relu()
        pyramid = [
            self.conv(f"propagation.pyramid.{i}", x, padding=d, dilation=d)
            for i, d in enumerate((1, 3, 6))
        ]
        propagation = self.conv(
            "propagation.conv_out", torch.cat(pyramid, dim=1).relu(), padding=1
        ).relu()

        cues = [torch.stack(matching + appearance)[None], propagation]
        dense = []
        if self.config.dense_channels:
            assert item.last_dense is not None
            assert item.last_frame is not None
            maps = self.match_several(frame, item.given)
            maps += self.match_dense(frame, item.last_frame, item.last_dense, near=True)
            if self.config.memory_frames:
                item.any_frame = self.match_several(frame, [*item.given, *item.memory.values()])
                maps += item.any_frame
            if not ablation.matching:
                maps = [torch.zeros_like(m) for m in maps]
            dense = [torch.stack(maps)[None]]
            # The four pixels under a position of stride 16, row by row, as channels.
            cues.append(
                torch.stack([m[dy::2, dx::2] for m in maps for dy in (0, 1) for dx in (0, 1)])[None]
            )
        x = self.conv("fusion.conv1", torch.cat(cues, dim=1), padding=1).relu()
        fused = self.conv("fusion.conv2", x, padding=1).relu()
        for i in range(self.config.context_blocks):
            name = f"fusion.context.{i}"
            x = self.conv(f"{name}.filter", fused, padding=3, groups=fused.shape[1])
            fused = fused + self.conv(f"{name}.project", self.conv(f"{name}.expand", x).relu())
        coarse = self.conv("fusion.predictor", fused)

        skip = self.conv("upsampling.project_s8", frame.s8).relu()
        x = torch.cat([skip, enlarge(fused, 2), *dense], dim=1)
        x = self.conv("upsampling.blend_s8", x, padding=1).relu()
        skip = self.conv("upsampling.project_s4", frame.s4).relu()
        x = torch.cat([skip, enlarge(x, 2)], dim=1)
        x = self.conv("upsampling.blend_s4", x, padding=1).relu()
        fine = enlarge(self.conv("upsampling.predictor", x, padding=1), 4)
        return coarse[0], fine[0]

    def update(
        self, frame: PlainFrame, item: PlainObject, coarse: torch.Tensor, merged: torch.Tensor
    ) -> None:
        """Let the object follow a frame that was segmented."""
        if self.config.recurrence == "coarse":
            mask = coarse.softmax(0)
        else:
            height, width = merged.shape
            small = merged.view(height // 16, 16, width // 16, 16).mean((1, 3))
            mask = torch.stack([1 - small, small])
        item.last_mask = mask
        item.means = self.estimate(self.appearance_features(frame), mask, item.means)
        item.last_frame = frame
        item.last_dense = self.dense_shares(merged)

    # A video

    @torch.inference_mode()
    def track(
        self, frames: Iterable[NDArray[np.uint8]], given: Mapping[int, NDArray[np.integer]]
    ) -> Iterator[PlainResult]:
        """Segment a video frame by frame.

        Args:
            frames: ``[H, W, 3]`` uint8 RGB each, of one size.
            given: ``[H, W]`` label maps by frame.
        """
        items: dict[int, PlainObject] = {}
        age = 0
        remembered: list[int] = []
        interval = self.config.memory_interval
        for index, image in enumerate(frames):
            size = image.shape[:2]
            tensor = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)
            padded = pad(tensor.to(self.device))
            frame = self.frame(padded)
            labels = given.get(index)
            new = {} if labels is None else self.masks(labels)
            # one that is corrected begins anew
            corrected = {i: items.pop(i) for i in new if i in items}
            keep = not items or self.config.tracker.keep_given_mask
            if not keep:
                items |= self.start(frame, new, corrected)

            answers = {i: self.segment(frame, item) for i, item in items.items()}
            merged = {0: torch.ones_like(padded[0])}
            if answers:
                probabilities = {i: fine.double().softmax(0)[1] for i, (_, fine) in answers.items()}
                merged = merge(probabilities)
                reach = self.config.tracker.reach
                if reach:
                    before = {i: item.last_share for i, item in items.items()}
                    merged = without_jumps(merged, before, reach)
            if keep and new:
                taken = torch.stack(list(new.values())).sum(0)
                merged = {i: p * (1 - taken) for i, p in merged.items()} | new
            for i, item in items.items():
                if i in answers:
                    self.update(frame, item, answers[i][0], merged[i])
            age += bool(answers)
            if answers and self.config.memory_frames and age % interval == 0:
                if len(remembered) == self.config.memory_frames:
                    interval *= 2
                    remembered = remembered[1::2]
                if age % interval == 0:
                    remembered.append(age)
                    novel = self.novel([items[i] for i in answers])
                    assert frame.dense is not None
                    kept = self.distinct(frame.dense, items.values(), novel)
                    for item in items.values():
                        assert item.last_dense is not None
                        item.memory[age] = (frame, item.last_dense, kept)
                for item in items.values():
                    item.memory = {a: item.memory[a] for a in remembered if a in item.memory}
            if keep:
                items |= self.start(frame, new, corrected)

            stacked = torch.stack([crop(merged[i], size) for i in (0, *items)])
            table = np.array([0, *items], np.uint8)
            yield PlainResult(
                ids=list(items),
                merged=stacked.cpu().numpy(),
                labels=table[stacked.argmax(0).cpu().numpy()],
                fine={i: crop(fine, size) for i, (_, fine) in answers.items()},
            )

    def masks(self, labels: NDArray[np.integer]) -> dict[int, torch.Tensor]:
        """Padded masks of a label map's objects, 1 on the object and 0 elsewhere."""
        masks = {}
        for i in np.unique(labels[labels > 0]).tolist():
            mask = torch.from_numpy((labels == i).astype(np.float32))
            masks[i] = pad(mask[None].to(self.device))[0]
        return masks


def enlarge(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Up-sample bilinearly."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def merge(probabilities: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
    """Background: the least p(not object); then odds, normalised over all."""
    background = torch.stack([1 - p for p in probabilities.values()]).min(0).values
    odds = {}
    for i, p in {0: background, **probabilities}.items():
        p = p.double().clamp(1e-7, 1 - 1e-7)
        odds[i] = p / (1 - p)
    total = torch.stack(list(odds.values())).sum(0)
    return {i: (o / total).float() for i, o in odds.items()}


def margins(side: int) -> tuple[int, int]:
    """Pixels before and after, the extra one before."""
    missing = (16 - side % 16) % 16
    return missing - missing // 2, missing // 2


def pad(x: torch.Tensor) -> torch.Tensor:
    """Reflect ``[C, H, W]`` to multiples of 16; over a short side to and fro."""
    for dim in (1, 2):
        before, after = margins(x.shape[dim])
        index = torch.arange(-before, x.shape[dim] + after, device=x.device)
        period = max(1, 2 * (x.shape[dim] - 1))
        index = index.abs() % period
        x = x.index_select(dim, torch.minimum(index, period - index))
    return x


def crop(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Undo `pad` on ``[..., H, W]``."""
    top, left = margins(size[0])[0], margins(size[1])[0]
    return x[..., top : top + size[0], left : left + size[1]]


def without_jumps(
    merged: dict[int, torch.Tensor], before: dict[int, torch.Tensor], reach: float
) -> dict[int, torch.Tensor]:
    """Take pieces away that no motion explains.

    Args:
        merged: Probabilities by id, 0 the background, ``[H, W]`` each.
        before: Share of each cell that the object took up in the frame before, ``[H/s, W/s]``.
        reach: How far an object may move, as a share of the short side.
    """
    ids = list(merged)
    winners = torch.stack([merged[i] for i in ids]).argmax(0)
    kept = dict(merged)
    for k, i in enumerate(ids):
        if i == 0 or i not in before:
            continue
        there = (before[i] >= 0.5).nonzero().float()
        stride = merged[i].shape[0] // before[i].shape[0]
        count, pieces = cv2.connectedComponents(
            (winners == k).cpu().numpy().astype(np.uint8), connectivity=8
        )
        if len(there) == 0:
            continue
        near: list[torch.Tensor] = []
        far: list[torch.Tensor] = []
        for number in range(1, count):
            piece = torch.from_numpy(pieces == number).to(winners.device)
            cells = (piece.nonzero() // stride).float()
            away = torch.cdist(cells, there, compute_mode="donot_use_mm_for_euclid_dist").min()
            (near if away <= reach * min(before[i].shape) else far).append(piece)
        total = int(torch.stack(near).sum()) if near else 0
        for piece in far:
            if near and int(piece.sum()) <= total:
                kept[i] = kept[i].masked_fill(piece, 0)
    total_probability = torch.stack(list(kept.values())).sum(0)
    return {i: p / total_probability for i, p in kept.items()}
