"""Ids of pictures in requests: a page never names a path, and an id means nothing outside the review that showed it."""

import hashlib
import threading
from collections.abc import Iterable

from hashindex.core.errors import HashIndexError
from hashindex.core.language import Message
from hashindex.core.model import File


class UnknownId(HashIndexError):
    """There is no such group or picture in this review."""


class PictureIds:
    """The pictures that were shown, by id. Thread-safe. 300 bytes a picture."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._lock = threading.Lock()

    def add(self, files: Iterable[File]) -> None:
        """Makes these pictures known, as they are now."""
        with self._lock:
            for file in files:
                self._files[picture_id(file)] = file

    def file(self, id: str) -> File:
        """The picture of an id. UnknownId if none was shown with it."""
        with self._lock:
            file = self._files.get(id)
        if file is None:
            raise UnknownId(Message("There is no such picture in this review."))
        return file

    def by_path(self) -> dict[bytes, str]:
        """Path -> id of the picture that was last shown there."""
        with self._lock:
            return {file.path_bytes: id for id, file in self._files.items()}


def picture_id(file: File) -> str:
    """The id of a file with these bytes: always the same, so that a browser may keep its thumbnail."""
    return hashlib.blake2b(file.content.digest + file.path_bytes, digest_size=10).hexdigest()
