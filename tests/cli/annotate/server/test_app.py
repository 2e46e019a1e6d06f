"""What the page can do, over real HTTP."""

import http.client
import io
import json
import os
import shutil
import threading
import zipfile
import zlib
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from waiting import HANG, wait_for

from ddeal_core.finishing import Finishing
from ddeal_core.media import open_source
from ddeal_core.runs import cut_out

BOX = {"kind": "box", "object": 1, "box": [10, 18, 42, 40]}


def stroke(object_id=1, x=30, y=40, kind="brush", radius=6):
    return {"kind": kind, "object": object_id, "radius": radius, "points": [[x, y], [x + 12, y]]}


def labels(client, index):
    answer = client.get(f"/api/labels/{index}")
    assert answer.status == 200
    assert answer.headers["content-encoding"] == "deflate"
    return np.frombuffer(zlib.decompress(answer.body), np.uint8).reshape(96, 128)


def test_the_page_and_its_files_come(page):
    index = page.client.get("/")
    assert index.headers["content-type"].startswith("text/html")
    text = index.body.decode()
    assert "<script>" not in text
    assert " style=" not in text
    assert "onclick" not in text
    assert "http" not in text.replace("http-equiv", "")
    names = ["main.js", "style.css", "panels.css", "icon.svg"]
    seen = set()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = page.client.get(f"/static/{name}")
        assert answer.status == 200, name
        if name.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")
            code = answer.body.decode()
            assert "innerHTML" not in code
            names += [line.split('"./')[1].split('"')[0] for line in code.splitlines()
                      if line.startswith("import") and '"./' in line]  # fmt: skip
    assert len(seen) > 10


def test_frames_are_those_of_the_video(page, tiny_clip):
    with open_source(tiny_clip.video) as source:
        expected = [frame.image for frame in source]
    for index in (5, 0, 7):
        answer = page.client.get(f"/api/frames/{index}")
        assert answer.headers["content-type"] == "image/jpeg"
        shown = np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGB")).astype(int)
        assert np.abs(shown - expected[index]).mean() < 3


def test_from_a_box_to_results_to_a_correction(page, tiny_clip, segmenter, tmp_path):
    client = page.client
    assert client.post("objects")["objects"] == [{"id": 1, "name": "object 1", "colour": "#ff5a5f"}]
    state = client.post("frames/0/mark", BOX)
    assert state["marks"]["0"]["objects"] == [1]
    assert state["marks"]["0"]["hints"]["1"]["box"] == BOX["box"]
    cut = labels(client, 0) == 1
    truth = tiny_clip.masks[0] == 1
    assert (cut & truth).sum() / (cut | truth).sum() > 0.8

    client.post("segment")
    state = client.wait()
    assert state["fresh"] == [[0, 8]]
    assert state["job"]["done"] == 8

    # what lies between a mended frame and its neighbours is not fresh any more
    state = client.post("frames/4/mark", stroke(x=80, y=70))
    assert state["fresh"] == []
    assert state["there"] == [[0, 8]]
    client.post("segment")
    assert client.wait()["fresh"] == [[0, 8]]
    early = labels(client, 2)
    assert client.post("frames/6/mark", stroke(x=60, y=70))["fresh"] == [[0, 4]]
    client.post("segment")
    assert client.wait()["job"]["done"] == 4
    np.testing.assert_array_equal(labels(client, 2), early)

    # what the session's folder holds gives the same to `ddeal segment`, where it was renewed
    client.post("save")
    out = tmp_path / "compared"
    cut_out(tiny_clip.video, page.out / "session", f"masks={out}", segmenter=segmenter)
    client.post("export", {"outputs": ["masks"]})
    client.wait()
    for index in range(4, 8):
        name = f"{index:05d}.png"
        assert (page.out / "masks" / name).read_bytes() == (out / name).read_bytes()


