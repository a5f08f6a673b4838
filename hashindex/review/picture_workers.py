"""Worker processes of a review, which make thumbnails and other pictures for the browser."""

import hashlib
import queue
from collections.abc import Callable
from typing import Any

from hashindex.core.errors import UnreadablePicture
from hashindex.core.model import File
from hashindex.core.options import Limits
from hashindex.pictures import browser_pictures
from hashindex.pictures.browser_pictures import FrameSheet
from hashindex.pictures.examine import content_bytes
from hashindex.pictures.isolated_worker import IsolatedWorker, Result, WorkerDied, reason_of_death
from hashindex.pictures.thumbnails import ThumbnailJob, ThumbnailSize, thumbnail
from hashindex.review.thumbnail_cache import ThumbnailCache

SHOWN_AS_THEY_ARE = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}
"""Formats that every browser shows, and their content types. Others are converted to PNG."""
SHOWN_BYTES = 64 * 2**20
"""A larger file is converted too, which makes it smaller."""


class PictureWorkers:
    """Makes pictures for the browser, each in a worker process that is used again. Thread-safe; methods block."""

    def __init__(self, limits: Limits, count: int, cache: ThumbnailCache) -> None:
        self._limits = limits
        self._cache = cache
        self._all = [IsolatedWorker(limits) for _ in range(count)]
        self._free: queue.SimpleQueue[IsolatedWorker] = queue.SimpleQueue()
        for worker in self._all:
            self._free.put(worker)

    def close(self) -> None:
        """Ends the processes."""
        for worker in self._all:
            worker.close()

    def cached_thumbnail(self, file: File, side: int) -> bytes | None:
        """The thumbnail if it was made before."""
        return self._cache.get(_thumbnail_key(file, side))

    def thumbnail(self, file: File, side: int) -> bytes:
        """A WebP within side x side of the first frame. UnreadablePicture with the reason if there can be none."""
        made = self._run(thumbnail, _job(file), ThumbnailSize(side, 1), self._limits)
        if made.trouble is not None:
            raise UnreadablePicture(made.reason)
        self._cache.put(_thumbnail_key(file, side), made.still)
        return made.still

    def picture(self, file: File) -> tuple[bytes, str]:
        """The picture and its content type: its own bytes if a browser shows them, else PNG. UnreadablePicture."""
        kind = SHOWN_AS_THEY_ARE.get(file.content.format)
        if kind is not None and file.size <= SHOWN_BYTES:
            data = content_bytes(file.path_bytes, file.content.digest, self._limits)
            if data is not None:
                return data, kind
        return self._run(browser_pictures.as_png, _job(file), self._limits), "image/png"

    def frames(self, file: File, side: int) -> FrameSheet:
        """The frames of an animation. UnreadablePicture."""
        return self._run(browser_pictures.frame_sheet, _job(file), side, file.content.frames, self._limits)

    def _run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        worker = self._free.get()
        try:
            return worker.run(work, *arguments)
        except WorkerDied as died:
            raise UnreadablePicture(reason_of_death(died.too_long, self._limits)) from died
        finally:
            self._free.put(worker)


def _job(file: File) -> ThumbnailJob:
    return ThumbnailJob(file.content.digest, (file.path_bytes,))


def _thumbnail_key(file: File, side: int) -> str:
    return hashlib.blake2b(file.content.digest + side.to_bytes(4, "big"), digest_size=16).hexdigest()
