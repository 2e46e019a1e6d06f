"""Writing the network's graphs as ONNX files, checked, with what they are inside."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from ddeal_core.errors import DdealError, InputError
from ddeal_core.export.graphs import Graph, graphs_of
from ddeal_core.network.ddeal import STRIDE, Ddeal
from ddeal_core.weights.files import Checkpoint
from ddeal_core.whole_files import write_output

OPSET = 18
_FORMAT = "ddeal-onnx-1"
_LICENSE = "MIT"
_CARD = (
    "DDEAL, video object segmentation from the masks of the first frame: it follows objects "
    "through a video. Not for finding objects by itself, or for decisions about people. Data, "
    "training and scores are in `provenance` and in MODEL_CARD.md of the project. The backbone's "
    "ImageNet weights, where it began with some, keep their own licence (those of "
    "EfficientNet-Lite0: Apache License 2.0, Copyright 2020 ML Illustrated)."
)


def files_of(path: Path, config_remembers: bool) -> list[Path]:
    """Names of the files that `export_onnx` writes."""
    names = ["encoder", "start", "step", "update", *(["remember"] if config_remembers else [])]
    return [path.with_name(f"{path.stem}.{name}.onnx") for name in names]


def export_onnx(checkpoint: Checkpoint, path: Path) -> list[Path]:
    """Write ``NAME.encoder.onnx``, ``NAME.start.onnx`` and so on for ``NAME.onnx``.

    Heights, widths and numbers of objects and of remembered positions are free. Every file has the
    network's configuration, provenance and licence in its metadata.

    Args:
        checkpoint: The network.
        path: Ends in ``.onnx``.

    Returns:
        The files, in the order in which a video needs them.

    Raises:
        InputError: The package onnx is missing.
        OutputError: A file cannot be written.
        DdealError: A graph cannot be made by this torch.
    """
    try:
        import onnx
    except ImportError:
        raise InputError(
            "ONNX files need the package onnx, which is not installed: "
            "pip install 'ddeal[onnx]', or pip install onnx"
        ) from None
    network = Ddeal(checkpoint.config)
    network.load_state_dict(checkpoint.state)
    known = _Samples(network.eval())
    files = files_of(path, network.config.memory_frames > 0)
    for graph, file in zip(known.graphs, files, strict=True):
        data = known.exported(graph)
        model = onnx.load_from_string(data)
        onnx.helper.set_model_props(
            model,
            {
                "format": _FORMAT,
                "graph": graph.name,
                "stride": str(STRIDE),
                "config": json.dumps(checkpoint.config.to_dict(), sort_keys=True),
                "provenance": json.dumps(checkpoint.provenance, sort_keys=True),
                "license": _LICENSE,
                "model_card": _CARD,
            },
        )
        onnx.checker.check_model(model)
        write_output(file, model.SerializeToString(deterministic=True))
    return files


class _Samples:
    """Graphs with tensors to trace them by, one graph's outputs the inputs of the next."""

    def __init__(self, network: Ddeal) -> None:
        self.graphs = graphs_of(network)
        height, width = 6 * STRIDE, 10 * STRIDE
        image = torch.arange(height * width * 3).remainder(251).to(torch.uint8)
        masks = torch.zeros(1, 2, height, width)
        masks[:, 0, 16:48, 16:64], masks[:, 1, 32:80, 80:144] = 1, 1
        channels = network.config.dense_channels
        self._known = {
            "image": image.view(height, width, 3),
            "masks": masks,
            "memory_keys": torch.zeros(1, channels, 5),
            "memory_log_masks": torch.zeros(1, 2, 2, 5),
        }

    def exported(self, graph: Graph) -> bytes:
        """Trace a graph; its outputs are known afterwards."""
        given = tuple(self._known[name] for name in graph.inputs)
        try:
            with TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
                file = Path(folder, "graph.onnx")
                warnings.simplefilter("ignore")  # on what tracing fixes, which tests look at
                found: tuple[Tensor, ...] = graph(*given)
                torch.onnx.export(
                    graph,
                    given,
                    str(file),
                    input_names=list(graph.inputs),
                    output_names=list(graph.outputs),
                    dynamic_axes={name: graph.axes(name) for name in graph.inputs + graph.outputs},
                    opset_version=OPSET,
                    dynamo=False,
                )
                data = file.read_bytes()
        except (RuntimeError, TypeError, ValueError) as error:  # of torch's exporter
            reason = str(error).strip().splitlines()[0]
            raise DdealError(f"torch {torch.__version__} cannot export it: {reason}") from error
        for name, value in zip(graph.outputs, found, strict=True):
            self._known[name.removeprefix("new_")] = value
        return data
