"""``ddeal annotate`` as a process: its one line, its end, what it refuses."""

import http.client
import json
import re
import shutil
import signal

import pytest
from forked import Forked, program
from waiting import HANG, wait_for


def opened(process):
    """The port and the token of the line that it prints."""
    process.wait_for(lambda: "\n" in process.out.read_text())
    line = process.out.read_text()
    match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)  \(Ctrl-C ends it\)\n", line)
    assert match, line + process.err.read_text()
    return int(match[1]), match[2]


def ask(where, method, path, body=None):
    port, token = where
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)
    headers = {"Cookie": f"ddeal-{port}={token}", "Origin": f"http://127.0.0.1:{port}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    record = json.loads(response.read())
    connection.close()
    assert response.status == 200, record
    return record


def test_ctrl_c_ends_it_at_once_while_it_runs_and_masks_are_saved(
    make_clip, tiny_clip, tiny_weights, tmp_path
):
    video = make_clip(tmp_path / "long.mp4", list(tiny_clip.frames) * 12)
    words = ("annotate", video, "--no-open", "--weights", tiny_weights, "--device", "cpu")
    process = Forked(tmp_path, program, *words, "--mask", tiny_clip.first_mask)
    where = opened(process)
    state = ask(where, "GET", "/api/project")
    assert state["marks"]["0"]["objects"] == [1]
    assert state["output"] == str(tmp_path / "long_annotated")
    session = tmp_path / "long_annotated/session"
    assert state["session"] == str(session)
    ask(where, "POST", "/api/objects/1/rename", {"name": "square"})
    stroke = {"kind": "brush", "object": 1, "radius": 5, "points": [[90, 20]]}
    ask(where, "POST", "/api/frames/4/mark", stroke)
    ask(where, "POST", "/api/segment", {})
    # a page that listens keeps it from ending no more than the run does
    listening = http.client.HTTPConnection("127.0.0.1", where[0], timeout=HANG)
    listening.request("GET", "/api/events", headers={"Cookie": f"ddeal-{where[0]}={where[1]}"})
    events = listening.getresponse()
    events.readline()
    wait_for(lambda: ask(where, "GET", "/api/project")["job"]["done"])
    process.send_signal(signal.SIGINT)
    state, err = process.ended(), process.err.read_text()
    events.close()
    listening.close()
    assert state == 0, err
    assert process.out.read_text().count("\n") == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "masks are in long_annotated/session"
    assert {path.name for path in session.iterdir()} == {"00000.png", "00004.png", "objects.json"}


def test_bad_input_is_told_before_a_server_starts(
    ddeal, tiny_clip, tiny_weights, sound_only, tmp_path
):
    video, mask = tiny_clip.video, tiny_clip.first_mask
    (tmp_path / "file").write_text("x")
    bad_session = tmp_path / "bad"
    bad_session.mkdir()
    (bad_session / "objects.json").write_text('{"objects": [{"id": 999, "name": "x"}]}')
    late = tmp_path / "late"
    late.mkdir()
    (late / "objects.json").write_text('{"objects": []}')
    shutil.copy(mask, late / "00011.png")
    for words, part in [
        ([tmp_path / "no.mp4"], "no file or folder"),
        ([sound_only], "only sound"),
        ([video, "--mask", tmp_path / "no.png"], "no mask file"),
        ([video, "--mask", f"12={mask}"], "frame 12"),
        ([video, "-o", tmp_path / "file"], "is a file"),
        ([video, "--session", tmp_path / "file"], "is a file"),
        ([video, "--session", bad_session], "cannot be read"),
        ([video, "--session", late], "ends after frame 7"),
        ([video, "--session", late, "--mask", mask], "leave --mask out"),
        ([video, "--weights", tmp_path / "file"], "file"),
        ([video, "--resolution", "many"], "--resolution"),
        ([video, "--port", "70000"], "--port"),
        ([video, "--port", "-1"], "--port"),
        (["-"], ""),
    ]:
        run = ddeal("annotate", *words, "--no-open", "--device", "cpu")
        assert run.status == 2, words
        assert part in run.complaint
    assert not (tmp_path / "square_annotated").exists()


def test_a_port_that_is_taken_is_told(ddeal, tiny_clip):
    from ddeal_cli.annotate.server.serving import listen

    with listen() as taken:
        taken.listen()
        run = ddeal("annotate", tiny_clip.video, "--no-open", "--port", taken.getsockname()[1])
    assert run.status == 2
    assert "leave --port out" in run.complaint


@pytest.mark.parametrize("kind", ["html", "css", "js", "svg"])
def test_the_files_of_the_page_are_in_the_package(kind):
    from importlib.resources import files

    static = files("ddeal_cli.annotate.server").joinpath("static")
    assert any(each.name.endswith(f".{kind}") for each in static.iterdir())
