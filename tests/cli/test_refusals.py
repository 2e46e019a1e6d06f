"""A refusal that needs no network comes before torch is imported, which takes seconds."""

import json

# One process for all, in which torch cannot be imported.
PROGRAM = """
import json, sys, traceback
from ddeal_cli.main import main
sys.modules["torch"] = None
answers = []
for words in json.load(sys.stdin):
    try:
        answers.append(main(words))
    except ImportError as error:
        places = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        answers.append([place for place in places if "ddeal_c" in place])
print()
print(json.dumps(answers))
"""

REFUSED = [
    "segment nothing.mp4 -m first.png",
    "segment clip.mp4",
    "segment clip.mp4 -m nothing.png",
    "segment clip.mp4 -m first.png -o here.docx",
    "segment clip.mp4 -m first.png -w nothing.safetensors",
    "segment clip.mp4 -m first.png --objects 7",
    "segment clip.mp4 -m first.png --without supplementary --resolution tall",
    "segment clip.mp4 -m first.png -o here.txt",
    "segment clip.mp4 -m first.png -o filled",
    "segment clip.mp4 -m first.png -b nothing.jpg",
    "segment clip.mp4 --box 1,2,3",
    "segment clip.mp4 --direction both --reverse -m first.png",
    "segment filled/ nothing/ --mask-dir filled",
    "mask nothing.mp4 --box 1,2,3,4",
    "mask clip.mp4 --box 900,900,3,4",
    "verify nothing",
    "annotate nothing.mp4",
    "annotate clip.mp4 -m nothing.png",
    "annotate clip.mp4 -o clip.mp4",
    "annotate clip.mp4 -w nothing.safetensors",
    "demo -o filled",
    "demo -w nothing.safetensors",
    "eval nothing",
    "eval empty",
    "eval empty --results nothing --baselines",
    "eval --annotations nothing",
    "train",
    "train nothing -o run",
    "train -o run --recipe nothing.json",
    "train -o run --size 50x64",
    "train -o run --size big",
    "train -o run --initial nothing.safetensors",
    "bench nothing.mp4 -m first.png",
    "bench clip.mp4",
    "bench --size 854",
    "bench --preset resnet7",
    "bench -w nothing.safetensors",
    "bench -o here.txt",
    "bench --compare nothing.json nothing.json",
    "pack-data out nothing",
    "pack-data",
    "make-synthetic out --size 8x8",
    "make-synthetic out --stills nothing",
    "make-synthetic",
    "weights info nothing.safetensors",
    "weights convert nothing.pth.tar -o out.safetensors",
    "weights convert nothing.pth.tar -o out.bin",
]


def test_a_refusal_does_not_wait_for_torch(run_python, tiny_clip, tmp_path):
    for name, file in (("clip.mp4", tiny_clip.video), ("first.png", tiny_clip.first_mask)):
        (tmp_path / name).symlink_to(file)
    for folder in ("filled", "empty"):
        (tmp_path / folder).mkdir()
    (tmp_path / "filled/notes.txt").write_text("mine")
    given = json.dumps([words.split() for words in REFUSED])
    said = run_python(PROGRAM, input=given, cwd=tmp_path)
    # exit state of each, or where it imports torch
    answers = dict(zip(REFUSED, json.loads(said.splitlines()[-1]), strict=True))
    assert answers == dict.fromkeys(REFUSED, 2)
