"""Runs a review: a socket on 127.0.0.1, the server, the watch of the catalogue, and the end when the page closes."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.paths import PathLike
from hashindex.disk import files
from hashindex.index.grouping import Grouping
from hashindex.index.selection import Selection
from hashindex.pictures.worker_pool import available_processors
from hashindex.review.app import PageFiles, ReviewApp
from hashindex.review.picture_workers import PictureWorkers
from hashindex.review.security import Guard
from hashindex.review.sitting import Sitting
from hashindex.review.thumbnail_cache import ThumbnailCache
from hashindex.service import HashIndex

ABSENT_S = 60.0
"""The server ends when the page was closed for this long."""
CONNECTIONS = 512
"""More connections at a time are refused."""
STUCK_MS = 60_000
"""The system ends a connection whose client takes nothing for this long."""


def listening_socket(port: int) -> socket.socket:
    """A socket on 127.0.0.1 that accepts connections. port: 0 for any free one. UsageError if it is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MS)
        made.bind(("127.0.0.1", port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise UsageError(
            Message(
                "The port {port} cannot be used: {reason}; leave out --port for a free one.",
                port=port,
                reason=files.system_reason(error),
            )
        ) from error
    return made


class ReviewServer:
    """A review and its server. run blocks until the page is closed, stop is called, or Ctrl-C."""

    def __init__(
        self,
        index: HashIndex,
        grouping: Grouping,
        page: PageFiles,
        *,
        port: int = 0,
        folders: Sequence[PathLike] = (),
        selection: Selection = Selection(),  # noqa: B008 - frozen
        lang: str = "en",
        absent_s: float = ABSENT_S,
    ) -> None:
        """grouping, folders, selection: see Sitting. lang: of sentences where a request names no language.

        Raises UsageError if the port is taken, and the errors of Sitting.
        """
        self._absent_s = absent_s
        self._sitting = Sitting(index, grouping, folders=folders, selection=selection, on_change=self._on_change)
        self._socket = listening_socket(port)
        self.port: int = self._socket.getsockname()[1]
        count = available_processors() if grouping.workers is None else grouping.workers
        cache = ThumbnailCache(index.path)
        self._workers = PictureWorkers(grouping.limits, count, cache)
        self._app = ReviewApp(self._sitting, self._workers, count, page, lang)
        self._guard = Guard(self._app.starlette(), self.port)
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            self._guard,
            # Its own messages are of no use to a person; a broken connection would print a traceback.
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=32 * 1024,
        )
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
        self._server = uvicorn.Server(config)

    def address(self) -> str:
        """A new address of the page, with a token that is good for one visit."""
        return f"http://127.0.0.1:{self.port}/?token={self._guard.new_token()}"

    def run(self, on_ready: Callable[[str], None]) -> None:
        """Serves until the page was closed for absent_s, or stop or Ctrl-C. on_ready: called with the address."""
        watcher = threading.Thread(target=self._watch, name="catalogue watch", daemon=True)
        watcher.start()
        try:
            asyncio.run(self._serve(on_ready))
        finally:
            self._app.stopping.set()
            self._workers.close()
            self._sitting.close()
            self._socket.close()
            watcher.join()

    def stop(self) -> None:
        """Ends the server, after the current file of a batch. For any thread."""
        self._app.stopping.set()
        self._server.should_exit = True

    async def _serve(self, on_ready: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        ending = asyncio.create_task(self._end_when_closed())
        on_ready(self.address())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            # Now, so that an open stream of events ends.
            self._app.stopping.set()
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending

    async def _end_when_closed(self) -> None:
        while self._app.presence.absent_s() < self._absent_s or self._sitting.is_changing:
            await asyncio.sleep(min(1.0, self._absent_s / 4))
        self.stop()

    def _watch(self) -> None:
        self._sitting.watch_catalogue(self._app.stopping)

    def _on_change(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._app.tell_changed)
