"""What finishing is wanted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from ddeal_core.settings import Range, check_settings

Pixels = Annotated[int, Range(0, 200)]


@dataclass(frozen=True, slots=True)
class Finishing:
    """Steps from a mask to a finished matte, in the order in which they are done; all off.

    Objects never overlap: what one takes it takes from the background, and where two could take
    a pixel, the nearer one does.

    Attributes:
        steady: Damp the chatter of edges where neither the picture nor the mask moves.
        drop_specks: Drop pieces of an object smaller than a fiftieth of its largest one.
        fill_holes: Fill holes smaller than a tenth of the objects.
        grow: Pixels by which outlines move out, to the background.
        shrink: Pixels by which outlines move in; where two objects touch they go on touching.
        choke: Percent of opacity below which pixels of the edge become transparent; those above
            are stretched to the full range. For the fringe that a green screen leaves.
        feather: Pixels over which the edge becomes soft, to either side.

    Raises:
        ConfigError: A number is out of range.
    """

    steady: bool = False
    drop_specks: bool = False
    fill_holes: bool = False
    grow: Pixels = 0
    shrink: Pixels = 0
    choke: Annotated[int, Range(0, 95)] = 0
    feather: Pixels = 0

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def chosen(self) -> dict[str, Any]:
        """The steps that are wanted, as plain JSON types."""
        return {name: value for name, value in asdict(self).items() if value}


UNFINISHED = Finishing()
"""Without any step."""
