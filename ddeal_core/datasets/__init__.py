"""Training and test material: dataset folders, and clips made from stills and from nothing."""

from ddeal_core.datasets.clip import IGNORE, Clip
from ddeal_core.datasets.degradation import DegradationConfig
from ddeal_core.datasets.layouts import DatasetSequence, DavisLayout, YouTubeVosLayout
from ddeal_core.datasets.real import RealClips, RealConfig
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.synthetic import SyntheticClips
from ddeal_core.datasets.synthetic_config import SyntheticConfig

__all__ = [
    "IGNORE",
    "Clip",
    "DatasetSequence",
    "DavisLayout",
    "DegradationConfig",
    "RealClips",
    "RealConfig",
    "Sources",
    "SyntheticClips",
    "SyntheticConfig",
    "YouTubeVosLayout",
]
