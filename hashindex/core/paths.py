"""Paths as callers give them, and as values show them. No I/O.

Inside the package a path is bytes, as the system gives it. Public values have each path as str too: `path` is
os.fsdecode(path_bytes), in which bytes that are not UTF-8 become lone surrogates (Python's surrogateescape). Every
function that takes a path takes both.
"""

import os
from collections.abc import Iterable
from itertools import starmap
from reprlib import repr as short_repr
from typing import Any, TypeVar

from hashindex.core.errors import UsageError
from hashindex.core.language import Message

PathLike = str | bytes | os.PathLike[str]
"""One path."""
Paths = PathLike | Iterable[PathLike]
"""One path or several."""

_BYTES = "_bytes"
HasPaths = TypeVar("HasPaths", bound=type)


def path_bytes(path: PathLike) -> bytes:
    """The path as bytes. UsageError for what is no path."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise UsageError(Message("A path is a str, bytes or os.PathLike, not {given}.", given=short_repr(path)))
    try:
        given = os.fsencode(path)
    except UnicodeEncodeError:
        raise UsageError(Message("{given} can be no path of this system.", given=short_repr(os.fspath(path)))) from None
    if not given:
        raise UsageError(Message("The path is empty."))
    if b"\0" in given:
        raise UsageError(
            Message("{given} can be no path: it contains a zero byte.", given=short_repr(os.fsdecode(given)))
        )
    return given


def paths_bytes(paths: Paths) -> tuple[bytes, ...]:
    """One path or several as a tuple of bytes. UsageError for what is no path."""
    if isinstance(paths, str | bytes | os.PathLike):
        return (path_bytes(paths),)
    if not isinstance(paths, Iterable):
        raise UsageError(Message("Paths are one path or several, not {given}.", given=short_repr(paths)))
    return tuple(map(path_bytes, paths))


def with_readable_paths(value: HasPaths) -> HasPaths:
    """Decorates a NamedTuple: its repr shows each path NAME_bytes as NAME, a str."""

    def __repr__(self: Any) -> str:
        shown = ", ".join(starmap(_shown, zip(self._fields, self, strict=True)))
        return f"{type(self).__name__}({shown})"

    value.__repr__ = __repr__  # type: ignore[method-assign, assignment]
    return value


def _shown(name: str, field: object) -> str:
    if not name.endswith(_BYTES) or isinstance(field, bool):
        return f"{name}={field!r}"
    if isinstance(field, bytes):
        field = os.fsdecode(field)
    elif isinstance(field, tuple):
        field = tuple(map(os.fsdecode, field))
    return f"{name.removesuffix(_BYTES)}={field!r}"