@pytest.mark.parametrize("fresh", [True, False])
def test_exports_are_those_of_segment(fresh, page, tiny_clip, segmenter, tmp_path):
    client = page.client
    client.post("objects")
    client.post("objects")
    client.post("frames/1/mark", stroke(x=20, y=30, radius=12))
    client.post("frames/3/mark", stroke(2, x=80, y=60, radius=12))
    if fresh:
        client.post("segment")
        client.wait()
    wanted, finishing = ["masks", "cutout-mov"], {}
    if fresh:
        wanted += ["coco", "overlay", "mattes", "rgba", "matte", "green"]
        finishing = {"grow": 2, "feather": 1, "steady": True}
    client.post("export", {"outputs": wanted, "finishing": finishing})
    state = client.wait()
    assert {each["key"] for each in state["exports"] if each["written"]} == set(wanted)
    assert state["fresh"] == [[0, 8]]
    client.post("save")
    theirs = tmp_path / "theirs"
    words = {
        "masks": "masks=masks", "coco": "coco=annotations.json", "overlay": "overlay=overlay.mp4",
        "cutout-mov": "alpha=cutout.mov", "mattes": "mattes=mattes", "rgba": "rgba=rgba",
        "matte": "matte=matte.mp4",
    }  # fmt: skip
    outputs = [words[key].replace("=", f"={theirs}/") for key in wanted if key in words]
    cut_out(
        *(tiny_clip.video, page.out / "session", outputs),
        segmenter=segmenter,
        finishing=Finishing(**finishing),
    )
    compared = 0
    for path in theirs.rglob("*"):
        if path.is_file():
            assert (page.out / path.relative_to(theirs)).read_bytes() == path.read_bytes(), path
            compared += 1
    assert compared >= 10
    assert (page.out / "green.mp4").exists() == fresh


def test_a_frame_is_shown_as_it_would_be_exported(page):
    client = page.client
    client.post("objects")
    client.post("frames/1/mark", stroke(x=40, y=40, radius=12))

    def shown(**edges):
        answer = client.get(f"/api/previews/1?edges={quote(json.dumps(edges))}")
        assert answer.status == 200, answer.body
        picture = np.asarray(Image.open(io.BytesIO(answer.body)), np.int16)
        assert picture.shape == (96, 128, 3)
        return (np.abs(picture - (0, 255, 0)).sum(axis=2) > 60).sum()

    assert 0 < shown() < shown(finishing={"grow": 6}) < 96 * 128 / 2
    for edges in ({"hard": True, "finishing": {"feather": 2}}, {"finishing": {"grow": 1e9}}, 3):
        answer = client.get(f"/api/previews/1?edges={quote(json.dumps(edges))}")
        assert answer.status == 400
        assert (
            client.ask("POST", "/api/export", {"outputs": ["masks"], "finishing": 3}).status == 400
        )


def test_exports_can_be_downloaded(page):
    client = page.client
    client.post("objects")
    client.post("frames/0/mark", stroke())
    assert client.get("/api/exports/masks").status == 404
    client.post("export", {"outputs": ["masks", "coco"]})
    client.wait()
    answer = client.get("/api/exports/masks")
    assert answer.headers["content-disposition"] == 'attachment; filename="masks.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        pictures = [f"masks/{i:05d}.png" for i in range(8)]
        assert archive.namelist() == [*pictures, "masks/manifest.json"]
        for name in archive.namelist():
            assert archive.read(name) == (page.out / name).read_bytes()
    answer = client.get("/api/exports/coco")
    assert json.loads(answer.body) == json.loads((page.out / "annotations.json").read_text())
    assert "attachment" in answer.headers["content-disposition"]


def test_what_was_there_before_is_not_written_over(serve, tiny_clip):
    with serve(tiny_clip.video) as page:
        page.out.mkdir()
        (page.out / "annotations.json").write_text("mine")
        page.client.post("objects")
        page.client.post("frames/0/mark", stroke())
        page.client.post("export", {"outputs": ["coco"]})
        state = page.client.wait("failed")
        assert "exists" in state["job"]["message"]
        assert (page.out / "annotations.json").read_text() == "mine"
        # its own may be written anew
        page.client.post("objects")
        page.client.post("frames/0/mark", stroke(2, y=70))
        for _ in range(2):
            page.client.post("export", {"outputs": ["mattes"]})
            page.client.wait()
        assert {path.name for path in (page.out / "mattes").iterdir() if path.is_dir()} == {
            "1",
            "2",
        }


def test_a_run_can_be_cancelled_and_goes_on(serve, make_clip, tiny_clip, tmp_path):
    video = make_clip(tmp_path / "long.mp4", list(tiny_clip.frames) * 6)
    with serve(video) as page:
        client = page.client
        client.post("objects")
        client.post("frames/0/mark", stroke())
        client.post("segment")
        assert client.ask("POST", "/api/segment", {}).status == 400  # one at a time
        wait_for(lambda: client.get("/api/project").json["job"]["done"])
        client.post("cancel")
        state = client.wait("cancelled")
        done = state["job"]["done"]
        assert 0 < done < 48
        assert state["fresh"] == [[0, done]]
        client.post("segment")
        state = client.wait()
        assert state["fresh"] == [[0, 48]]
        assert state["job"]["done"] == 48 - done


