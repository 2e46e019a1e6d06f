"""Who may talk to the server: this machine's own browser, with the token, and no other page.

The server listens on the loopback interface only. That alone keeps no web page out: a browser
sends requests to 127.0.0.1 for any page that asks. So every request must

- name this server in its Host header, which a name that was rebound to 127.0.0.1 does not;
- carry the token, which only who can read the terminal knows: as the cookie that the first visit
  sets, or in the query of that first visit. (The browser that this program opens itself gets a
  key that works once instead: other users of the machine can read the words of its command.)
- not be marked by the browser as coming from another site or another port;
- if it changes anything, come with this server's Origin and as JSON, which no form can send.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SAFE = frozenset({"GET", "HEAD"})


def new_token() -> str:
    """A fresh secret, fit for an address."""
    return secrets.token_urlsafe(32)


class Guard:
    """ASGI middleware that lets only good requests through, and marks every answer.

    `token` is the secret; `once` lets one visit in, in its place.
    """

    def __init__(self, app: ASGIApp, *, token: str, once: str, port: int) -> None:
        self._app = app
        self._token = token
        self._once: str | None = once
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost"}
        self._origins = {f"http://{host}" for host in self._hosts}
        # cookies do not know ports: another server of this program must not overwrite ours
        self._cookie = f"ddeal-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets
            await send({"type": "websocket.close", "code": 1008})
            return

        first_visit = False

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
                if first_visit:
                    headers.append(
                        "set-cookie",
                        f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict",
                    )
            await send(message)

        refused = self._refused_host(scope)
        if refused is None:
            first_visit = self._is_first_visit(scope)
            refused = None if first_visit else self._refused_visitor(scope)
        await (refused or self._app)(scope, receive, send_marked)

    def _refused_host(self, scope: Scope) -> Response | None:
        hosts = [host.lower() for host in Headers(scope=scope).getlist("host")]
        if len(hosts) == 1 and hosts[0] in self._hosts:
            return None
        return _refused(421, "this server answers to 127.0.0.1 and localhost only")

    def _refused_visitor(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._has_cookie(headers):
            return _refused(
                403, "open the address that ddeal printed on the terminal: it holds the key"
            )
        # "none": typed, or opened from a terminal
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _refused(403, "the request comes from another page")
        if scope["method"] in _SAFE:
            return None
        if headers.get("origin") not in self._origins:
            return _refused(403, "the request comes from another page")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refused(415, "requests that change something are JSON")
        return None

    def _is_first_visit(self, scope: Scope) -> bool:
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        given = query.get("token", [])
        if len(given) != 1:
            return False
        if self._once is not None and secrets.compare_digest(
            given[0].encode(), self._once.encode()
        ):
            self._once = None
            return True
        return self._is_token(given[0])

    def _has_cookie(self, headers: Headers) -> bool:
        for line in headers.getlist("cookie"):
            try:
                morsel = SimpleCookie(line).get(self._cookie)
            except CookieError:
                continue
            if morsel is not None and self._is_token(morsel.value):
                return True
        return False

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), self._token.encode())


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status)
