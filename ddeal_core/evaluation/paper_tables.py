"""Tables of the paper, as data.

Yin, Xu, Wang, Zhang: Directional Deep Embedding and Appearance Learning for Fast Video Object
Segmentation. Table I is what its Figure 3 draws; Table V is its ablation study.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperResult:
    """One line of Table I: a method on the validation set of DAVIS 2016, in percent."""

    method: str
    backbone: str  # "" where the paper names none
    fine_tuned: bool  # whether it fine-tunes a network online
    j: float
    f: float | None
    j_and_f: float | None  # as printed
    seconds: float  # a frame
    at_least: bool = False  # whether the paper says "more than" of the time


TABLE_I: tuple[PaperResult, ...] = (
    PaperResult("OSVOS-S", "VGG16", True, 85.6, 87.5, 86.6, 4.5),
    PaperResult("OnAVOS", "Res-variant", True, 86.1, 84.9, 85.5, 13),
    PaperResult("MGCRN", "Res101", True, 84.4, 85.7, 85.1, 0.73),
    PaperResult("CINM", "DeepLabv2", True, 83.4, 85.0, 84.2, 30, at_least=True),
    PaperResult("Lucid", "DeepLabv2", True, 83.9, 82.0, 83.0, 100, at_least=True),
    PaperResult("OSVOS", "VGG16", True, 79.8, 80.6, 80.2, 9),
    PaperResult("MSK", "DeepLabv2", True, 79.7, 75.4, 77.6, 12),
    PaperResult("S2S", "VGG16", True, 79.1, None, None, 9),
    PaperResult("SegFlow", "Res101", True, 74.8, 76.0, 75.4, 7.9),
    PaperResult("A-GAME", "Res101", False, 82.0, 82.2, 82.1, 0.07),
    PaperResult("RGMP", "Res50", False, 81.5, 82.0, 81.8, 0.13),
    PaperResult("FEELVOS", "DeepLabv3+", False, 81.1, 82.2, 81.7, 0.45),
    PaperResult("FAVOS", "Res101", False, 82.4, 79.5, 81.0, 1.80),
    PaperResult("VM", "Res101", False, 81.0, 80.8, 80.9, 0.32),
    PaperResult("PML", "Res101", False, 75.5, 79.3, 77.4, 0.28),
    PaperResult("OSMN", "VGG16", False, 74.0, 72.9, 73.5, 0.14),
    PaperResult("CTN", "VGG16", False, 73.5, 69.3, 71.4, 1.30),
    PaperResult("VPN", "", False, 70.2, 65.5, 67.9, 0.63),
    PaperResult("DDEAL", "Res50", False, 85.0, 84.6, 84.8, 0.03),
    PaperResult("DDEAL", "Res101", False, 85.1, 85.7, 85.4, 0.04),
)
"""J, F and time a frame on DAVIS 2016 val (times of the paper: one NVIDIA TITAN Xp)."""


_NAMES = ("J-Mean", "F-Mean", "J&F-Mean", "J-Seen", "F-Seen", "J-Unseen", "G")

TABLE_V: dict[int, dict[str, float]] = {
    1: dict(zip(_NAMES, (72.0, 77.6, 74.8, 73.7, 77.1, 63.9, 71.3), strict=True)),
    2: dict(zip(_NAMES, (70.1, 74.1, 72.1, 72.2, 74.9, 60.4, 68.2), strict=True)),
    3: dict(zip(_NAMES, (68.3, 73.8, 71.1, 70.0, 72.5, 60.0, 67.3), strict=True)),
    4: dict(zip(_NAMES, (72.0, 77.6, 74.8, 72.6, 75.8, 62.9, 70.1), strict=True)),
    5: dict(zip(_NAMES, (65.6, 71.4, 68.5, 69.0, 71.6, 57.3, 65.1), strict=True)),
}
"""The ablation study, by line: DDEAL with ResNet-101 and cues switched off, in percent.

The first three are of DAVIS 2017 val, the others of YouTube-VOS's validation set;
`Ablation.table_v` has the switches of a line. Totals and their drops are those that the text
states, too.

Two doubts about the print: its column of F on unseen categories repeats that of J on seen ones and
is left out here; and line 4 on DAVIS repeats line 1, of which the text says nothing.
"""
