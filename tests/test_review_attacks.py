"""What reaches the server of a review: nothing from other pages, programs and names; and it stays alive."""

import asyncio
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, moving, save
from reviewing import Client, Opened, opened
from starlette.requests import ClientDisconnect
from trees import tree

from hashindex import HashIndex, UnreadablePicture
from hashindex.review import app, security, server

MARKUP = "<img src=x onerror=alert(1)>&\"'.png"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Opened, Path]]:
    """A review of two groups in one folder; one picture has markup as its name, one a name that is no text."""
    folder = tmp_path_factory.mktemp("attacked")
    pictures = folder / "pictures"
    for name in (MARKUP, "</script><script>alert(1)</script> \u202etxt.png".replace("/", "\u2215"), "plain.png"):
        save(draw(5, (320, 240)), pictures / name)
    frames = moving(1, range(3))
    for name in ("face.gif", "again.gif"):
        save(frames[0], pictures / name, save_all=True, append_images=frames[1:], duration=90)
    if os.name == "posix":
        save(draw(5, (320, 240)), Path(os.fsdecode(os.fsencode(pictures) + b"/\xff\x1b[31m.png")), format="PNG")
    index = HashIndex(folder / "catalogue.db")
    index.scan([pictures])
    with opened(index) as review:
        yield review, pictures


@pytest.fixture(autouse=True)
def unharmed(world: tuple[Opened, Path]) -> Iterator[None]:
    """After each test, the server answers its page, and no picture and no decision has changed."""
    review, pictures = world
    before = tree(pictures)
    yield
    page = review.visit()
    assert page.get("/api/state")["counts"]["groups"] == 2
    assert tree(pictures) == before
    assert page.get("/api/done") == {"batches": [], "decisions": []}


@pytest.fixture
def page(world: tuple[Opened, Path]) -> Client:
    return world[0].visit()


# Who may ask


def test_no_request_without_the_cookie_is_answered(world: tuple[Opened, Path], page: Client) -> None:
    stranger = Client(page.port)
    group = page.groups()[0]
    picture = group["members"][0]["picture"]
    for path in ("/", "/page/main.js", "/api/state", "/api/groups", f"/api/pictures/{picture}/picture", "/api/events"):
        answer = stranger.ask("GET", path)
        assert answer.status == 401 and set(answer.json()) == {"error"}, path
    answer = stranger.try_post("/api/remove", {"groups": [group["group"]], "preview": False})
    assert answer.status == 401
    for cookie in (
        "hashindex=1",
        f"hashindex-{page.port}=",
        f"hashindex-{page.port}=x",
        ";;=,",
        str(page.cookie)[:-1],
    ):
        assert Client(page.port, cookie).ask("GET", "/api/state").status == 401


def test_the_token_is_good_for_one_visit_and_the_cookie_is_strict(world: tuple[Opened, Path]) -> None:
    review, _ = world
    address = review.server.address()
    path = address.partition(str(review.port))[2]
    first, second = (Client(review.port).ask("GET", path) for _ in range(2))
    assert (first.status, second.status) == (200, 403)
    attributes = {part.strip().lower() for part in first.headers["Set-Cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    for wrong in ("/?token=", "/?token=x", f"{path}x", "/?token=%00", "/?token=%ff"):
        answer = Client(review.port).ask("GET", wrong)
        assert answer.status in (401, 403) and "Set-Cookie" not in answer.headers
    older, newer = review.server.address(), review.server.address()
    assert Client(review.port).ask("GET", older.partition(str(review.port))[2]).status == 403
    assert Client(review.port).ask("GET", newer.partition(str(review.port))[2]).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", "[::1]:{port}", ""]
)
def test_another_host_is_refused(page: Client, host: str) -> None:
    answer = page.ask("GET", "/api/state", headers={"Host": host.format(port=page.port)})
    assert answer.status in (400, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": None},
        {"X-Hashindex": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "localhost:{port}"},
    ],
)
def test_a_post_of_another_page_is_refused(page: Client, headers: dict[str, str | None]) -> None:
    given = {name: value and value.format(port=page.port) for name, value in headers.items()}
    group = page.groups()[0]["group"]
    body = json.dumps(
        {"group": group, "decision": "skip", "pictures": [], "groups": [group], "preview": False}
    ).encode()
    for path in ("/api/decide", "/api/remove", "/api/undo", "/api/search", "/api/open-folder"):
        assert page.ask("POST", path, body, given).status == 403, path


