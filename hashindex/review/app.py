"""The requests of the review's page, as a Starlette application. docs/review.md lists them.

Handlers check what is posted, call the review in a thread, and turn its values into JSON in the language of the page.
Translating happens in the one thread of the event loop, since the language is one of the whole process.
"""

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from functools import partial, wraps
from typing import Any, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from hashindex.core.errors import CatalogueLocked, HashIndexError, UnreadablePicture
from hashindex.core.language import in_language, local, sentence
from hashindex.core.model import File
from hashindex.core.options import Level
from hashindex.core.reviewing import ReviewKind
from hashindex.output.text.common import show_path, show_text
from hashindex.review import shown
from hashindex.review.group_store import GroupQuery, HeldGroup, Only, Order
from hashindex.review.open_folder import open_folder
from hashindex.review.picture_ids import UnknownId
from hashindex.review.picture_workers import PictureWorkers
from hashindex.review.security import RequestRefused, refusal
from hashindex.review.sitting import LEVELS, Sitting, StaleGroup

OptionValue = TypeVar("OptionValue", bound=StrEnum)
Handler = Callable[[Request], Awaitable[Response]]

MOST_JSON = 2**20
"""Bytes of a posted JSON: 20,000 ids of groups have 600 kB."""
MOST_PICTURE = 64 * 2**20
"""Bytes of a picture to search for."""
MOST_GROUPS = 100
"""Groups in one answer."""
MOST_WAITING = 400
"""Requests for pictures that wait for a worker; more are refused with 429."""
MOST_SEARCHES = 4
"""Searches and comparisons that run or wait; more are refused with 429."""
SIDES = range(16, 1025)
"""Sides of thumbnails and frames, in pixels."""
KEEP_ALIVE_S = 15.0
"""How often an idle stream of events sends a comment, which shows whether the page is still there."""
KEPT_BY_BROWSER = "private, max-age=86400, immutable"
"""For pictures: an id always means the same bytes."""
DECISIONS = {
    "same": ReviewKind.SAME,
    "separate": ReviewKind.SEPARATE,
    "keep": ReviewKind.KEPT,
    "skip": ReviewKind.SKIPPED,
}


class PageFiles(Protocol):
    """The HTML page and what it loads."""

    def server_page(self) -> str:
        """The HTML of the page."""
        ...

    def page_file(self, name: str) -> tuple[bytes, str] | None:
        """A style or module by its name, with its content type; None if there is none."""
        ...


class Presence:
    """Whether a page is open: it has a stream of events open, or had a request answered a short while ago."""

    def __init__(self) -> None:
        self._open = 0
        self._last_s: float | None = None

    @contextmanager
    def seen(self) -> Iterator[None]:
        """Counts a request or a stream while it is open."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._last_s = time.monotonic()

    def absent_s(self) -> float:
        """Seconds since the page was last seen; 0 while it is open or before its first request."""
        return 0.0 if self._open or self._last_s is None else time.monotonic() - self._last_s


class Waiting:
    """Lets a number of requests work at a time, and refuses further ones while too many wait."""

    def __init__(self, working: int, most: int) -> None:
        self._slots = asyncio.Semaphore(working)
        self._most = most
        self._count = 0

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Waits for a turn. RequestRefused (429) if too many wait; ClientDisconnect if the client of a GET has gone."""
        if self._count >= self._most:
            raise RequestRefused(429, sentence("The server has too much to do; try again in a moment."))
        self._count += 1
        try:
            async with self._slots:
                # For a POST this would take a part of its body away.
                if request.method == "GET" and await request.is_disconnected():
                    raise ClientDisconnect
                yield
        finally:
            self._count -= 1