def test_events_tell_of_every_change(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.client.port, timeout=HANG)
    cookie = f"ddeal-{page.client.port}={page.client.token}"
    connection.request("GET", "/api/events", headers={"Cookie": cookie})
    response = connection.getresponse()
    assert response.getheader("content-type").startswith("text/event-stream")

    def event():
        while True:
            line = response.readline()
            if line.startswith(b"data: "):
                return json.loads(line[6:])

    assert event()["objects"] == []
    page.client.post("objects")
    page.client.post("frames/0/mark", stroke())
    page.client.post("segment")
    state = event()
    while state["fresh"] != [[0, 8]] or state["job"]["state"] == "running":
        state = event()
    assert state["objects"][0]["id"] == 1
    assert state["marks"]["0"]["objects"] == [1]
    connection.close()


def test_undo_and_names_and_clearing(page):
    client = page.client
    client.post("objects", {"name": "fish <b>"})
    client.post("frames/2/mark", stroke())
    client.post("objects/1/rename", {"name": "turtle"})
    state = client.post("frames/2/clear", {"object": 1})
    assert state["marks"] == {}
    state = client.post("undo")
    assert list(state["marks"]) == ["2"]
    state = client.post("undo")
    assert state["objects"][0]["name"] == "fish <b>"
    state = client.post("redo")
    assert state["objects"][0]["name"] == "turtle"
    state = client.post("objects/1/delete")
    assert state["objects"] == []
    assert state["marks"] == {}
    assert not labels(client, 2).any()


def test_work_is_saved_and_taken_up_again(serve, tiny_clip):
    with serve(tiny_clip.video) as page:
        page.client.post("objects", {"name": "fish"})
        page.client.post("objects", {"name": "not marked yet"})
        page.client.post("frames/5/mark", stroke())
        page.client.post("frames/6/mark", stroke())
        wait_for(lambda: page.client.get("/api/project").json["saved"])
        assert (page.out / "session/00006.png").exists()
        page.client.post("frames/6/clear", {"object": 1})
        seen = labels(page.client, 5)
    assert sorted(p.name for p in (page.out / "session").iterdir()) == ["00005.png", "objects.json"]
    with serve(tiny_clip.video) as page:
        state = page.client.get("/api/project").json
        assert [each["name"] for each in state["objects"]] == ["fish", "not marked yet"]
        assert state["marks"]["5"]["objects"] == [1]
        assert state["saved"]
        np.testing.assert_array_equal(labels(page.client, 5), seen)
        page.client.post("frames/5/clear")
    assert sorted(p.name for p in (page.out / "session").iterdir()) == ["objects.json"]


def test_nothing_is_written_by_who_only_looks(serve, tiny_clip):
    with serve(tiny_clip.video) as page:
        page.client.get("/api/frames/3")
    assert not page.out.exists()


def test_a_full_disk_is_told_on_the_page(page, full_disk):
    page.client.post("objects")
    with full_disk(10):
        answer = page.client.ask("POST", "/api/frames/0/mark", stroke())
        assert answer.status == 200
        answer = page.client.ask("POST", "/api/save", {})
        assert answer.status == 500
        assert "cannot write" in answer.json["error"]
        page.client.post("segment")
        state = page.client.wait("failed")
        assert "cannot write" in state["job"]["message"]
    page.client.post("save")
    assert (page.out / "session/00000.png").exists()


def test_many_at_once_find_whole_answers(page):
    client, failures = page.client, []

    def work(number):
        try:
            for index in range(8):
                assert client.get(f"/api/frames/{(index * 3 + number) % 8}").status == 200
                client.post("frames/0/mark", stroke(x=10 + 3 * number, y=20 + 5 * index))
                labels(client, 0)
        except Exception as error:
            failures.append(error)

    client.post("objects")
    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert page.studio.project.history.changes == 1 + 4 * 8


def test_names_that_are_no_text_do_not_stop_the_page(serve, tiny_clip, tmp_path):
    video = tmp_path / os.fsdecode(b"a\xff.mp4")
    try:
        shutil.copy(tiny_clip.video, video)
    except OSError:
        pytest.skip("this system has no such names")
    with serve(video) as page:
        state = page.client.post("objects", {"name": "\ud800"})
        assert (state["video"], state["objects"][0]["name"]) == (video.name, "\ud800")
        assert page.client.get("/api/project").json == state


def test_a_number_beyond_all_numbers_is_refused(page):
    page.client.post("objects")
    answer = page.client.ask("POST", "/api/frames/0/mark", {**stroke(), "radius": 10**400})
    assert answer.status == 400
