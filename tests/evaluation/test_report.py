import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import HANG

from ddeal_core.datasets.layouts import DatasetSequence
from ddeal_core.errors import ConfigError, DatasetError, MaskError, OutputError
from ddeal_core.evaluation import DatasetScore, ObjectScore, SequenceScore
from ddeal_core.evaluation.paper_tables import TABLE_I
from ddeal_core.evaluation.report import (
    FramePictures,
    pictures_on_disk,
    write_comparison,
    write_report,
)
from ddeal_core.evaluation.report.pictures import picture, worst
from ddeal_core.evaluation.report.speed_chart import speed_chart
from ddeal_core.evaluation.report.time_chart import FrameAxis, time_chart
from ddeal_core.media.masks.mask_images import write_mask

NASTY = '<script>alert("1")</script> & "co"'


def an_object(sequence: str, number: int, low: float, count: int = 12) -> ObjectScore:
    frames = tuple(f"{i:05d}" for i in range(1, count + 1))
    j = tuple(round(low + (1 - low) * i / count, 4) for i in range(count, 0, -1))
    f = tuple(v * 0.9 for v in j)
    return ObjectScore(sequence, number, frames, j, f)


@pytest.fixture
def score() -> DatasetScore:
    return DatasetScore(
        "davis2017",
        "2017/val",
        (
            SequenceScore("bear", (an_object("bear", 1, 0.6),)),
            SequenceScore("goats", tuple(an_object("goats", i, 0.1 * i) for i in (1, 2, 3)), (7,)),
            SequenceScore(NASTY, (an_object(NASTY, 1, 0.3),)),
        ),
    )


def a_frame(sequence: str, frame: str) -> FramePictures:
    rng = np.random.default_rng(int(frame))
    image = rng.integers(0, 255, (54, 96, 3), dtype=np.uint8)
    truth = np.zeros((54, 96), np.uint8)
    truth[10:30, 20:40] = 1
    truth[10:30, 50:60] = 2
    truth[40:50, 50:60] = 3
    return FramePictures(image, truth, np.roll(truth, 5, axis=1))


class Page(HTMLParser):
    """What a page holds: balanced elements, texts, addresses."""

    VOID = frozenset({"meta", "img", "link", "br", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "tr" in self.open:
            self.rows[-1] += data + "|"

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attrs
            for name, attrs in self.tags
            if name == tag and all(attrs.get(k.rstrip("_")) == v for k, v in wanted.items())
        ]


def test_every_sequence_and_object_is_in_it(score: DatasetScore, tmp_path: Path) -> None:
    path = write_report(score, tmp_path / "new" / "out.html", frames=a_frame)
    page = Page(path.read_text(encoding="utf-8"))
    rows = [row.strip("|").split("|") for row in page.rows]
    by_name = {row[0]: row[1:] for row in rows}
    for sequence in score.sequences:
        assert sequence.name in by_name
    for o in score.sequences[1].objects:
        region, contour = o.region, o.contour
        assert by_name[f"object {o.object_id}"] == [
            "12",
            f"{o.j_and_f:.3f}",
            *(f"{v:.3f}" for v in (region.mean, region.recall, region.decay)),
            *(f"{v:.3f}" for v in (contour.mean, contour.recall, contour.decay)),
        ]
    assert by_name["all 5 objects"][1:3] == [f"{score.j_and_f:.3f}", f"{score.region.mean:.3f}"]
    assert by_name["goats"][2] == f"{score.sequences[1].j_mean:.3f}"
    assert len(page.all("polyline")) == 2 * len(score.objects)
    assert len(page.all("svg", class_="panel")) == 2 * len(score.sequences)
    assert len(page.all("p", class_="warn")) == 1  # of the id 7 in the results of goats
    assert any("(7); they are not scored" in text for text in page.texts)
    # Each link leads somewhere.
    anchors = {attrs.get("id") for _, attrs in page.tags}
    links = [attrs["href"] or "" for attrs in page.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in anchors for link in links)


def test_seen_and_unseen_categories(tmp_path: Path) -> None:
    seen = replace(an_object("zoo", 1, 0.6), category="<cat>", group="Seen")
    unseen = replace(an_object("zoo", 3, 0.2), category="gnu", group="Unseen")
    score = DatasetScore("ytvos", "all", (SequenceScore("zoo", (seen, unseen)),))
    page = Page(write_report(score, tmp_path / "out.html").read_text(encoding="utf-8"))
    assert f"{score.by_group['G']:.3f}" in page.texts
    assert {"object 1 · <cat> · seen", "object 3 · gnu · unseen"} <= set(page.texts)
    alone = DatasetScore("ytvos", "all", (SequenceScore("zoo", (unseen,)),))
    page = Page(write_report(alone, tmp_path / "out.html").read_text(encoding="utf-8"))
    assert "object 3 · gnu · unseen" in page.texts
    assert "\u2013" in page.texts  # no G without a seen category


def test_it_needs_nothing_but_itself(score: DatasetScore, tmp_path: Path) -> None:
    text = write_report(score, tmp_path / "out.html", frames=a_frame).read_text(encoding="utf-8")
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    page = Page(text)
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "base")]
    images = page.all("img")
    assert images
    assert all((a["src"] or "").startswith("data:image/jpeg;base64,") for a in images)
    assert not [a for a in page.all("script") if a]
    assert "prefers-color-scheme: dark" in text


