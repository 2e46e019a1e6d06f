"""Which videos there are, where their masks lie, and where their results go."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from ddeal_core.batch.job import Job
from ddeal_core.choices import OutputKind
from ddeal_core.errors import InputError
from ddeal_core.media.file_kinds import IMAGE_ENDINGS, VIDEO_ENDINGS, is_image, natural_key
from ddeal_core.media.masks.mask_set import mask_files
from ddeal_core.media.outputs.writers import is_folder
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.runs.request import OutputOptions, VideoRequest
from ddeal_core.video_names import is_live

_FIELD = re.compile(r"\{(\w*)\}")
_FIELDS = ("stem", "name", "parent")


def find_videos(words: Sequence[str | os.PathLike[str]]) -> tuple[list[str], bool]:
    """Find the videos that a user names.

    Args:
        words: Videos; folders of images, which are one video each; folders of videos and of
            folders of images, as DAVIS's JPEGImages/480p is; patterns of any of these
            (``'clips/*.mp4'``). A pattern of images is one video.

    Returns:
        The videos, and whether "many" was meant: by more than one word, or by a folder or a
        pattern of videos, however many it holds.

    Raises:
        InputError: Live input is one of several, or a video is named twice.
    """
    texts = [os.fspath(word) for word in words]
    videos: list[str] = []
    for text in texts:
        if len(texts) > 1 and is_live(text):
            raise InputError(f"{text} is live and has to be the only input")
        videos += _expanded(text)
    many = len(texts) > 1 or videos != texts
    places: dict[str, str] = {}
    for video in videos:
        place = _place(video)
        if many and place in places:
            raise InputError(f"{video} is named twice: give each video once")
        places[place] = video
    return videos, many


def _expanded(text: str) -> list[str]:
    where = Path(text)
    if where.is_dir():
        entries = [entry for entry in where.iterdir() if not entry.name.startswith(".")]
    elif not where.exists() and glob.has_magic(text):
        entries = [Path(match) for match in glob.glob(text, recursive=True)]  # noqa: PTH207
    else:
        return [text]
    if any(is_image(entry) for entry in entries):
        return [text]
    videos = [entry for entry in entries if _is_video(entry)]
    videos.sort(key=lambda path: (natural_key(path.name), str(path)))
    return [str(video) for video in videos] or [text]  # `open_source` says what is wrong with it


def _is_video(path: Path) -> bool:
    if path.is_dir():
        return any(is_image(entry) for entry in path.iterdir())
    return path.suffix.lower() in VIDEO_ENDINGS


def default_folder(video: str) -> Path:
    """Name the folder of masks after the video: ``clip_masks``, in the current folder.

    Dots become underscores: a name with an ending would stand for a video.
    """
    return Path(f"{_names(video)['stem'].replace('.', '_') or 'video'}_masks")


def _names(video: str) -> dict[str, str]:
    """What ``{stem}``, ``{name}`` and ``{parent}`` stand for."""
    path = Path(video)
    if path.is_dir():
        path = path.resolve()
        return {"stem": path.name, "name": path.name, "parent": path.parent.name}
    if path.is_file():
        return {"stem": path.stem, "name": path.name, "parent": path.resolve().parent.name}
    if is_live(video):
        name = "video" if video == "-" else re.split("[^a-zA-Z]", video)[0]
        return {"stem": name, "name": name, "parent": ""}
    folder = Path(os.path.realpath(path.parent))  # a pattern stands for its folder
    return {"stem": folder.name, "name": folder.name, "parent": folder.parent.name}


def has_field(word: str) -> bool:
    """Whether a word has a place for a video's name, and is no file that is there as it is."""
    return any(f"{{{field}}}" in word for field in _FIELDS) and not Path(word).exists()