def test_another_page_can_read_nothing(page: Client) -> None:
    answer = page.ask("GET", "/api/state", headers={"Origin": "https://evil.example"})
    assert answer.status == 403
    assert page.ask("GET", "/api/state", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    for method in ("OPTIONS", "PUT", "DELETE", "TRACE"):
        answer = page.ask(method, "/api/state", headers={"Origin": "https://evil.example"})
        assert answer.status in (403, 405) and not any(name.startswith("Access-Control") for name in answer.headers)


def test_every_response_forbids_scripts_of_others_and_guessing_of_types(page: Client) -> None:
    picture = page.groups()[0]["members"][0]["picture"]
    for client, path in (
        (page, "/"),
        (page, f"/api/pictures/{picture}/picture"),
        (page, "/none"),
        (Client(page.port), "/"),
    ):
        headers = client.ask("GET", path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin" and headers["Referrer-Policy"] == "no-referrer"


# What is asked


@pytest.mark.parametrize(
    "path",
    [
        "/page/../report.py",
        "/page/..%2freport.py",
        "/page/%2e%2e/%2e%2e/service.py",
        "/page//etc/passwd",
        "/page/bundle.py",
        "/page/main.js%00.css",
        "/api/pictures/..%2f..%2fetc%2fpasswd/picture",
        "/api/pictures/%2fetc%2fpasswd/thumbnail",
        "/api/pictures/0/picture",
        "/api/pictures//picture",
        "/api/groups/..%2fstate",
        "/api/groups/%00",
    ],
)
def test_paths_lead_nowhere(page: Client, path: str) -> None:
    assert page.ask("GET", path).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "level=radius", "level=x", "sort=x", "only=x", "folder=1", "folder=-1", "folder=/etc", "start=-1", "start=x",
        "start=99999999999999", "count=0", "count=101", "count=1e2", "count=\u0661", "start=%00",
        "words=%00", "words=%20",
    ],
)  # fmt: skip
def test_wrong_queries_are_told(page: Client, query: str) -> None:
    answer = page.ask("GET", "/api/groups?" + query.encode("latin-1", "replace").decode("latin-1"))
    assert answer.status == 400 and answer.json()["error"]


@pytest.mark.parametrize(
    "words", ["x" * 30_000, "%22zz OR qq --", "'; DROP TABLE file; --", "a%00b", "%ff%fe", "NEAR(a,1)"]
)
def test_words_are_no_language(page: Client, words: str) -> None:
    before = page.groups("sort=path")
    assert page.ask("GET", f"/api/groups?words={words.replace(' ', '%20')}").status == 200
    assert page.groups("sort=path") == before != []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"[" * 100_000, b'{"group": 1}', b'{"groups": "x"}',
        b'{"groups": [1]}', b'{"groups": []}', b'{"groups": ["x"], "preview": 1}', b'{"group": "", "decision": "skip"}',
        b'{"group": "x", "decision": "burn"}', b'{"group": "x", "decision": "undo", "number": "1"}', b'{"batch": "1"}',
        b'{"batch": true}', b'{"batch": -1}', b'{"batch": 1e99}', b'{"batch": 99999999999999999999}',
        b'{"address": ["x"]}', b'{"address": "a\\u0000b"}', b'{"picture": {}}',
    ],
)  # fmt: skip
def test_malformed_bodies_are_told(page: Client, body: bytes) -> None:
    for path in ("/api/decide", "/api/remove", "/api/undo", "/api/search", "/api/open-folder"):
        answer = page.ask("POST", path, body)
        assert 400 <= answer.status < 500 and answer.json()["error"], (path, answer.body)