def test_names_are_escaped(score: DatasetScore, tmp_path: Path) -> None:
    path = write_report(
        score,
        tmp_path / "out.html",
        frames=a_frame,
        title='<b>"$title" a&b\udcff',
        seconds_per_frame=0.1,
    )
    text = path.read_text(encoding="utf-8")
    assert NASTY not in text
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &quot;co&quot;" in text
    page = Page(text)
    assert len(page.all("script")) == 1
    assert '<b>"$title" a&b\\udcff' in page.texts
    assert any(NASTY in (a["alt"] or "") for a in page.all("img"))


def test_same_score_same_bytes(score: DatasetScore, tmp_path: Path) -> None:
    first = write_report(score, tmp_path / "a.html", frames=a_frame, seconds_per_frame=0.2)
    second = write_report(score, tmp_path / "b.html", frames=a_frame, seconds_per_frame=0.2)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_a_failure_leaves_the_old_page(score: DatasetScore, tmp_path: Path) -> None:
    path = write_report(score, tmp_path / "out.html")
    before = path.read_bytes()

    def broken(sequence: str, frame: str) -> FramePictures:
        raise DatasetError("no such frame")

    with pytest.raises(DatasetError, match="no such frame"):
        write_report(score, path, frames=broken)
    assert path.read_bytes() == before
    # A reader that has the old page open keeps it whole: the new one is another file.
    (tmp_path / "open.html").hardlink_to(path)
    write_report(score, path, title="another")
    assert path.read_bytes() != before
    assert (tmp_path / "open.html").read_bytes() == before
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_report(score, tmp_path / "folder")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(score, path / "below-a-file.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "open.html", "out.html"]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(
    score: DatasetScore, tmp_path: Path, seconds: float
) -> None:
    with pytest.raises(ConfigError, match="seconds a frame"):
        write_report(score, tmp_path / "out.html", seconds_per_frame=seconds)
    assert not (tmp_path / "out.html").exists()


def test_speed_is_shown_where_it_says_something(score: DatasetScore, tmp_path: Path) -> None:
    def speed(of: DatasetScore, seconds: float | None) -> tuple[int, str]:
        path = write_report(of, tmp_path / "out.html", seconds_per_frame=seconds)
        text = path.read_text(encoding="utf-8")
        return len(Page(text).all("svg", class_="speed")), text

    assert speed(score, None)[0] == 0
    count, text = speed(score, 0.05)
    assert count == 1
    assert "its height does not compare" in text
    of_2016 = DatasetScore("davis2016", "val", score.sequences)
    assert speed(of_2016, None)[0] == 1
    assert "does not compare" not in speed(of_2016, 0.05)[1]


def test_dots_are_table_one_and_the_run() -> None:
    page = Page(speed_chart(0.5, 0.004))
    dots = [r for r in TABLE_I if r.j_and_f is not None]
    assert len(page.all("circle")) == len(dots) == 19
    assert len(page.all("g", class_="dot run")) == 1
    assert len(page.all("path", class_="arrow")) == 2
    labels = [a for a in page.all("text") if (a["class"] or "").startswith("label")]
    assert len(labels) == len(dots) + 1
    tips = [t for t in page.texts if "a frame" in t and "%" in t]
    circles = page.all("circle")
    xs = {tip.split(":")[0]: float(c["cx"] or 0) for tip, c in zip(tips, circles, strict=False)}
    ys = {tip.split(":")[0]: float(c["cy"] or 0) for tip, c in zip(tips, circles, strict=False)}
    assert xs["DDEAL Res50"] < xs["DDEAL Res101"] < xs["OSVOS VGG16"] < xs["Lucid DeepLabv2"]
    assert ys["OSVOS-S VGG16"] < ys["DDEAL Res101"] < ys["VPN "]
    # A factor of ten is as long everywhere: 0.13 to 1.30 as 0.45 to 4.5.
    ten = xs["CTN VGG16"] - xs["RGMP Res50"]
    assert xs["OSVOS-S VGG16"] - xs["FEELVOS DeepLabv3+"] == pytest.approx(ten, abs=0.2)
    level = Page(speed_chart(0.8, None))
    assert not level.all("g", class_="dot run")
    assert level.all("path", class_="run level")