def _filled(word: str, names: dict[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[1] not in names:
            raise InputError(
                f"{word}: {match[0]} is unknown; there are {{stem}}, {{name}}, {{parent}}"
            )
        return names[match[1]]

    return _FIELD.sub(fill, word)


def plan(
    requests: Sequence[VideoRequest],
    outputs: OutputOptions,
    *,
    mask_dir: str | os.PathLike[str] | None = None,
) -> list[Job]:
    """Give each video its masks and its outputs.

        plan([VideoRequest("a.mp4"), VideoRequest("b.mp4")], OutputOptions(["{stem}.mov", "masks"]),
             mask_dir="first")

    Args:
        requests: The videos, as from `find_videos`. Names of masks have ``{stem}`` (``clip``),
            ``{name}`` (``clip.mp4``) or ``{parent}`` (the folder it lies in) wherever the video's
            name belongs.
        outputs: Names with the same fields. A folder without any gets a folder for each video; no
            name at all stands for ``<stem>_masks`` in the current folder.
        mask_dir: Folder in which each video's mask is found by its name: see `find_mask`.

    Returns:
        A job for each video, in order. One without a mask has its fault told in it.

    Raises:
        InputError: Masks or outputs are not told apart between videos, results would replace an
            input or each other, or there is a mask for none of the videos.
    """
    if any((mask_dir is None) == (not request.mask_names) for request in requests):
        raise InputError("give either masks or a folder of masks")
    if mask_dir is not None and not Path(mask_dir).is_dir():
        raise InputError(f"there is no folder {mask_dir} with masks")
    if len(requests) > 1:
        for word in (mask for request in requests for mask in request.mask_names):
            if not has_field(word):
                raise InputError(
                    f"{word} is one mask for {len(requests)} videos: name a folder of masks, or "
                    "write the video's name as {stem}, as in masks/{stem}.png"
                )
    jobs = [_planned(each, outputs, mask_dir, several=len(requests) > 1) for each in requests]
    if all(job.fault for job in jobs):
        fault = str(jobs[0].fault)
        raise InputError(fault if len(jobs) == 1 else f"no video has a mask; the first: {fault}")
    _check_places(jobs)
    return jobs


def _planned(
    request: VideoRequest,
    outputs: OutputOptions,
    mask_dir: str | os.PathLike[str] | None,
    *,
    several: bool,
) -> Job:
    video = str(request.video)
    names = _names(video)
    results = [_output(word, names, several=several) for word in outputs.output_names]
    own = replace(outputs, names=results or str(default_folder(video)))
    if mask_dir is None:
        masks = [_filled(word, names) for word in request.mask_names]
        return Job(replace(request, masks=masks), own)
    try:
        mask = find_mask(Path(mask_dir), names["stem"])
    except InputError as error:
        return Job(request, own, fault=str(error))
    return Job(replace(request, masks=str(mask)), own, by_rule=mask.is_dir())


def _output(word: str, names: dict[str, str], *, several: bool) -> str:
    if _FIELD.search(word):
        return _filled(word, names)
    path = Path(_without_kind(word))
    kind = word.partition("=")[0] if path != Path(word) else None
    if not is_folder(path, cast("OutputKind | None", kind)):
        if several:
            raise InputError(
                f"{word} is one file for several videos: write the video's name as {{stem}}, "
                f"as in '{{stem}}{path.suffix}'"
            )
        return word
    return str(Path(word) / names["stem"].replace(".", "_"))


def _without_kind(word: str) -> str:
    front, sign, rest = word.partition("=")
    return rest if sign and rest and front in get_args(OutputKind) else word


def _place(name: str) -> str:
    # unlike `Path.resolve`, it has no trouble with links in a circle
    return os.path.normcase(os.path.realpath(name))


def _check_places(jobs: Iterable[Job]) -> None:
    """Refuse results in one place with each other, with an input, or with a mask."""
    jobs = list(jobs)
    videos = {_place(job.video): job.video for job in jobs}
    masks = {_place(mask): mask for job in jobs for mask in job.request.mask_names}
    writers: dict[str, str] = {}
    for job in jobs:
        for output in job.outputs.output_names:
            path = _without_kind(output)
            place = _place(path)
            for given, what in ((videos, "input"), (masks, "mask")):
                if place in given:
                    raise InputError(
                        f"{path} is the {what} {given[place]}: write the results of {job.video} "
                        "somewhere else"
                    )
            other = writers.setdefault(place, job.video)
            if other != job.video:
                raise InputError(
                    f"{other} and {job.video} would both be written to {path}: tell them apart, "
                    "for instance by {parent} or {name} in the output's name"
                )


def find_mask(folder: Path, stem: str) -> Path:
    """Find the mask of a video by its name.

    Args:
        folder: Holds an image (``clip.png``) or a folder (``clip/``) for each video.
        stem: The video's name without ending; of a folder of images, the folder's name.

    Returns:
        The image, or the folder: see `masks_in`.

    Raises:
        InputError: There is none, or more than one.
    """
    found = [folder / f"{stem}{ending}" for ending in sorted(IMAGE_ENDINGS)]
    found = [path for path in found if path.is_file()]
    if (folder / stem).is_dir():
        found.append(folder / stem)
    if not found:
        raise InputError(
            f"no mask in {folder}: name it {stem}.png, or make a folder {stem} with masks by frame"
        )
    if len(found) > 1:
        raise InputError(f"{found[0]} and {found[1]} are both masks for it: keep one of them")
    return found[0]


def masks_in(folder: Path, source: FrameSource) -> list[str]:
    """Say which masks of a folder a video begins with, as words for `read_masks`.

    - Masks of some frames are each for the frame that they are named by.
    - Where every frame has one, as in the annotations of DAVIS, the first is meant: with all of
      them nothing would be left to do.
    - A single mask whose name fits no frame (``00000.png`` beside ``img_0001.jpg``) belongs to
      the first frame.

    Raises:
        InputError: No mask is for any frame.
    """
    try:
        files = mask_files([folder], source=source)
    except InputError:
        images = [path for path in folder.iterdir() if is_image(path)]
        if len(images) != 1:
            raise
        return [str(images[0])]
    consecutive = list(files) == list(range(source.start, source.start + len(files)))
    if consecutive and len(files) > 1:
        count = source.info.exact_count
        if len(files) >= (sum(1 for _ in source) if count is None else count):
            return [str(files[source.start])]
    return [str(folder)]
