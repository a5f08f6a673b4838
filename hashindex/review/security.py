"""Which requests reach the review: from this computer, from its own page, by someone who has seen its address.

The server listens on 127.0.0.1 only. Still, every program and every web page in the user's browser can send requests
there, so each request needs the cookie that the secret address gives, the server's own name as Host (against DNS
rebinding) and, if the browser names one, its own origin. docs/review.md has the whole.
"""

import asyncio
import hmac
import secrets
from collections.abc import Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashindex.core.language import sentence

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every response."""
SEND_S = 30.0
"""A client that takes none of a response for this long is disconnected."""
RECEIVE_S = 30.0
"""A request whose body stops coming for this long ends."""
_GO_ON = '<!doctype html><meta charset="utf-8"><title>hashindex</title><meta http-equiv="refresh" content="0; url=/">'
"""After the visit with the token. A redirect would go on without the new cookie if another site led to the visit."""
MARK = "x-hashindex"
"""A header that a form or a link of another page cannot send. Every POST needs it."""


class RequestRefused(Exception):
    """A request that the server does not answer. The text is a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Guard:
    """An ASGI application that lets through only requests of the review's own page."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"hashindex-{port}"
        self._secret = secrets.token_urlsafe(32)
        self._token: str | None = secrets.token_urlsafe(32)

    def new_token(self) -> str:
        """The token for the address of the page. It is good for one visit; an earlier one is void."""
        self._token = secrets.token_urlsafe(32)
        return self._token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # WebSockets: there are none.
            return
        guarded = _with_headers(_with_deadline(send))
        try:
            response = self._answer(scope)
        except RequestRefused as refused:
            response = refusal(refused)
        if response is None:
            await self._app(scope, _received_in_time(receive), guarded)
        else:
            await response(scope, receive, guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """The response to a request with the token; None for a request that may pass. Raises RequestRefused."""
        headers = Headers(scope=scope)
        self._check_host(headers)
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if token is not None and scope["path"] == "/" and scope["method"] == "GET":
            if self._token is None or not _are_equal(token[0], self._token):
                raise RequestRefused(403, sentence("This address was used before; run hashindex review again."))
            self._token = None
            response = HTMLResponse(_GO_ON)
            response.set_cookie(self._cookie, self._secret, httponly=True, samesite="strict", path="/")
            return response
        self._check_sender(scope, headers)
        if not any(_are_equal(value, self._secret) for value in _cookies(headers, self._cookie)):
            raise RequestRefused(
                401, sentence("Open the address that hashindex review printed; it holds a secret token.")
            )
        return None

    def _check_host(self, headers: Headers) -> None:
        names = headers.getlist("host")
        if len(names) != 1 or names[0].lower() not in self._hosts:
            raise RequestRefused(403, sentence("This server answers only under its own address."))

    def _check_sender(self, scope: Scope, headers: Headers) -> None:
        origins = headers.getlist("origin")
        is_own = origins == [f"http://{headers['host'].lower()}"]
        # Browsers name the origin of every POST, and whether another site sends a request.
        if (origins and not is_own) or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise RequestRefused(403, sentence("Another web page sent this request."))
        if scope["method"] not in ("GET", "HEAD"):
            if scope["method"] != "POST":
                raise RequestRefused(405, sentence("There is no such request."))
            if not is_own or headers.get(MARK) != "1":
                raise RequestRefused(403, sentence("This request does not come from the page of the review."))


def refusal(refused: RequestRefused) -> Response:
    """The response to a request that is not answered."""
    return JSONResponse({"error": str(refused)}, refused.status, headers={"Cache-Control": "no-store"})


def _are_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _cookies(headers: Headers, name: str) -> Iterable[str]:
    for line in headers.getlist("cookie"):
        try:
            cookie = SimpleCookie(line).get(name)
        except CookieError:
            continue
        if cookie is not None:
            yield cookie.value


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await send(message)

    return sent


def _with_deadline(send: Send) -> Send:
    """Ends the request if the client takes nothing for SEND_S."""

    async def sent(message: Message) -> None:
        async with asyncio.timeout(SEND_S):
            await send(message)

    return sent


def _received_in_time(receive: Receive) -> Receive:
    """Ends the request if a part of its body does not come for RECEIVE_S. Afterwards it waits for the client to go."""
    is_whole = False

    async def received() -> Message:
        nonlocal is_whole
        if is_whole:
            return await receive()
        async with asyncio.timeout(RECEIVE_S):
            message = await receive()
        is_whole = not message.get("more_body", False)
        return message

    return received
