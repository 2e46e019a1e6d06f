"""What the README and the pages of docs/ tell people to type, typed."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddeal_cli.main import main
from ddeal_core.media import write_mask
from ddeal_core.weights import BUNDLED, Checkpoint, save_checkpoint

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("segment", "first-mask", "python", "evaluation")),
    *(ROOT / "docs" / f"{name}.md" for name in ("speed", "train", "networks")),
]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

# Elsewhere: the demo, the page and the authors' checkpoint (163 MB) in tests/cli and tests/weights.
LEFT_OUT = ("ddeal demo", "authors", "ddeal annotate")  # a server does not end by itself
# A real run takes hours; the words that the README has are kept.
TINY_RUN = shlex.split("--steps 1 --size 48x32 --frames 3 --clips 1 --workers 0 --from-scratch")
FIRST_MASK_RUN = shlex.split("--steps 1 --size 64x64 --clips 1 --workers 0 --from-scratch")

SMALLER = {"120=": "4=", "--jobs 2": "--jobs 1", "--clips 100": "--clips 2", "432x240": "96x64"}
SMALLER["--objects 1 --objects 5"] = "--objects 2"


def commands() -> dict[Path, list[str]]:
    """Those of each page, in its order; what two pages have is tried once."""
    found: dict[str, Path] = {}
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in (line.split("#")[0].strip() for line in block.splitlines()):
                if line.startswith("ddeal ") and not any(part in line for part in LEFT_OUT):
                    found.setdefault(line, page)
    pages = dict.fromkeys(found.values())
    return {page: [line for line in found if found[line] == page] for page in pages}


@pytest.fixture(scope="module")
def home(tiny_clip, make_network, tmp_path_factory) -> Path:
    """A folder with every file that the README's commands name."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(tiny_clip.video, home / "clip.mp4")
    write_mask(home / "first.png", tiny_clip.masks[0])
    more = tiny_clip.masks[4].copy()  # the same object, and another one
    more[:12, :20] = 2
    write_mask(home / "more.png", more)
    write_mask(home / "last.png", tiny_clip.masks[-1])
    write_mask(home / "rough.png", tiny_clip.masks[1])
    for name in ("a", "b"):
        (home / "clips").mkdir(exist_ok=True)
        shutil.copy(tiny_clip.video, home / f"clips/{name}.mp4")
        (home / "first-masks").mkdir(exist_ok=True)
        write_mask(home / f"first-masks/{name}.png", tiny_clip.masks[0])
    Image.fromarray(tiny_clip.frames[0]).save(home / "beach.jpg")
    (home / "given-masks").mkdir()
    write_mask(home / "given-masks/00000.png", tiny_clip.masks[0] * 38)
    write_mask(home / "given-masks/00003.png", tiny_clip.masks[3])
    shutil.copytree(tiny_clip.images, home / "frames")
    shutil.copy(BUNDLED, home / "mine.safetensors")
    tiny = make_network("released-resnet50")
    save_checkpoint(Checkpoint(tiny.config, tiny.state_dict()), home / "tiny.safetensors")
    for folder in ("DAVIS/JPEGImages/480p", "DAVIS/Annotations/480p", "my-method"):
        (home / folder / "square").mkdir(parents=True)
    for index in range(4):
        frame, mask = tiny_clip.frames[index], tiny_clip.masks[index]
        Image.fromarray(frame).save(home / f"DAVIS/JPEGImages/480p/square/{index:05d}.jpg")
        write_mask(home / f"DAVIS/Annotations/480p/square/{index:05d}.png", mask)
        write_mask(home / f"my-method/square/{index:05d}.png", np.roll(mask, 1, axis=1))
    (home / "nuke_mattes").mkdir()
    for index, mask in enumerate(tiny_clip.masks, start=1001):
        Image.fromarray(mask * 255).save(home / f"nuke_mattes/matte.{index}.png")
    sets = home / "DAVIS/ImageSets"
    sets.mkdir()
    for name in ("train", "val", "dev"):
        (sets / f"{name}.txt").write_text("square\n")
    for folder in ("photos/images", "photos/masks", "places", "emoji"):
        (home / folder).mkdir(parents=True)
    Image.fromarray(tiny_clip.frames[0]).save(home / "photos/images/a.jpg")
    write_mask(home / "photos/masks/a.png", tiny_clip.masks[0])
    Image.fromarray(tiny_clip.frames[5]).save(home / "places/a.jpg")
    alpha = np.zeros((24, 24, 4), np.uint8)
    alpha[4:20, 4:20] = 255
    Image.fromarray(alpha).save(home / "emoji/a.png")
    return home


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md"), PAGES[0]],
    ids=lambda page: page.name,
)  # fmt: skip
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_there_are_commands_to_try():
    tried = {line.split()[1] for lines in commands().values() for line in lines}
    assert {"segment", "eval", "make-synthetic", "train", "bench"} <= tried


def shortened(line: str) -> list[str]:
    """Words of a command, with what makes it small and lets it run again."""
    for large, small in SMALLER.items():
        line = line.replace(large, small)
    words = shlex.split(line)[1:]
    if words[0] == "segment" or (words[0] == "eval" and "--results" not in words):
        words += ["--weights", "tiny.safetensors"]
    if words[0] == "train" and "--resume" not in words:
        shutil.rmtree("runs", ignore_errors=True)
        # Crops for first masks are square, and of single pictures.
        words += FIRST_MASK_RUN if "first-mask" in words else TINY_RUN
    if words[0] == "bench" and "--compare" not in words:
        # A small network, without a memory that is filled before anything is measured.
        words += ["--frames", "1", "--device", "cpu", "--weights", "tiny.safetensors"]
        words += [] if "clip.mp4" in words else ["--size", "96x64"]
        words += ["--objects", "1", "--objects", "2"] if "--growth" in words else []
        words += [] if {"clip.mp4", "--objects"} & set(words) else ["--objects", "1"]
    if words[0] == "eval-first-mask":  # test_first_mask_commands.py measures what was trained
        words += ["--method", "grabcut"]
    for name in {"bench": ["--preset"], "eval-first-mask": ["--stills"]}.get(words[0], []):
        if name in words:  # of which there is the small one, or one photo that is not held out
            at = words.index(name)
            del words[at : at + 2]
    if words[0] in ("segment", "render") and "--resume" not in words:
        words += ["--overwrite"]  # other commands have the same outputs
    return words


@pytest.mark.parametrize("page", commands(), ids=lambda page: page.name)
def test_the_commands_of_a_page_work_one_after_the_other(
    page, home, narrow_presets, quick_peaks, monkeypatch, capsys
):
    monkeypatch.chdir(home)
    for line in commands()[page]:
        if "--compare" in line:
            shutil.copy("a.json", "b.json")
        assert main(shortened(line)) == 0, f"{line}\n{capsys.readouterr().err}"


def test_the_options_of_the_table_exist(capsys):
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    main(["segment", "--help"])
    main(["eval", "--help"])
    main(["train", "--help"])
    main(["bench", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert named <= known


def test_the_python_example_runs(tiny_clip, monkeypatch):
    blocks = dict.fromkeys(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    assert blocks
    frames = iter(tiny_clip.frames[:3])
    for block in blocks:
        scope = {"frames": frames, "first_mask": tiny_clip.masks[0]}
        exec(compile(block, "README.md", "exec"), scope)
        assert scope["result"].labels.shape == tiny_clip.frames[0].shape[:2]