class ReviewApp:
    """The handlers. Everything but the streams of events is answered from the review and the workers."""

    def __init__(
        self, sitting: Sitting, workers: PictureWorkers, worker_count: int, page: PageFiles, lang: str
    ) -> None:
        """lang: the language where a request names none."""
        self.presence = Presence()
        self.stopping = threading.Event()
        """Set when the server ends: a batch then stops after the current file."""
        self._sitting = sitting
        self._workers = workers
        self._page = page
        self._lang = lang
        self._pictures = Waiting(worker_count, MOST_WAITING)
        self._searches = Waiting(2, MOST_SEARCHES)
        self._streams: set[asyncio.Queue[None]] = set()

    def starlette(self) -> Starlette:
        """The application."""
        get, post = self._get, self._post
        return Starlette(
            routes=[
                get("/", self._index),
                get("/page/{name}", self._page_file),
                get("/favicon.ico", self._icon),
                get("/api/state", self._state),
                get("/api/groups", self._groups),
                get("/api/groups/{key}", self._group),
                get("/api/pictures/{picture}/thumbnail", self._thumbnail),
                get("/api/pictures/{picture}/picture", self._picture),
                get("/api/pictures/{picture}/frames", self._frames),
                get("/api/difference", self._difference),
                get("/api/done", self._done),
                get("/api/events", self._events),
                post("/api/decide", self._decide),
                post("/api/remove", self._remove),
                post("/api/undo", self._undo),
                post("/api/search", self._search),
                post("/api/open-folder", self._open_folder),
            ]
        )

    def tell_changed(self) -> None:
        """Tells every open page that the groups have changed. Call it in the thread of the event loop."""
        for stream in self._streams:
            if stream.empty():
                stream.put_nowait(None)

    # The page

    async def _index(self, request: Request) -> Response:
        return HTMLResponse(self._page.server_page(), headers={"Cache-Control": "no-store"})

    async def _page_file(self, request: Request) -> Response:
        found = self._page.page_file(request.path_params["name"])
        if found is None:
            raise RequestRefused(404, sentence("There is no such file."))
        return Response(found[0], media_type=found[1], headers={"Cache-Control": "no-cache"})

    async def _icon(self, request: Request) -> Response:
        # Some browsers ask for this name too, whatever the page links to.
        return RedirectResponse("/page/icon.svg")

    # What is there

    async def _state(self, request: Request) -> Response:
        level = _chosen(Level, request.query_params, "level", self._sitting.level)
        folders, identical = await run_in_threadpool(lambda: (self._sitting.folders(), self._sitting.identical()))
        return self._json(
            request,
            lambda: {
                "lang": self._lang,
                "level": self._sitting.level,
                "levels": LEVELS,
                "sort": self._sitting.order,
                "folders": [{"id": str(id), "name": show_path(path)} for id, path in enumerate(folders)],
                "sure_to_remove": {"identical": identical._asdict()},
                "stamp": self._sitting.stamp,
            },
            counts_of=level,
        )

    async def _groups(self, request: Request) -> Response:
        asked = request.query_params
        level = _chosen(Level, asked, "level", self._sitting.level)
        if level not in LEVELS:
            raise _bad()
        start, count = _number(asked, "start", 0, range(2**31)), _number(asked, "count", 20, range(1, MOST_GROUPS + 1))
        folder = None
        if asked.get("folder"):
            folders = await run_in_threadpool(self._sitting.folders)
            folder = folders[_number(asked, "folder", 0, range(len(folders)))]
        only = _chosen(Only, asked, "only", None)
        paths = None
        if asked.get("words"):
            paths = await run_in_threadpool(partial(self._sitting.paths_with, asked["words"], again=start == 0))
        query = GroupQuery(folder, only, _chosen(Order, asked, "sort", self._sitting.order), paths)
        page = await run_in_threadpool(self._sitting.page, level, query, start, count)
        return self._json(
            request,
            lambda: {
                "total": page.total,
                "start": page.start,
                "stamp": self._sitting.stamp,
                "groups": [self._group_json(one) for one in page.groups],
            },
        )

    async def _group(self, request: Request) -> Response:
        try:
            one = await run_in_threadpool(self._sitting.group, request.path_params["key"])
        except StaleGroup as stale:
            raise RequestRefused(404, sentence("There is no such group now.")) from stale
        return self._json(request, lambda: self._group_json(one))

    async def _done(self, request: Request) -> Response:
        found = await run_in_threadpool(self._sitting.done)
        return self._json(request, lambda: shown.done_json(*found))

    def _stale_json(self, stale: StaleGroup) -> shown.Json:
        return {**_error_json(stale), "group": None if stale.now is None else self._group_json(stale.now)}

    def _group_json(self, one: HeldGroup) -> shown.Json:
        return shown.group_json(one, self._sitting.number(one))

    # Pictures

    async def _thumbnail(self, request: Request) -> Response:
        file = self._file(request)
        side = _number(request.query_params, "side", 256, SIDES)
        made = await run_in_threadpool(self._workers.cached_thumbnail, file, side)
        if made is None:
            async with self._pictures.turn(request):
                made = await run_in_threadpool(self._workers.thumbnail, file, side)
        return Response(made, media_type="image/webp", headers={"Cache-Control": KEPT_BY_BROWSER})

    async def _picture(self, request: Request) -> Response:
        file = self._file(request)
        async with self._pictures.turn(request):
            data, kind = await run_in_threadpool(self._workers.picture, file)
        return Response(data, media_type=kind, headers={"Cache-Control": KEPT_BY_BROWSER})

    async def _frames(self, request: Request) -> Response:
        file = self._file(request)
        side = _number(request.query_params, "side", 512, SIDES)
        async with self._pictures.turn(request):
            sheet = await run_in_threadpool(self._workers.frames, file, side)
        return JSONResponse(
            {
                "count": len(sheet.durations_ms),
                "durations_ms": sheet.durations_ms,
                "sheet": base64.b64encode(sheet.picture).decode("ascii"),
            },
            headers={"Cache-Control": KEPT_BY_BROWSER},
        )

    async def _difference(self, request: Request) -> Response:
        first, second = (
            self._sitting.ids.file(request.query_params.get(name, "")).path_bytes for name in ("first", "second")
        )
        async with self._searches.turn(request):
            found = await run_in_threadpool(self._sitting.explain, first, second)
        return self._json(request, lambda: shown.difference_json(found))

    def _file(self, request: Request) -> File:
        return self._sitting.ids.file(request.path_params["picture"])

    # What the person does

    async def _decide(self, request: Request) -> Response:
        given = await _posted(request)
        key, decision = _text(given, "group"), _text(given, "decision")
        pictures = _texts(given, "pictures")
        if decision == "undo":
            number = given.get("number")
            if number is not None and type(number) is not int:
                raise _bad()
            one = await run_in_threadpool(self._sitting.undo_decision, key or None, number)
        elif decision in DECISIONS and key:
            one = await run_in_threadpool(self._sitting.decide, key, DECISIONS[decision], pictures)
        else:
            raise _bad()
        level = self._sitting.level if one is None else one.group.level
        return self._json(request, lambda: {"group": None if one is None else self._group_json(one)}, counts_of=level)

    async def _remove(self, request: Request) -> Response:
        given = await _posted(request)
        keys, preview = _texts(given, "groups"), given.get("preview", False)
        if not keys or type(preview) is not bool:
            raise _bad()
        if preview:
            found = await run_in_threadpool(self._sitting.preview, keys)
            return self._json(request, lambda: shown.preview_json(found, self._sitting.ids.by_path()))
        done = await run_in_threadpool(partial(self._sitting.remove, keys, stop=self.stopping.is_set))
        return self._json(
            request, lambda: shown.removal_json(done, self._sitting.ids.by_path()), counts_of=Level.COPIES
        )

    async def _undo(self, request: Request) -> Response:
        batch = (await _posted(request)).get("batch")
        if batch is not None and (type(batch) is not int or not 0 < batch < 2**63):
            raise _bad()
        outcome = await run_in_threadpool(partial(self._sitting.undo, batch, stop=self.stopping.is_set))
        return self._json(request, lambda: shown.undone_json(outcome), counts_of=Level.COPIES)

    async def _search(self, request: Request) -> Response:
        async with self._searches.turn(request):
            if request.headers.get("content-type", "").startswith("application/json"):
                given = await _posted(request)
                address, words = _text(given, "address"), _text(given, "words")
                if words:
                    pictures = await run_in_threadpool(self._sitting.find, words)
                    return self._json(request, lambda: shown.found_json(pictures))
                if not address or "\0" in address:
                    raise _bad()
                found = await run_in_threadpool(self._sitting.search, None, address)
            else:
                found = await run_in_threadpool(self._sitting.search, await _body(request, MOST_PICTURE), None)
        return self._json(request, lambda: shown.answers_json(*found))

    async def _open_folder(self, request: Request) -> Response:
        file = self._sitting.ids.file(_text(await _posted(request), "picture"))
        await run_in_threadpool(open_folder, file.path_bytes)
        return JSONResponse({})

    # Events

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _stream(self) -> AsyncIterator[str]:
        changes: asyncio.Queue[None] = asyncio.Queue(1)
        self._streams.add(changes)
        with self.presence.seen():
            try:
                yield ": open\n\n"
                while not self.stopping.is_set():
                    try:
                        await asyncio.wait_for(changes.get(), KEEP_ALIVE_S)
                    except TimeoutError:
                        yield ": still here\n\n"
                        continue
                    counts = await run_in_threadpool(self._counts, self._sitting.level)
                    event = {"kind": "changed", "stamp": self._sitting.stamp, "counts": counts}
                    yield f"data: {json.dumps(event)}\n\n"
            finally:
                self._streams.discard(changes)

    # Parts of these

    def _get(self, path: str, handler: Handler) -> Route:
        return Route(path, self._answered(handler), methods=["GET"])

    def _post(self, path: str, handler: Handler) -> Route:
        return Route(path, self._answered(handler), methods=["POST"])

    def _answered(self, handler: Handler) -> Handler:
        """A handler whose errors are answered as sentences."""

        @wraps(handler)
        async def answered(request: Request) -> Response:
            try:
                with self.presence.seen():
                    return await handler(request)
            except StaleGroup as stale:
                return self._json(request, partial(self._stale_json, stale), status=409)
            except HashIndexError as error:
                return self._json(request, partial(_error_json, error), status=_status(error))
            except RequestRefused as refused:
                return refusal(refused)
            except ClientDisconnect:
                # The client has gone: this answer is not sent.
                return Response(status_code=499)
            except TimeoutError:
                return refusal(RequestRefused(408, sentence("The request did not come to its end.")))

        return answered

    def _json(
        self,
        request: Request,
        make: Callable[[], Mapping[str, object]],
        *,
        status: int = 200,
        counts_of: Level | None = None,
    ) -> Response:
        """JSON whose sentences are in the language of the page. counts_of: adds the counts of this level."""
        with in_language(self._language(request)):
            value = dict(make())
        if counts_of is not None:
            value["counts"] = self._counts(counts_of)
        return JSONResponse(value, status, headers={"Cache-Control": "no-store"})

    def _language(self, request: Request) -> str:
        named = request.headers.get("accept-language", "")[:2].lower()
        return named if named in ("en", "zh") else self._lang

    def _counts(self, level: Level) -> shown.Json:
        counts = self._sitting.counts(level)
        return {
            **counts._asdict(),
            "left": counts.groups - counts.reviewed,
            "bytes_freed": self._sitting.bytes_freed(),
        }


