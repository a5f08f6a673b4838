"""Finds a name in a destination that is still free on every file system. Pure; moves.py holds the last guard."""

from collections.abc import Iterable

from hashindex.core.safe_names import MOST_BYTES, name_key, shortened
from hashindex.disk.files import FolderNames


def key_of(path: bytes) -> str:
    """The key of a path in a destination: equal for paths that are one path on some file system."""
    return name_key(_text(path))


class FreeNames:
    """The names in use in a destination, as paths with / between them: those there, and those given out."""

    def __init__(self, taken: FolderNames, reserved: Iterable[bytes]) -> None:
        """reserved: other names that are not free, such as those of placed pictures that were deleted since."""
        self._files = {key_of(name) for name in (*taken.others, *reserved)}
        self._folders = {key_of(name): _text(name) for name in taken.folders}
        self._tries: dict[str, int] = {}

    def take(self, folders: Iterable[str], stem: str, extension: str) -> bytes:
        """The free path for a picture, which is then in use. If it is not free, _2, _3, ... are tried after the stem.

        folders, stem: safe names. A folder that exists keeps its spelling. A name is cut to MOST_BYTES before its
        extension.
        """
        above = ""
        for folder in folders:
            above = self._folder(above, folder)
        first = name_key(f"{above}{stem}{extension}")
        attempt = self._tries.get(first, 0)
        is_free = False
        while not is_free:
            attempt += 1
            path = above + _variant(stem, extension, attempt)
            key = name_key(path)
            is_free = key not in self._files and key not in self._folders
        self._tries[first] = attempt
        self._files.add(key)
        return path.encode("utf-8", "surrogateescape")

    def _folder(self, above: str, name: str) -> str:
        """The path of a folder, with a / at its end."""
        attempt = 1
        while name_key(path := above + _variant(name, "", attempt)) in self._files:
            attempt += 1
        return self._folders.setdefault(name_key(path), path) + "/"


def _variant(stem: str, extension: str, attempt: int) -> str:
    """The name of that attempt, cut to MOST_BYTES before its extension: cat.gif, cat_2.gif, ..."""
    end = (f"_{attempt}" if attempt > 1 else "") + extension
    return shortened(stem, MOST_BYTES - len(end)) + end


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
