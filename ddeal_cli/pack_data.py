"""``ddeal pack-data``: everything a run learns from, in one small folder."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    Folder,
    HeldOutSetsOption,
    ImageSetOption,
    Material,
    MovingOption,
    StillsOption,
    SyntheticClipsOption,
    ValidationFramesOption,
)
from ddeal_cli.options import Json, Quiet
from ddeal_cli.progress import ProgressLine
from ddeal_cli.training_data import DataChoice, annotated, scorable
from ddeal_core.errors import InputError

if TYPE_CHECKING:
    from ddeal_core.datasets.packing import Packing

_small = options_in("How small")


@app.command(
    "pack-data",
    epilog=epilog(
        "ddeal pack-data packed DAVIS --held-out DAVIS:val --stills photos",
        "ddeal pack-data packed DAVIS --short-side 240 --quality 45",
        "ddeal train --packed packed -o runs/mine",
        notes=("The folder appears when it is whole. It can be moved, copied or put in a tar.",),
    ),
)
def pack_data(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; new or empty.")],
    datasets: DatasetsArgument = None,
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
    recipe: Annotated[
        str,
        _small(
            metavar="NAME|FILE.json",
            autocompletion=complete_recipes,
            help="Whose clips the data are for; only their height counts.",
        ),
    ] = "compact",
    short_side: Annotated[
        int | None,
        _small(
            min=16,
            metavar="N",
            help="Larger pictures are reduced to this shorter side. Default: 4/3 of the height "
            "of the recipe's tallest clips, which are cropped to 3/4 on average.",
        ),
    ] = None,
    quality: Annotated[int, _small(min=1, max=100, metavar="N", help="Of WebP pictures.")] = 60,
    held_out_short_side: Annotated[
        int | None,
        _small(
            min=16,
            metavar="N",
            help="The same for held-out frames and masks, whose files are else copied as they "
            "are; their scores then are those of other pictures.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes that encode. Default: one a core."),
    ] = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Pack training data at the size at which training sees them, to train elsewhere.

    Takes the options with which train is told its data; train --packed OUT then needs none.
    """
    from ddeal_cli.recipes import read_recipe
    from ddeal_core.datasets.packing import PackConfig, Packing, short_side_for
    from ddeal_core.training import FirstMaskRecipe
    from ddeal_core.workers import cores

    choice = DataChoice.of(
        datasets=datasets,
        image_set=image_set,
        held_out=held_out,
        material=Material.of(stills, coco, cutouts, backgrounds, moving),
        synthetic=synthetic,
        options=option,
        validation_frames=validation_frames,
    )
    read_options(choice.options)  # what is wrong with them is said here, not elsewhere
    if short_side is None:
        chosen = read_recipe(recipe)
        if isinstance(chosen, FirstMaskRecipe):
            raise InputError("the recipe first-mask reads its stills as they are: pack clips only")
        short_side = short_side_for(max(stage.size[0] for stage in chosen.stages))
    config = PackConfig(short_side, quality, held_out_short_side)
    packing = Packing(config)
    packed = _add(packing, choice)
    out = output.resolve()
    with ProgressLine("pack", total=len(packing), unit="items", quiet=quiet) as line:
        for _ in packing.write(out, asdict(packed), processes=jobs or cores()):
            line.advance()
    parts = packing.parts
    for part in parts:
        say(
            f"{part.kind:<12}{part.name}: {part.items} items, {part.files} files, "
            f"{part.bytes / 1e6:.1f} MB",
            quiet=quiet,
        )
    total = sum(part.bytes for part in parts)
    say(f"packed {total / 1e6:.1f} MB into {output}", quiet=quiet)
    if json_:
        record = {
            "output": str(output),
            "bytes": total,
            "files": sum(part.files for part in parts),
            "seconds": round(line.seconds, 1),
            **asdict(config),
            "parts": [asdict(part) for part in parts],
        }
        emit_json(record)


def _add(packing: "Packing", choice: DataChoice) -> DataChoice:
    """Plan everything, and name it by its paths within the packed folder."""
    from ddeal_core.training.validation import HeldOut

    packed: dict[Folder, Folder] = {}
    for folder in (*choice.datasets, *choice.material.moving):
        if folder not in packed:  # a dataset may be material, too
            path = packing.add_dataset(
                Path(folder[0]).name,
                annotated(folder),
                image_set=folder[1],
                # Validated on, too, where nothing is held out.
                every_frame=folder in choice.datasets and not choice.held_out,
            )
            packed[folder] = (path, folder[1])
    held_out = []
    frames = choice.validation_frames
    for folder in choice.held_out:
        found = scorable(annotated(folder), frames, named=True)
        seen = [HeldOut.of(sequence, max_frames=frames).sequence for sequence in found]
        path = packing.add_held_out(Path(folder[0]).name, seen, image_set=folder[1])
        held_out.append((path, folder[1]))
    material = choice.material
    stills = [packing.add_stills(Path(path)) for path in material.stills]
    # Stills come in this order; label maps take the place of polygons.
    stills += [packing.add_coco(Path(json), Path(images)) for json, images in material.coco]
    cutouts = [packing.add_cutouts(Path(path)) for path in material.cutouts]
    backgrounds = [packing.add_backgrounds(Path(path)) for path in material.backgrounds]
    if not len(packing):
        raise InputError(
            "nothing to pack: name datasets, --stills, --cutouts, --backgrounds or --moving"
        )
    return replace(
        choice,
        datasets=tuple(packed[folder] for folder in choice.datasets),
        held_out=tuple(held_out),
        material=Material(
            stills=tuple(stills),
            cutouts=tuple(cutouts),
            backgrounds=tuple(backgrounds),
            moving=tuple(packed[folder] for folder in material.moving),
        ),
    )