def test_bodies_that_are_too_large_are_refused(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MOST_PICTURE", 100_000)
    assert page.ask("POST", "/api/decide", b" " * (app.MOST_JSON + 1)).status == 413
    picture = {"Content-Type": "application/octet-stream"}
    assert page.ask("POST", "/api/search", b" " * 100_001, picture).status == 413
    # Without a length, what comes is counted.
    with socket.create_connection(("127.0.0.1", page.port), 30) as connection:
        head = (
            f"POST /api/search HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\nOrigin: http://{page.host}\r\n"
        )
        connection.sendall(f"{head}X-Hashindex: 1\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"".join(b"4000\r\n" + b"x" * 0x4000 + b"\r\n" for _ in range(8)))
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_headers_that_are_too_large_are_refused(page: Client) -> None:
    with socket.create_connection(("127.0.0.1", page.port), 30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 200_000)
        assert connection.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 431")
    for garbage in (b"\x00\xff" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", page.port), 30) as connection:
            connection.sendall(garbage + b"\r\n\r\n")
            assert connection.recv(9) in (b"HTTP/1.1 ", b"")


def test_names_with_markup_and_control_characters_are_text(page: Client) -> None:
    answer = page.ask("GET", "/api/groups")
    assert answer.headers["Content-Type"] == "application/json"
    found = {member["name"] for group in answer.json()["groups"] for member in group["members"]}
    assert MARKUP in found
    assert all(name.isprintable() for name in found)
    if os.name == "posix":
        assert "\\xff\\x1b[31m.png" in found


# How much is asked


def test_two_hundred_requests_at_once_are_all_answered(page: Client) -> None:
    pictures = [member["picture"] for group in page.groups() for member in group["members"]]
    statuses: list[int] = []

    def ask(number: int) -> None:
        path = ("/api/groups", f"/api/pictures/{pictures[number % len(pictures)]}/thumbnail?side=64", "/api/state")[
            number % 3
        ]
        statuses.append(page.ask("GET", path).status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 200


def test_a_client_that_never_reads_does_not_stop_the_others(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "SEND_S", 0.2)
    picture = page.groups()[0]["members"][0]["picture"]
    stuck = []
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", page.port), 30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        ask = f"GET /api/pictures/{picture}/picture HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n\r\n"
        connection.sendall(ask.encode() * 200)
        stuck.append(connection)
    for _ in range(20):
        assert page.ask("GET", "/api/state").status == 200
    for connection in stuck:
        connection.close()


def test_a_body_that_stops_coming_ends_the_request(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "RECEIVE_S", 0.2)
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    sent = {"Host": page.host, "Cookie": str(page.cookie), "Origin": f"http://{page.host}", "X-Hashindex": "1"}
    connection.request("POST", "/api/search", b"half", {**sent, "Content-Length": "1000"})
    assert connection.getresponse().status == 408
    connection.close()


def test_more_searches_than_the_server_takes_are_refused(
    page: Client, monkeypatch: pytest.MonkeyPatch, world: Any
) -> None:
    go = threading.Event()
    sitting = world[0].server._sitting

    def search(*given: object) -> None:
        go.wait(30)
        raise UnreadablePicture("not now")

    monkeypatch.setattr(sitting, "search", search)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(page.try_post("/api/search", {"address": "x"}).status))
        for _ in range(app.MOST_SEARCHES + 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads[:3]:
        # Refused ones end at once, the others wait.
        while statuses.count(429) < 3 and any(each.is_alive() for each in threads):
            thread.join(0.05)
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [422] * app.MOST_SEARCHES + [429] * 3


def test_it_listens_on_this_computer_only(world: tuple[Opened, Path]) -> None:
    with server.listening_socket(0) as made:
        assert made.getsockname()[0] == "127.0.0.1"
    assert world[0].server._socket.getsockname()[0] == "127.0.0.1"


def test_a_picture_is_not_made_for_a_page_that_has_gone() -> None:
    class Gone:
        method = "GET"

        async def is_disconnected(self) -> bool:
            return True

    async def ask() -> None:
        request: Any = Gone()
        async with app.Waiting(1, 1).turn(request):
            raise AssertionError("it was made")

    with pytest.raises(ClientDisconnect):
        asyncio.run(ask())
