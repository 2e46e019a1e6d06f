"""``ddeal export``: the network as ONNX graphs."""

from pathlib import Path
from typing import Annotated

import typer

from ddeal_cli.app import app, epilog
from ddeal_cli.console import emit_json, say
from ddeal_cli.options import Json, Overwrite, WeightsOption
from ddeal_core.errors import InputError


@app.command(
    "export",
    epilog=epilog("ddeal export default.onnx", "ddeal export mine.onnx --weights mine.safetensors"),
)
def export(
    output: Annotated[
        Path,
        typer.Argument(
            metavar="NAME.onnx",
            help="Where the graphs go: NAME.encoder.onnx, NAME.start.onnx, NAME.step.onnx, "
            "NAME.update.onnx, and NAME.remember.onnx where the network has a memory.",
        ),
    ],
    weights: WeightsOption = None,
    overwrite: Overwrite = False,
    json_: Json = False,
) -> None:
    """Write the network as ONNX files that onnxruntime runs without torch."""
    from ddeal_core.weights.bundled import weights_file

    if output.suffix != ".onnx":
        raise InputError(f"ONNX files end in .onnx, not {output.name}")
    path = weights_file(weights)

    from ddeal_core.export.onnx_files import OPSET, export_onnx, files_of
    from ddeal_core.weights import load_checkpoint

    checkpoint = load_checkpoint(path)
    for file in files_of(output, checkpoint.config.memory_frames > 0):
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists", remedy="overwrite")
    files = export_onnx(checkpoint, output)
    for file in files:
        say(f"wrote {file}: {file.stat().st_size / 1e6:.1f} MB")
    if json_:
        emit_json({"weights": str(path), "opset": OPSET, "files": [str(file) for file in files]})
