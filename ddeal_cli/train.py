"""``ddeal train``: recipes, run or shown."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ddeal_cli.app import app, epilog, options_in
from ddeal_cli.completion import complete_recipes
from ddeal_cli.console import emit_json, say
from ddeal_cli.make_synthetic import OptionValues, read_options
from ddeal_cli.material import (
    BackgroundsOption,
    CocoOption,
    CutoutsOption,
    DatasetsArgument,
    HeldOutSetsOption,
    ImageSetOption,
    Material,
    MovingOption,
    StillsOption,
    SyntheticClipsOption,
    ValidationFramesOption,
)
from ddeal_cli.options import DeviceOption, Json, Quiet, parse_size
from ddeal_cli.progress import ProgressLine
from ddeal_cli.recipes import changed_recipe, imagenet_for, read_recipe
from ddeal_cli.training_data import DataChoice, open_data, open_packed
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.training import FirstMaskTrainer, LogRow, Trainer, World

_run_option = options_in("The run")
_data = options_in("What it learns from")
_change = options_in("Changes to the recipe, in all its stages")


@app.command(
    "train",
    epilog=epilog(
        "ddeal train DAVIS -o runs/mine --held-out DAVIS:val",
        "ddeal train -o runs/made-up --stills photos --backgrounds places",
        "ddeal train -o runs/mine --resume",
        "ddeal train --packed packed -o runs/mine --minutes 25",
        "ddeal train --recipe paper-resnet50 --show-recipe",
        "ddeal train DAVIS --recipe first-mask --stills photos -o runs/hints",
        "torchrun --nproc-per-node 4 -m ddeal_cli train DAVIS -o runs/mine",
        notes=(
            "The run's folder holds log.csv, log.png, checkpoint.pt, weights.safetensors and "
            "best.safetensors. After Ctrl-C or a crash, --resume goes on.",
        ),
    ),
)
def train(
    datasets: DatasetsArgument = None,
    output: Annotated[
        Path | None, _run_option("--output", "-o", metavar="RUN", help="Folder of the run.")
    ] = None,
    recipe: Annotated[
        str | None,
        _run_option(
            metavar="NAME|FILE.json",
            autocompletion=complete_recipes,
            help="compact, paper-resnet50, paper-resnet101; first-mask for the network that makes "
            "masks from hints; or a file as --show-recipe prints it. "
            "Default: compact; with --resume the run's own.",
        ),
    ] = None,
    show_recipe: Annotated[
        bool, _run_option("--show-recipe", help="Print the recipe with all changes, and leave.")
    ] = False,
    resume: Annotated[
        bool,
        _run_option(
            "--resume", help="Go on from the run's last checkpoint, with its recipe and data."
        ),
    ] = False,
    initial: Annotated[
        Path | None, _run_option(metavar="FILE", help="Weights to begin from (.safetensors).")
    ] = None,
    imagenet: Annotated[
        Path | None,
        _run_option(
            metavar="FILE.pth",
            help="ImageNet weights for the backbone. Default, where the recipe begins with them: "
            "a ResNet's from torch.hub's cache, downloaded at first; EfficientNet-Lite0's from "
            "the package that ddeal\\[train] installs.",
        ),
    ] = None,
    from_scratch: Annotated[
        bool,
        _run_option(
            "--from-scratch",
            help="Begin with random weights, also where the recipe begins with ImageNet's.",
        ),
    ] = False,
    device: DeviceOption = "auto",
    workers: Annotated[int, _run_option(min=0, metavar="N", help="Processes that make clips.")] = 1,
    minutes: Annotated[
        float | None,
        _run_option(
            min=0,
            metavar="N",
            help="Stop after so long, counted from the command's start, with a checkpoint to "
            "resume from.",
        ),
    ] = None,
    packed: Annotated[
        Path | None, _data(metavar="DIR", help="All of its data, as pack-data wrote them.")
    ] = None,
    image_set: ImageSetOption = None,
    held_out: HeldOutSetsOption = None,
    validation_frames: ValidationFramesOption = None,
    synthetic: SyntheticClipsOption = None,
    stills: StillsOption = None,
    coco: CocoOption = None,
    cutouts: CutoutsOption = None,
    backgrounds: BackgroundsOption = None,
    moving: MovingOption = None,
    option: OptionValues = None,
    steps: Annotated[
        int | None,
        _change(
            metavar="N", help="Length of the whole run: the last stage is made shorter or longer."
        ),
    ] = None,
    epochs: Annotated[int | None, _change(metavar="N", help="Epochs a stage.")] = None,
    size: Annotated[
        str | None, _change(metavar="WxH", help="Width and height, multiples of 16.")
    ] = None,
    frames: Annotated[int | None, _change(metavar="T", help="Frames a clip.")] = None,
    clips: Annotated[int | None, _change(metavar="N", help="Clips a step, or crops.")] = None,
    clips_per_pass: Annotated[
        int | None,
        _change(
            metavar="N",
            help="Clips that go through the network at once; --clips is a multiple of it times "
            "the number of processes.",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        _change("--learning-rate", "--lr", metavar="X", help="At the start of each stage."),
    ] = None,
    seed: Annotated[int | None, _change(min=0, metavar="N", help="Of weights and clips.")] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None, _change(help="Of the convolutions.")
    ] = None,
    validate_every: Annotated[
        int | None, _change(metavar="N", help="Steps between validations.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, _change(metavar="N", help="Steps between checkpoints.")
    ] = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Train a network on video with masks, on clips made of photographs, or on made-up ones."""
    began = time.monotonic()
    from ddeal_core.training import FirstMaskRecipe
    from ddeal_core.weights.bundled import weights_file

    chosen = changed_recipe(
        read_recipe(recipe, run=output if resume else None),
        epochs=epochs,
        size=None if size is None else parse_size(size, clips=True),
        frames=frames,
        clips=clips,
        clips_per_pass=clips_per_pass,
        learning_rate=learning_rate,
        steps=steps,
        seed=seed,
        precision=precision,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
    )
    if show_recipe:
        typer.echo(json.dumps(chosen.to_dict(), indent=1))
        return
    if output is None:
        raise InputError("name the folder of the run, as in: ddeal train -o runs/mine")
    if initial is not None:
        weights_file(initial)
    if isinstance(chosen, FirstMaskRecipe):
        unused = (held_out, synthetic, cutouts, backgrounds, moving, option, packed)
        if any(value is not None for value in unused):
            raise InputError("the recipe first-mask learns from DATASET, --stills and --coco alone")
    choice = DataChoice.of(
        datasets=datasets,
        image_set=image_set,
        held_out=held_out,
        material=Material.of(stills, coco, cutouts, backgrounds, moving),
        synthetic=synthetic,
        options=option,
        validation_frames=validation_frames,
    )
    if packed is not None:
        choice = open_packed(packed, choice)
    if resume:
        choice = choice.or_stored(output)
    data = open_data(choice, read_options(choice.options))

    from ddeal_core.tracking import resolve_device
    from ddeal_core.training import FirstMaskTrainer, Trainer, join_world

    begun = from_scratch or initial is not None or (resume and (output / "checkpoint.pt").is_file())
    state = imagenet_for(chosen, imagenet, begun=begun)
    world = join_world(resolve_device(device))
    try:
        common: dict[str, Any] = {
            "world": world,
            "resume": resume,
            "initial": initial,
            "imagenet": state,
            "workers": workers,
        }
        trainer = (
            FirstMaskTrainer(chosen, data, output, **common)
            if isinstance(chosen, FirstMaskRecipe)
            else Trainer(
                chosen,
                data,
                output,
                from_scratch=from_scratch,
                validation_frames=choice.validation_frames,
                **common,
            )
        )
        if resume and world.leads and not (output / "checkpoint.pt").is_file():
            say(f"warning: {output} holds no checkpoint: the run begins anew")
        if world.leads:
            choice.store(output)
        deadline = None if minutes is None else began + 60 * minutes
        last = _run(trainer, world, deadline, quiet=quiet or not world.leads)
    finally:
        world.leave()
    if world.leads:
        _show_end(output, last, quiet=quiet, json_=json_)


