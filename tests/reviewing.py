"""A review to test against: its server in a thread on a real port, and clients that speak HTTP to it."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from hashindex import Grouping, HashIndex
from hashindex.review.server import ReviewServer


class Answer:
    """A response that was read whole."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


class PlaceholderPage:
    """The least that a server can give."""

    def server_page(self) -> str:
        return "<!doctype html><title>page</title>"

    def page_file(self, name: str) -> tuple[bytes, str] | None:
        return (b"export {};", "text/javascript; charset=utf-8") if name == "main.js" else None


class Client:
    """A browser with its cookie, or an attacker without one."""

    def __init__(self, port: int, cookie: str | None = None) -> None:
        self.port = port
        self.cookie = cookie
        self.host = f"127.0.0.1:{port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """headers: in place of the usual ones; None leaves one out."""
        usual: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie}
        if method == "POST":
            usual |= {"Origin": f"http://{self.host}", "X-Hashindex": "1", "Content-Type": "application/json"}
        sent = {name: value for name, value in {**usual, **(headers or {})}.items() if value is not None}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> Any:
        """The JSON of a page's request, which must succeed."""
        answer = self.ask("GET", path, headers=headers)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()

    def try_post(self, path: str, value: object) -> Answer:
        return self.ask("POST", path, json.dumps(value).encode())

    def post(self, path: str, value: object) -> Any:
        answer = self.try_post(path, value)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()

    @contextmanager
    def events(self) -> Iterator[Iterator[Any]]:
        """The events that arrive; the stream is open before the block begins."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/api/events", headers={"Host": self.host, "Cookie": self.cookie or ""})
            response = connection.getresponse()
            assert response.status == 200 and response.readline() == b": open\n"
            yield (json.loads(line[5:]) for line in response if line.startswith(b"data:"))
        finally:
            connection.close()

    def groups(self, query: str = "") -> list[Any]:
        found: list[Any] = self.get(f"/api/groups?count=100&{query}")["groups"]
        return found


class Opened:
    """A running review."""

    def __init__(self, server: ReviewServer) -> None:
        self.server = server
        self.address = ""
        self.port = server.port
        self.thread: threading.Thread | None = None

    def visit(self, address: str | None = None) -> Client:
        """Opens the address as a browser does."""
        query = urlsplit(address or self.server.address()).query
        answer = Client(self.port).ask("GET", f"/?{query}")
        assert answer.status == 200, answer.body
        return Client(self.port, answer.headers["Set-Cookie"].split(";")[0])


@contextmanager
def opened(index: HashIndex, **given: Any) -> Iterator[Opened]:
    """Serves a review until the end of the block."""
    given = {"absent_s": 600.0, **given}
    server = ReviewServer(index, given.pop("grouping", Grouping()), given.pop("page", PlaceholderPage()), **given)
    review = Opened(server)
    ready = threading.Event()

    def on_ready(address: str) -> None:
        review.address = address
        ready.set()

    review.thread = threading.Thread(target=server.run, args=(on_ready,))
    review.thread.start()
    try:
        assert ready.wait(30)
        yield review
    finally:
        server.stop()
        review.thread.join(30)
        assert not review.thread.is_alive()
