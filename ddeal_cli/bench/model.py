"""The weights of a case in memory, and the segmenters that are made of them."""

import torch
from torch import nn

from ddeal_cli.bench.case import Case, NetworkChoice, Resolution
from ddeal_cli.bench.clip import BenchClip
from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.ddeal import STRIDE, Ddeal
from ddeal_core.tracking.segmenter import Segmenter
from ddeal_core.weights.files import Checkpoint, load_checkpoint


def make_segmenter(
    weights: Checkpoint, case: Case, *, resolution: Resolution = None, stepwise: bool = False
) -> Segmenter:
    """Make a segmenter for a case, with a network of its own.

    `stepwise` runs one operation after the other, so that they can be told apart.
    """
    network = Ddeal(weights.config)
    network.load_state_dict(weights.state)
    return Segmenter(
        network.to(torch.device(case.device)),
        resolution=resolution or case.resolution,
        precision=case.precision,
        look_ahead=1 if stepwise else case.look_ahead,
        cuda_graphs=case.cuda_graphs and not stepwise,
    )


def load_model(subject: NetworkChoice, clip: BenchClip) -> Checkpoint:
    """Read weights, or make random ones with the seed 0.

    The batch norms of random weights take the statistics of the clip's first frame, as
    training would have given them: without, numbers grow from layer to layer.
    """
    if subject.weights is not None:
        return load_checkpoint(subject.weights)
    assert subject.preset is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Ddeal(NetworkConfig.from_preset(subject.preset))
    network.backbone.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    height, width = (max(STRIDE, side // STRIDE * STRIDE) for side in clip.size)
    image = clip.resized((height, width)).images[0]
    with torch.no_grad():
        network.encode(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
    return Checkpoint(network.config, network.state_dict())


def network_size(segmenter: Segmenter, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width that the network sees of frames of this size, before padding."""
    return segmenter.tracker()._network_size(*size)
