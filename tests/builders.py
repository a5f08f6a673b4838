"""Contents and files in one line each, for the literals that tests begin with."""

from typing import Any

from hashindex.core.model import Content, File, State

SECOND = 1_000_000_000


def content(id: int, **given: Any) -> Content:
    """A whole JPEG of 10 x 10 pixels, but for what is given."""
    usual: dict[str, Any] = {
        "digest": id.to_bytes(32, "big"),
        "size": 100,
        "format": "jpeg",
        "width": 10,
        "height": 10,
        "frames": 1,
        "duration_ms": 0,
        "detail": 50,
        "pixels": None,
        "problem": None,
    }
    return Content(id=id, **{**usual, **given})


def file(path: bytes, of: int | Content, **given: Any) -> File:
    """A present file of that content (or content number), 100 bytes unless said."""
    held = content(of) if isinstance(of, int) else of
    usual: dict[str, Any] = {"size": held.size, "mtime_ns": SECOND, "state": State.PRESENT, "last_seen_ns": 2 * SECOND}
    return File(path_bytes=path, content=held, **{**usual, **given})