def test_table_one_agrees_with_itself() -> None:
    assert len(TABLE_I) == 20
    assert sum(r.fine_tuned for r in TABLE_I) == 9
    for row in TABLE_I:
        if row.f is not None and row.j_and_f is not None:
            assert abs((row.j + row.f) / 2 - row.j_and_f) < 0.051 + 1e-9, row


def test_lines_hold_the_values() -> None:
    o = an_object("bear", 2, 0.5)
    axis = FrameAxis.of([o])
    assert (axis.first, axis.last, axis.digits) == (1, 12, 5)
    points = Page(time_chart([o], measure="F", axis=axis)).all("polyline")[0]["points"] or ""
    found = [tuple(map(float, p.split(","))) for p in points.split()]
    assert [x for x, _ in found] == list(range(1, 13))
    assert [y for _, y in found] == pytest.approx(o.f, abs=5e-5)


def test_long_lines_keep_their_extremes() -> None:
    j = np.full(10_000, 0.8)
    j[4321], j[7777] = 0.01, 0.99
    frames = tuple(f"{i:05d}" for i in range(10_000))
    o = ObjectScore("long", 1, frames, tuple(j.tolist()), tuple(j.tolist()))
    points = Page(time_chart([o], measure="J", axis=FrameAxis.of([o]))).all("polyline")[0]["points"]
    assert points is not None
    assert len(points.split()) <= 1300
    assert "4321,0.01" in points.split()
    assert "7777,0.99" in points.split()


def test_frames_without_numbers_and_single_frames() -> None:
    o = ObjectScore("odd", 1, ("a", "b", "c"), (1.0, 0.5, 0.0), (1.0, 0.5, 0.0))
    assert FrameAxis.of([o]).positions == {"a": 1, "b": 2, "c": 3}
    twice = ObjectScore("odd", 1, ("1", "01"), (1.0, 0.5), (1.0, 0.5))
    assert sorted(FrameAxis.of([twice]).positions.values()) == [1, 2]
    one = ObjectScore("one", 1, ("00007",), (0.5,), (0.25,))
    page = Page(time_chart([one], measure="F", axis=FrameAxis.of([one])))
    assert page.all("polyline")[0]["points"] == "7,0.25 7,0.25"


def test_worst_frames_come_first_and_apart(score: DatasetScore) -> None:
    chosen = worst(score, count=7)
    assert len(chosen) == 7
    means = [(w.j + w.f) / 2 for w in chosen]
    assert means == sorted(means)
    everywhere = [(j + f) / 2 for o in score.objects for j, f in zip(o.j, o.f, strict=True)]
    assert means[0] == min(everywhere)
    for key in {(w.sequence, w.object_id) for w in chosen}:
        assert sum((w.sequence, w.object_id) == key for w in chosen) <= 3
    long = an_object("long", 1, 0.1, count=80)
    of_one = worst(DatasetScore("davis2017", "all", (SequenceScore("long", (long,)),)), count=9)
    assert [w.frame for w in of_one] == ["00080", "00070", "00060"]
    perfect = ObjectScore("ok", 1, ("00001",), (1.0,), (1.0,))
    of_perfect = DatasetScore("davis2017", "all", (SequenceScore("ok", (perfect,)),))
    assert worst(of_perfect, count=3) == ()


def test_a_perfect_score_has_no_pictures(tmp_path: Path) -> None:
    perfect = ObjectScore("ok", 1, ("00001",), (1.0,), (1.0,))
    score = DatasetScore("davis2017", "all", (SequenceScore("ok", (perfect,)),))
    text = write_report(score, tmp_path / "out.html", frames=a_frame).read_text(encoding="utf-8")
    assert "Every scored frame is perfect" in text
    assert "<img" not in text


def _decoded(uri: str) -> np.ndarray:
    import base64
    import io

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))).astype(int)


