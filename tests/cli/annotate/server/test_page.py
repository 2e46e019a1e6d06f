"""The page in a real browser, with real clicks, on the sample clip."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from waiting import wait_for

from ddeal_cli.sample import FISH, TURTLE, VIDEO, sample_labels
from ddeal_core.datasets import Clip
from ddeal_core.finishing import Finishing
from ddeal_core.media import open_source, write_mask
from ddeal_core.runs import cut_out


@pytest.fixture(scope="module")
def reef():
    """Ten frames from the whole of the sample clip, a third of its size."""
    chosen, size = slice(0, 80, 8), (212, 120)
    with open_source(VIDEO) as source:
        images = [frame.image for frame in source][chosen]
    return Clip(
        np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]),
        np.stack(
            [cv2.resize(x, size, interpolation=cv2.INTER_NEAREST) for x in sample_labels()[chosen]]
        ),
    )


@pytest.fixture(scope="module")
def video(reef, make_clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("reef") / "reef.mp4"
    return make_clip(path, list(reef.images), options={"crf": "14", "g": "5"})


@pytest.fixture
def person(sit, serve, video):
    with serve(video) as served:
        someone = sit(served, viewport={"width": 1100, "height": 700})
        yield someone
        someone.leave()


def overlap(mask, truth):
    return (mask & truth).sum() / max(1, (mask | truth).sum())


def marked(*ids, frame=0):
    return lambda state: state["marks"].get(str(frame), {}).get("objects") == list(ids)


def middle(mask):
    y, x = np.argwhere(mask).mean(axis=0)
    return float(x), float(y)


def test_from_two_boxes_to_an_export(person, reef, video, segmenter, tmp_path):
    page, truth = person.page, reef.labels[0]
    assert page.url.endswith("/")  # the token is not left in the address
    assert page.locator("#tip").inner_text() == "Draw a box around an object"
    person.box(truth == FISH)
    person.until(marked(1))
    page.locator("#add").click()
    page.wait_for_selector("#objects li.chosen[data-object='2']")
    person.box(truth == TURTLE)
    person.until(marked(1, 2))
    assert overlap(person.shown(0) == 1, truth == FISH) > 0.6
    assert overlap(person.shown(0) == 2, truth == TURTLE) > 0.5

    # names are text, whatever they hold
    page.locator("#objects li.chosen .name").dblclick()
    page.wait_for_selector("#objects input")
    page.keyboard.type("<img src=x onerror=alert(1)>")
    page.keyboard.press("Enter")
    person.until(lambda state: state["objects"][1]["name"].startswith("<img"))
    page.wait_for_selector("#objects .name:has-text('<img')")
    assert page.locator("#objects img").count() == 0

    page.locator("#segment").click()
    person.until(lambda state: state["fresh"] == [[0, 10]])
    person.at_frame(9)  # the picture went along
    page.wait_for_selector("#segment:has-text('Segment again'):disabled")

    # a correction of a later frame
    page.locator("#frame").fill("6")
    page.keyboard.press("Enter")
    person.at_frame(6)
    page.locator("[data-tool=brush]").click()
    person.drag((20, 20), (60, 24))
    state = person.until(marked(2, frame=6))
    assert state["fresh"] == []
    assert (person.shown(6)[22, 25:55] == 2).all()
    page.locator("#segment").click()
    person.until(lambda state: state["fresh"] == [[0, 10]])

    page.locator("#export").click()
    page.locator("#exports input[value=coco]").check()
    page.locator("#finishing summary").click()
    page.locator("#finishing input[name=grow]").fill("3")
    with page.expect_response("**/api/previews/**grow%22%3A3**") as answered:
        page.locator("#finishing input[name=grow]").press("Tab")
    assert answered.value.ok
    assert page.locator("#preview").is_visible()
    page.locator("#export-now").click()
    page.wait_for_selector("#exports li:has(input[value=masks]) a:visible")
    with page.expect_download() as coming:
        page.locator("#exports li:has(input[value=masks]) a").click()
    assert coming.value.suggested_filename == "masks.zip"
    page.keyboard.press("Escape")

    page.keyboard.press("Control+s")
    person.until(lambda state: state["saved"])
    theirs = tmp_path / "theirs"
    given = person.served.out / "session"
    grown = Finishing(grow=3)
    cut_out(video, given, f"masks={theirs}", segmenter=segmenter, finishing=grown)
    for path in sorted(theirs.iterdir()):
        assert (person.served.out / "masks" / path.name).read_bytes() == path.read_bytes()


def test_clicks_scribbles_brush_and_eraser(person, reef):
    page, truth = person.page, reef.labels[0]
    fish = middle(truth == FISH)
    page.locator("[data-tool=click]").click()
    page.mouse.click(*person.place(*fish))
    state = person.until(marked(1))
    assert len(state["marks"]["0"]["hints"]["1"]["inside"]) == 1
    page.mouse.click(*person.place(5, 5), button="right")
    person.until(lambda state: len(state["marks"]["0"]["hints"]["1"]["outside"]) == 1)
    page.locator("[data-inside=false]").click()
    page.mouse.click(*person.place(200, 5))
    person.until(lambda state: len(state["marks"]["0"]["hints"]["1"]["outside"]) == 2)

    page.keyboard.press("n")
    person.until(lambda state: len(state["objects"]) == 2)
    page.locator("[data-tool=scribble]").click()
    page.locator("[data-inside=true]").click()
    x, y = middle(truth == TURTLE)
    person.drag((x - 6, y), (x + 6, y))
    person.until(marked(1, 2))
    assert person.shown(0)[int(y), int(x)] == 2

    page.keyboard.press("d")
    page.locator("#size").fill("5")
    person.drag((10, 100), (50, 100), (50, 110))
    person.until(lambda state: state["revision"] == 7)
    assert (person.shown(0)[100, 10:50] == 2).all()
    assert not person.shown(0)[90, 10:40].any()
    page.keyboard.press("e")
    person.drag((30, 90), (30, 115))
    person.until(lambda state: state["revision"] == 8)
    assert (person.shown(0)[100, 28:33] == 0).all()
    assert (person.shown(0)[100, 10:20] == 2).all()
    page.keyboard.press("Control+z")
    person.until(lambda state: state["revision"] == 9)
    assert (person.shown(0)[100, 10:50] == 2).all()
    page.keyboard.press("Control+Shift+z")
    person.until(lambda state: state["revision"] == 10)
    assert (person.shown(0)[100, 28:33] == 0).all()
    page.locator("#clear").click()
    person.until(marked(1))


def test_what_is_painted_is_seen(person):
    page = person.page
    page.keyboard.press("d")
    x, y = person.place(150, 20)

    def colour():
        png = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[0, 0].astype(int)

    before = colour()
    person.drag((130, 20), (170, 20))
    person.until(marked(1))
    page.mouse.move(5, 300)
    wait_for(lambda: colour()[0] > before[0] + 60)  # red lies over it
    page.keyboard.press("h")
    wait_for(lambda: np.abs(colour() - before).max() < 8)


def test_the_keyboard_alone_is_enough(person):
    page = person.page
    page.locator("#picture").focus()
    page.keyboard.press("b")
    page.keyboard.press("ArrowUp")  # the cross, in the middle: 106, 60
    for _ in range(6):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    state = person.until(marked(1))
    assert state["marks"]["0"]["hints"]["1"]["box"] == [0, 55, 60, 40]
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    person.at_frame(1)
    page.keyboard.press("End")
    person.at_frame(9)
    page.keyboard.press("PageUp")
    person.at_frame(0)
    page.keyboard.press("r")
    person.until(lambda state: state["fresh"] == [[0, 10]])
    page.keyboard.press("Home")
    person.at_frame(0)
    page.keyboard.press("p")
    person.at_frame(9)
    page.keyboard.press("?")
    assert page.locator("#shortcuts").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    assert page.locator("#exporting").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("F2")
    page.wait_for_selector("#objects input")
    page.keyboard.type("fish")
    page.keyboard.press("Enter")
    person.until(lambda state: state["objects"][0]["name"] == "fish")


def test_a_finger_paints_and_two_zoom(sit, serve, video):
    with serve(video) as served:
        person = sit(served, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
        page = person.page
        page.locator("[data-tool=brush]").tap()
        devices = person.context.new_cdp_session(page)

        def touch(kind, *points):
            places = [dict(zip("xy", person.place(*p), strict=True)) for p in points]
            event = {"type": kind, "touchPoints": places}
            devices.send("Input.dispatchTouchEvent", event)

        touch("touchStart", (40, 40))
        for x in range(45, 101, 5):
            touch("touchMove", (x, 40))
        touch("touchEnd")
        person.until(marked(1))
        assert (person.shown(0)[40, 45:95] == 1).all()

        width = person.place(212, 0)[0] - person.place(0, 0)[0]
        touch("touchStart", (100, 60))
        touch("touchStart", (100, 60), (110, 60))
        for spread in range(5, 30, 5):
            touch("touchMove", (100 - spread / 5, 60), (110 + spread / 5, 60))
        touch("touchEnd")
        person.until(lambda _: person.place(212, 0)[0] - person.place(0, 0)[0] > 1.2 * width)
        assert person.state()["revision"] == 2  # nothing was drawn meanwhile

        # nothing sticks out of a phone's screen
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide == 390
        for name in ("#segment", "#export", "#play", "#timeline", "#objects", "#clear"):
            box = page.locator(name).bounding_box()
            assert box is not None, name
            assert box["x"] >= 0, name
            assert box["x"] + box["width"] <= 390, name
            assert box["y"] + box["height"] <= 780, name
        person.leave()


def test_errors_are_a_line_on_the_page(person):
    page = person.page
    page.keyboard.press("e")
    page.keyboard.press("c")
    page.keyboard.press("t")
    page.mouse.click(*person.place(50, 50))
    message = page.locator("#message")
    message.wait_for()
    assert "has no box and no point on it" in message.inner_text()
    message.locator("button").click()
    message.wait_for(state="hidden")
    # refused requests are logged by the browser itself
    person.errors = [each for each in person.errors if "400" not in each]


def test_warnings_are_a_line_on_the_page(sit, serve, make_clip, tmp_path):
    flat = np.full((96, 128, 3), 90, np.uint8)
    with serve(make_clip(tmp_path / "flat.mp4", [flat] * 3)) as served:
        person = sit(served)
        person.drag((30, 30), (90, 70))
        message = person.page.locator("#message")
        message.wait_for()
        assert "nothing stands out in the box of object 1" in message.inner_text()
        person.leave()


def test_a_reload_goes_on_where_it_was(person):
    page = person.page
    page.keyboard.press("d")
    person.drag((30, 30), (60, 30))
    person.until(marked(1))
    page.reload()
    person.at_frame(0)
    assert page.locator("#objects li[data-object]").count() == 1
    page.keyboard.press("Control+z")
    person.until(lambda state: state["marks"] == {})


def test_zoom_and_pan_keep_marks_where_they_are_put(person):
    page = person.page
    page.keyboard.press("d")
    page.mouse.move(*person.place(100, 60))
    page.mouse.wheel(0, -600)
    person.until(lambda _: person.place(101, 60)[0] - person.place(100, 60)[0] > 9)
    person.drag((100, 60), (110, 64), button="middle")
    assert person.state()["revision"] == 0
    person.drag((90, 50), (96, 50))
    person.until(marked(1))
    labels = person.shown(0)
    assert labels[50, 90:96].all()
    assert labels[:, :70].sum() == 0
    page.keyboard.press("0")
    person.until(lambda _: person.place(101, 60)[0] - person.place(100, 60)[0] < 9)
    assert page.locator("#picture").bounding_box()["width"] >= 212
    person.page.keyboard.down("Space")
    person.drag((20, 20), (40, 40))
    person.page.keyboard.up("Space")
    assert person.state()["revision"] == 2


def test_a_mask_of_a_file_is_there_from_the_beginning(sit, serve, video, reef, tmp_path):
    session = tmp_path / "out/session"
    session.mkdir(parents=True)
    write_mask(session / "00003.png", reef.labels[3])
    (session / "objects.json").write_text('{"objects": [{"id": 2, "name": "turtle"}]}')
    with serve(video) as served:
        person = sit(served)
        assert person.page.locator("#objects .name").all_inner_texts() == ["object 1", "turtle"]
        person.page.keyboard.press("PageDown")
        person.at_frame(3)
        assert person.page.locator("#frame-says").inner_text() == "Given here: object 1, turtle."
        person.leave()
