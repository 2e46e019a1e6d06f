"""With which given frames an object is matched, where its mask is given on several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from torch import Tensor

from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.state import FrameEncoding, ObjectState, Reference


@dataclass(frozen=True, slots=True)
class GivenObjects:
    """Objects that were given on the same frames.

    Attributes:
        ids: K of them.
        reference: The frames.
    """

    ids: Sequence[int]
    reference: Reference

    @classmethod
    def of_state(cls, ids: Sequence[int], state: ObjectState | None) -> list[GivenObjects]:
        """Those that are followed."""
        found: list[GivenObjects] = []
        place = 0
        for reference in () if state is None else state.references:
            found.append(cls(ids[place : place + reference.objects], reference))
            place += reference.objects
        return found

    def select(self, ids: Sequence[int]) -> Reference:
        """The reference of some of them."""
        return self.reference.select([self.ids.index(i) for i in ids])


def begin(
    network: Ddeal,
    encoding: FrameEncoding,
    ids: Sequence[int],
    masks_of: Callable[[Sequence[int]], Tensor],
    *,
    known: Sequence[GivenObjects],
    followed: Sequence[GivenObjects],
) -> tuple[list[int], Tensor, ObjectState]:
    """Begin the state of objects on a frame on which they are given.

    Args:
        network: The network.
        encoding: The frame.
        ids: Of the objects.
        masks_of: Gives their masks, 1 on the object and 0 elsewhere, ``[1, K, H, W]``.
        known: Frames on which some of them are given, if that is known in advance.
        followed: What objects that are followed are matched with.

    Returns:
        The ids, those with the same references side by side; their masks and their state.
    """
    sources = (*known, *followed)

    def frames_of(object_id: int) -> list[int]:
        return [n for n, each in enumerate(sources) if object_id in each.ids]

    ordered = sorted(ids, key=frames_of)
    masks = masks_of(ordered)
    state = network.start(encoding, masks)
    own = GivenObjects(ordered, state.references[0])
    references = []
    for frames, each in groupby(ordered, key=frames_of):
        group = list(each)
        told = [own, *(sources[n] for n in frames)]
        references.append(network.combine(source.select(group) for source in told))
    return ordered, masks, replace(state, references=tuple(references))