def test_a_picture_shows_truth_and_prediction() -> None:
    image = np.full((180, 320, 3), 60, np.uint8)
    truth, found = np.zeros((180, 320), np.uint8), np.zeros((180, 320), np.uint8)
    truth[20:160, 20:140] = 2
    found[20:160, 170:300] = 2
    uri, zoom = picture(FramePictures(image, truth, found), 2)
    shown = _decoded(uri)
    assert shown.shape == (315, 560, 3)
    assert zoom == pytest.approx(1)
    scale = 560 / 320
    red, green, blue = shown[round(90 * scale), round(235 * scale)]
    assert red > green + 40 > blue + 60
    assert abs(shown[round(90 * scale), round(80 * scale)] - 60).max() < 12
    assert shown[round(90 * scale), round(18 * scale) : round(23 * scale)].max() > 230
    assert shown[round(90 * scale), round(225 * scale) : round(245 * scale)].min() < 230
    # A small object is shown closer up, whole.
    truth[:], found[:] = 0, 0
    truth[100:110, 200:210] = 1
    uri, zoom = picture(FramePictures(image, truth, found), 1)
    assert zoom == pytest.approx(3, abs=0.1)
    assert (_decoded(uri).min(axis=2) > 230).any()


@pytest.mark.parametrize("shape", [(1, 1), (5, 900), (900, 5), (37, 53)])
def test_pictures_of_any_size(shape: tuple[int, int]) -> None:
    mask = np.ones(shape, np.uint8)
    uri, zoom = picture(FramePictures(np.zeros((*shape, 3), np.uint8), mask, mask), 1)
    height, width = _decoded(uri).shape[:2]
    assert height <= 315
    assert width <= 560
    assert zoom >= 0.99


def test_pictures_must_fit() -> None:
    image, mask = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    with pytest.raises(MaskError, match="one size"):
        FramePictures(image, mask, mask[:2])


def test_pictures_on_disk(tmp_path: Path) -> None:
    frame = a_frame("bear", "1")
    images, annotations = tmp_path / "images", tmp_path / "annotations"
    for folder in (images, annotations, tmp_path / "results" / "bear"):
        folder.mkdir(parents=True)
    Image.fromarray(frame.image).resize((192, 108)).save(images / "00001.jpg")
    write_mask(annotations / "00001.png", frame.truth)
    write_mask(tmp_path / "results" / "bear" / "00001.png", frame.prediction)
    sequence = DatasetSequence(
        "bear", (images / "00001.jpg",), {"00001": annotations / "00001.png"}
    )
    load = pictures_on_disk([sequence], tmp_path / "results")
    loaded = load("bear", "00001")
    assert loaded.image.shape == (54, 96, 3)
    assert np.array_equal(loaded.truth, frame.truth)
    assert np.array_equal(loaded.prediction, frame.prediction)
    binary = pictures_on_disk([sequence], tmp_path / "results", foreground=True)
    assert binary("bear", "00001").truth.max() == 1
    loose = pictures_on_disk([sequence], tmp_path / "results" / "bear")
    assert np.array_equal(loose("bear", "00001").prediction, frame.prediction)
    with pytest.raises(MaskError, match="00001"):
        pictures_on_disk([sequence], tmp_path / "nowhere")("bear", "00001")
    with pytest.raises(DatasetError, match="00002"):
        load("bear", "00002")
    with pytest.raises(DatasetError, match="cat"):
        load("cat", "00001")


def test_a_comparison(score: DatasetScore, tmp_path: Path) -> None:
    worse = DatasetScore(
        "davis2017",
        "2017/val",
        tuple(
            SequenceScore(s.name, tuple(replace(o, j=tuple(v / 2 for v in o.j)) for o in s.objects))
            for s in score.sequences
        ),
    )
    scores = {"copy": worse, "<model>": score}
    path = write_comparison(
        scores, tmp_path / "out.html", pages={"<model>": "a b#.html"}, rates={"copy": 50.0}
    )
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    rows = [row.strip("|").split("|") for row in page.rows]
    whole = next(row for row in rows if row[0] == "copy")
    assert whole[1:3] == [f"{worse.j_and_f:.3f}", f"{worse.region.mean:.3f}"]
    assert whole[-1] == "50.0"
    bear = next(row for row in rows if row[0] == "bear")
    low, high = worse.sequences[0].j_and_f, score.sequences[0].j_and_f
    assert [cell.strip() for cell in bear[1:] if cell.strip()] == [
        f"{low:.3f}",
        f"{high:.3f}",
        f"+{high - low:.3f}",
    ]
    assert next(a["href"] for a in page.all("a")) == "a%20b%23.html"
    assert NASTY not in text
    assert "<model>" not in text
    again = write_comparison(
        scores, tmp_path / "two.html", pages={"<model>": "a b#.html"}, rates={"copy": 50.0}
    )
    assert again.read_bytes() == path.read_bytes()


