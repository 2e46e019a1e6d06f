"""Who is kept out, over real HTTP."""

import http.client
import json
import re
import socket

import pytest
from waiting import HANG

from ddeal_cli.annotate.server.serving import listen

READS = ["/", "/static/main.js", "/api/project", "/api/frames/0", "/api/labels/0", "/api/events"]
WRITES = [
    "/api/objects", "/api/objects/1/rename", "/api/objects/1/delete", "/api/frames/0/mark",
    "/api/frames/0/clear", "/api/undo", "/api/redo", "/api/save", "/api/segment", "/api/cancel",
    "/api/export",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(serve_into, tiny_clip, tmp_path_factory):
    """One server for all who try to get in."""
    with serve_into(tmp_path_factory.mktemp("guard") / "out", tiny_clip.video) as page:
        yield page


def test_the_address_lets_in_and_gives_a_cookie(page):
    client = page.client
    first = client.ask("GET", f"/?token={client.token}", headers={"Cookie": None})
    assert first.status == 200
    cookie = first.headers["set-cookie"]
    assert re.fullmatch(
        rf"ddeal-{client.port}={re.escape(client.token)}; Path=/; HttpOnly; SameSite=Strict", cookie
    )
    assert client.get("/", Cookie=cookie.split(";")[0]).status == 200
    assert "set-cookie" not in client.get("/").headers


def test_the_key_for_the_browser_works_once(page):
    path = page.address_once.removeprefix(f"http://127.0.0.1:{page.client.port}")
    assert page.client.token not in path
    assert page.client.get(path, Cookie=None, Host="evil.example").status == 421  # nor spends it
    first = page.client.get(path, Cookie=None)
    assert first.status == 200
    assert page.client.get("/api/project", Cookie=first.headers["set-cookie"]).status == 200
    again = page.client.get(path, Cookie=None)
    assert again.status == 403
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("path", READS)
def test_nothing_is_read_without_the_token(path, page):
    for cookie in (None, "", f"ddeal-{page.client.port}=wrong", "ddeal=;=;", "\xff=\xfe"):
        answer = page.client.get(path, Cookie=cookie)
        assert answer.status == 403, cookie
        assert b"terminal" in answer.body
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", WRITES)
def test_nothing_is_written_by_others(path, page):
    client, before = page.client, page.studio.project.history.changes
    good = f"http://127.0.0.1:{client.port}"
    for headers in (
        {"Cookie": None},
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": f"http://127.0.0.1:{client.port + 1}"},
        {"Origin": f"http://127.0.0.1.evil.example:{client.port}"},
        {"Origin": good.replace("http:", "https:")},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": f"evil.example:{client.port}"},
    ):
        answer = client.ask("POST", path, {}, headers)
        assert answer.status in (403, 421), headers
    for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.ask("POST", path, {}, {"Content-Type": kind}).status == 415
    assert client.ask("POST", f"{path}?token={client.token}", {}, {"Cookie": None}).status == 403
    assert page.studio.project.history.changes == before
    assert page.studio.jobs.current is None


@pytest.mark.parametrize("path", READS)
def test_a_name_that_was_rebound_is_refused(path, page):
    port = page.client.port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}",
                 f"127.0.0.1.evil.example:{port}", f"[::1]:{port}", "", None):  # fmt: skip
        answer = page.client.get(path, Host=host)
        assert answer.status in (400, 421), host
    token = page.client.token
    assert page.client.get(f"/?token={token}", Host="evil.example").status == 421


def test_two_host_headers_are_refused(page):
    with socket.create_connection(("127.0.0.1", page.client.port), timeout=HANG) as raw:
        raw.sendall(
            f"GET /api/project HTTP/1.1\r\nHost: 127.0.0.1:{page.client.port}\r\n"
            f"Host: evil.example\r\nCookie: ddeal-{page.client.port}={page.client.token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        assert raw.recv(100).split()[1] in (b"400", b"421")


def test_pages_of_other_sites_and_ports_cannot_embed_it(page):
    for site in ("cross-site", "same-site"):
        assert page.client.get("/api/frames/0", **{"Sec-Fetch-Site": site}).status == 403
    for path in ("/", "/api/frames/0", "/nothing"):
        headers = page.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_it_listens_on_the_loopback_interface_alone(page):
    with listen() as taken:
        assert taken.getsockname()[0] == "127.0.0.1"
    # what reaches this machine by its other addresses finds nobody
    names = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    for address in {name[4][0] for name in names if not name[4][0].startswith("127.")}:
        with socket.socket() as visitor:
            visitor.settimeout(2)
            assert visitor.connect_ex((address, page.client.port)) != 0


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/app.py",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/app.py", "/static/",
        "/static/..\\app.py", "/static/main.js%00.html", "/api/exports/..%2f..%2fetc%2fpasswd",
        "/api/exports/masks", "/api/exports/session", "/etc/passwd", "//etc/passwd",
        "/api/frames/0/../../static/app.py",
    ],
)  # fmt: skip
def test_no_path_leads_out(path, page):
    answer = page.client.get(path)
    assert answer.status == 404
    assert b"import" not in answer.body
    assert b"root:" not in answer.body


