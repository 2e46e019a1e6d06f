"""The motion gate the plain way: every distance is measured."""

import cv2
import numpy as np
import torch


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