def test_the_lines_of_table_v_beside_the_papers(score: DatasetScore, tmp_path: Path) -> None:
    lines = dict.fromkeys(range(1, 6), score)
    path = write_comparison(
        {f"line-{n}": s for n, s in lines.items()}, tmp_path / "out.html", table_v=lines
    )
    rows = [row.strip("|").split("|") for row in Page(path.read_text(encoding="utf-8")).rows]
    third = next(row for row in rows if row[0] == "line 3")
    assert third[1:4] == ["off", "\u2713", "\u2713"]
    assert third[6:8] == [f"{100 * score.j_and_f:.1f}", "0.0"]
    assert third[-4:] == ["68.3", "73.8", "71.1", "3.7"]


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)

PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const say = {};
  const name = body => body.rows[0].cells[0].textContent;
  const names = () => [...document.querySelectorAll("tbody")].map(name);
  const click = n => document.querySelector(`th[data-column="${n}"] button`).click();
  click(2); say.up = names();
  click(2); say.down = names();
  say.objects = [...document.querySelectorAll("tr.object")].map(r => r.cells[0].textContent);
  click(0); say.names = names();
  say.last = document.querySelector("table").lastElementChild.tagName;
  const card = document.querySelectorAll(".course")[1], panel = card.querySelector(".panel");
  card.scrollIntoView();
  const box = panel.getBoundingClientRect();
  const at = 30 + 460 * 5 / 11;
  panel.dispatchEvent(new PointerEvent("pointermove", {
    clientX: box.left + at * box.width / 500, clientY: box.top + 40}));
  say.when = card.querySelector(".when").textContent;
  say.values = [...card.querySelectorAll(".v")].map(v => v.textContent);
  panel.dispatchEvent(new PointerEvent("pointerleave", {}));
  say.after = card.querySelector(".when").textContent;
  say.images = [...document.images].map(i => i.naturalWidth);
  say.wide = document.documentElement.scrollWidth <= innerWidth;
  say.paper = getComputedStyle(document.body).backgroundColor;
  document.body.textContent = "PROBE" + JSON.stringify(say) + "PROBE";
}, 0));
</script>"""


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Open a page in a browser, work on it as a reader would, and tell what it showed."""
    import html
    import json

    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")

    def probed(path: Path, *, dark: bool = False, width: int = 1200) -> dict[str, object]:
        copy = path.with_name("probe.html")
        text = path.read_text(encoding="utf-8")
        copy.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            "--dump-dom",
            copy.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
        parts = done.stdout.split("PROBE")
        assert len(parts) == 3, done.stdout[-2000:] + done.stderr[-2000:]
        answer: dict[str, object] = json.loads(html.unescape(parts[1]))
        return answer

    return probed


@pytest.mark.skipif(sys.platform == "win32", reason="chromium prints nothing there")
def test_in_a_browser(
    score: DatasetScore, tmp_path: Path, browse: Callable[..., dict[str, object]]
) -> None:
    path = write_report(score, tmp_path / "out.html", frames=a_frame, seconds_per_frame=0.1)
    light = browse(path)
    ranked = [s.name for s in sorted(score.sequences, key=lambda s: s.j_and_f)]
    assert light["up"] == ranked
    assert light["down"] == ranked[::-1]
    assert light["objects"] == ["object 3", "object 2", "object 1"]
    assert light["names"] == [NASTY, "bear", "goats"]
    assert light["last"] == "TFOOT"
    assert light["when"] == "frame 00006"
    goats = score.sequences[1].objects
    values = light["values"]
    assert isinstance(values, list)
    shown = [[float(v) for v in value.split(" · ")] for value in values]
    assert np.allclose(shown, [(o.j[5], o.f[5]) for o in goats], atol=6e-4)
    assert light["after"] == "means"
    images = light["images"]
    assert isinstance(images, list)
    assert images
    assert all(images)
    assert light["wide"]
    dark = browse(path, dark=True, width=500)
    assert dark["wide"]
    assert light["paper"] != dark["paper"]