def test_requests_have_a_largest_size(page):
    before = page.studio.project.history.changes
    many = [[i % 100, 5] for i in range(200_000)]
    mark = {"kind": "brush", "object": 1, "radius": 3, "points": many}
    answer = page.client.ask("POST", "/api/frames/0/mark", mark)
    assert answer.status == 413
    # without a length: read as far as it may be, and no further
    connection = http.client.HTTPConnection("127.0.0.1", page.client.port, timeout=HANG)
    connection.putrequest("POST", "/api/objects", skip_host=True)
    for name, value in {
        "Host": f"127.0.0.1:{page.client.port}",
        "Origin": f"http://127.0.0.1:{page.client.port}",
        "Cookie": f"ddeal-{page.client.port}={page.client.token}",
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    block = b"10000\r\n" + b" " * 65536 + b"\r\n"
    try:
        for _ in range(40):
            connection.send(block)
        connection.send(b"0\r\n\r\n")
    except OSError:  # the server has heard enough
        pass
    else:
        assert connection.getresponse().status == 413
    connection.close()
    assert page.studio.project.history.changes == before


NONSENSE = [
    b"", b"[]", b"null", b"7", b"{", b"\xff\xfe", b"[" * 100_000, b'{"kind": NaN}',
    {"kind": "box"}, {"kind": "box", "object": 1}, {"kind": "box", "object": 1, "box": [1, 2, 3]},
    {"kind": "box", "object": 1, "box": [1e999, 2, 3, 4]},
    {"kind": "box", "object": 1, "box": ["1", 2, 3, 4]},
    {"kind": "box", "object": True, "box": [1, 2, 30, 40]},
    {"kind": "box", "object": 10**400, "box": [1, 2, 30, 40]},
    {"kind": "box", "object": 1, "box": [10**30, 2, 30, 40]},
    {"kind": "click", "object": 1, "point": [1, 2], "inside": "yes"},
    {"kind": "click", "object": 1, "point": [1.5, 2], "inside": True},
    {"kind": "click", "object": 1, "point": [128, 2], "inside": True},
    {"kind": "brush", "object": 1, "points": [], "radius": 3},
    {"kind": "brush", "object": 1, "points": [[1, 2]], "radius": -1},
    {"kind": "brush", "object": 1, "points": [[1, 2]], "radius": 1e300},
    {"kind": "brush", "object": 1, "points": [[1]], "radius": 3},
    {"kind": "brush", "object": 1, "points": "abc", "radius": 3},
    {"kind": "../../etc", "object": 1}, {"kind": ["box"], "object": 1},
    {"kind": "brush", "object": 2, "points": [[1, 2]], "radius": 3},
]  # fmt: skip


def test_nonsense_is_answered_in_one_line(page):
    before = page.client.post("objects")["revision"]
    for body in NONSENSE:
        answer = page.client.ask("POST", "/api/frames/0/mark", body)
        assert answer.status == 400, body
        assert "\n" not in answer.json["error"]
        assert "Traceback" not in answer.json["error"]
    for index in ("8", "99999999999999999999", "-1", "x"):
        mark = {"kind": "brush", "object": 1, "points": [[1, 2]], "radius": 3}
        assert page.client.ask("POST", f"/api/frames/{index}/mark", mark).status in (400, 404)
        assert page.client.get(f"/api/frames/{index}").status in (400, 404)
        assert page.client.get(f"/api/labels/{index}").status in (400, 404)
    for outputs in (None, "masks", [7], ["../x"], ["masks", "nothing"], []):
        answer = page.client.ask("POST", "/api/export", {"outputs": outputs})
        assert answer.status == 400, outputs
    for name in (7, ["x"], "", "\u202e", None):
        assert page.client.ask("POST", "/api/objects/1/rename", {"name": name}).status == 400
    assert page.studio.project.history.changes == before


def test_other_methods_and_protocols_are_refused(page):
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert page.client.ask(method, "/api/objects/1/delete").status in (403, 405, 415)
    assert page.client.get("/api/undo").status == 405
    answer = page.client.get(
        "/api/events",
        Upgrade="websocket",
        Connection="Upgrade",
        **{"Sec-WebSocket-Key": "eA==", "Sec-WebSocket-Version": "13", "Cookie": None},
    )
    assert answer.status == 403


def test_names_are_data_wherever_they_go(serve, tiny_clip, tmp_path):
    odd = tmp_path / "<img src=x onerror=alert(1)>.mp4"
    odd.write_bytes(tiny_clip.video.read_bytes())
    with serve(odd) as page:
        page.client.post("objects", {"name": "</script><b>"})
        state = page.client.get("/api/project")
        assert state.headers["content-type"] == "application/json"
        assert json.loads(state.body)["video"] == odd.name
        assert b"onerror" not in page.client.get("/").body