def _run(
    trainer: "Trainer | FirstMaskTrainer", world: "World", deadline: float | None, *, quiet: bool
) -> "LogRow | None":
    recipe, began = trainer.recipe, trainer.step
    preset = f"{recipe.name}: {getattr(recipe, 'preset', 'hints')}, {recipe.steps} steps"
    several = "" if world.size == 1 else f" x {world.size}"
    where = f"from step {began}, " if began else ""
    say(f"{preset}, {where}on {world.device}{several}, {trainer.folder}", quiet=quiet)
    for part in trainer.data.description:
        say(f"data: {part}", quiet=quiet)
    last = None
    line = ProgressLine("train", total=recipe.steps, unit="steps", quiet=quiet, begun=began)
    try:
        with line:
            for last in trainer.run(deadline=deadline):
                line.advance(note=_numbers(last))
                if last.validated:
                    say(
                        f"step {last.step + 1}: held-out J {last.held_out_j:.3f}, "
                        f"F {last.held_out_f:.3f}; {_numbers(last)}",
                        quiet=quiet,
                    )
        if trainer.step < recipe.steps:
            say(f"time is up at step {trainer.step}; --resume goes on from here", quiet=quiet)
    except KeyboardInterrupt:
        say(f"stopped at step {trainer.step}; --resume goes on from the last checkpoint")
        raise
    return last


def _numbers(row: "LogRow") -> str:
    return (
        f"{row.stage}: loss {row.loss:.3f}, J {row.jaccard:.3f}, lr {row.learning_rate:.2g}, "
        f"waiting for data {row.data_share:.0%}"
    )


def _show_end(folder: Path, last: "LogRow | None", *, quiet: bool, json_: bool) -> None:
    if last is None:
        say("the run had reached its end before: more --steps make it longer", quiet=quiet)
    files = {
        "weights": folder / "weights.safetensors",
        "best": folder / "best.safetensors",
        "log": folder / "log.csv",
        "curves": folder / "log.png",
    }
    there = {name: str(path) for name, path in files.items() if path.is_file()}
    for name, path in there.items():
        say(f"{name:<9}{path}", quiet=quiet)
    if json_:
        record: dict[str, Any] = {"run": str(folder), **there}
        if last is not None:
            record |= {"steps": last.step + 1, "loss": last.loss, "J": last.jaccard}
            if last.validated:
                record |= {"held_out_J": last.held_out_j, "held_out_F": last.held_out_f}
        emit_json(record)