def _error_json(error: HashIndexError) -> shown.Json:
    return {"error": show_text(local(error.args[0]))}


def _status(error: HashIndexError) -> int:
    if isinstance(error, UnknownId):
        return 404
    if isinstance(error, UnreadablePicture):
        return 422
    return 503 if isinstance(error, CatalogueLocked) else 400


def _bad() -> RequestRefused:
    return RequestRefused(400, sentence("The request is not one that the page sends."))


def _chosen(kind: type[OptionValue], asked: Mapping[str, str], name: str, default: Any) -> Any:
    """The value of a query parameter that has a set of values; the default if it is left out or empty."""
    value = asked.get(name)
    if not value:
        return default
    try:
        return kind(value)
    except ValueError:
        raise _bad() from None


def _number(asked: Mapping[str, str], name: str, default: int, within: range) -> int:
    value = asked.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 12) or int(value) not in within:
        raise _bad()
    return int(value)


async def _body(request: Request, most: int) -> bytes:
    """The posted bytes. RequestRefused (413) as soon as there are more than `most`."""
    too_much = RequestRefused(413, sentence("What was sent is too large: at most {most:,} bytes are taken.", most=most))
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most:
        raise too_much
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_much
    return bytes(body)


async def _posted(request: Request) -> dict[str, Any]:
    """A posted JSON object."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise _bad()
    try:
        given = json.loads(await _body(request, MOST_JSON))
    except (ValueError, RecursionError):
        raise _bad() from None
    if not isinstance(given, dict):
        raise _bad()
    return given


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise _bad()
    return value


def _texts(given: Mapping[str, Any], name: str) -> list[str]:
    value = given.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _bad()
    return value
