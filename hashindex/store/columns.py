"""How values are written to columns and read from them, and SQL conditions that several modules share."""

import os
from collections.abc import Collection

SEPARATOR = os.sep.encode()

IS_BELOW = "(path = ? OR path >= ? AND path < ?)"
"""SQL: whether path is a given path or lies below it; its parameters are those of below()."""
IS_OURS = "NOT file.missing AND destination IS NULL"
"""SQL: whether a file is present and outside destinations."""


def below(path: bytes) -> tuple[bytes, bytes, bytes]:
    """Parameters of IS_BELOW. A range uses the index; LIKE would not, and names may hold % and _."""
    start = path.rstrip(SEPARATOR) + SEPARATOR
    return path, start, start[:-1] + bytes([start[-1] + 1])


def marks(values: Collection[object]) -> str:
    """One placeholder for each value."""
    return ",".join("?" * len(values))


def storable(sentence: str | None) -> str | None:
    """A sentence as TEXT can hold it: stray bytes, which a path in it may have, become escapes."""
    return None if sentence is None else sentence.encode("utf-8", "backslashreplace").decode()


def blob(number: int) -> bytes:
    """A device or inode as a BLOB."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
