"""Small WebP pictures of the user's pictures, made in worker processes. Writes no file, imports no NumPy."""

import enum
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from PIL import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.pictures.decode import shown
from hashindex.pictures.examine import digest_of
from hashindex.pictures.formats import unmasked
from hashindex.pictures.worker_pool import each_isolated

QUALITIES: Final = (72, 50, 30)
"""Tried in turn until a thumbnail fits its budget; the last one stands."""
STILL_BYTES: Final = 0.45
MOVING_BYTES: Final = 1.3
"""Budgets, in bytes for each pixel of side x side: 4 KB and 12 KB at 96 pixels."""


class Trouble(enum.StrEnum):
    """Why there is no thumbnail, in a word that a page can translate."""

    GONE = "gone"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


class Wanted(NamedTuple):
    """One content and the files that held it when they were scanned, the first to be tried first."""

    digest: bytes
    paths: tuple[bytes, ...]


class Size(NamedTuple):
    """How thumbnails are made: the longer side in pixels, and how many frames one may have (1: nothing moves)."""

    side: int = 128
    frames: int = 10


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """still is empty where there is trouble, moving also where nothing moves; reason is a sentence without a path."""

    still: bytes = b""
    moving: bytes = b""
    width: int = 0
    height: int = 0
    transparent: bool = False
    trouble: Trouble | None = None
    reason: str = ""


def thumbnails(wanted: Sequence[Wanted], size: Size, limits: Limits, workers: int) -> Iterator[Thumbnail]:
    """One a content, in order, each when it is ready. Never raises for a file, not even where a decoder crashes.

    UsageError where no worker process can be started. More than workers.FEW are made by a pool, which a program that
    calls this from its main script has to expect (`__name__ == "__main__"`). About 4 ms a still and 17 ms an
    animation as they are found in chats, on one processor.
    """
    yield from each_isolated(limits, partial(_thumbnail, size=size, limits=limits), wanted, _crashed, workers)


def _crashed(wanted: Wanted, why: str) -> Thumbnail:
    return Thumbnail(trouble=Trouble.UNREADABLE, reason=why)


def _thumbnail(wanted: Wanted, size: Size, limits: Limits) -> Thumbnail:
    data = trouble = None
    reason = ""
    for path in wanted.paths:
        try:
            with files.opened(path) as source:
                if source.stat.size > limits.bytes:
                    trouble = Trouble.UNREADABLE
                    reason = f"the file has {source.stat.size:,} bytes, more than the limit of {limits.bytes:,}"
                    continue
                data = unmasked(source.read_rest())
        except FileNotFoundError:
            trouble, reason = trouble or Trouble.GONE, reason or "the file is gone"
            continue
        except OSError as error:
            trouble, reason = Trouble.UNREADABLE, files.reason_of(error)
            continue
        if digest_of(data) == wanted.digest:
            break
        # Under that name lies another picture by now; shown here, it would be taken for the one that was compared.
        data, trouble, reason = None, Trouble.CHANGED, "the file has changed since it was scanned"
    if data is None:
        return Thumbnail(trouble=trouble or Trouble.GONE, reason=reason)
    try:
        return _encoded(shown(data, limits, size.side, size.frames), size)
    except UnreadablePicture as error:
        return Thumbnail(trouble=Trouble.UNREADABLE, reason=str(error))


def _encoded(frames: list[tuple[Image.Image, int]], size: Size) -> Thumbnail:
    transparent = any(picture.getchannel("A").getextrema()[0] != 255 for picture, _ in frames)
    if not transparent:
        frames = [(picture.convert("RGB"), ms) for picture, ms in frames]
    area = size.side * size.side
    first = frames[0][0]
    still = _webp(frames[:1], int(STILL_BYTES * area))
    moving = b""
    while len(frames) > 1:
        moving = _webp(frames, int(MOVING_BYTES * area))
        if len(moving) <= MOVING_BYTES * area or len(frames) < 6:
            break
        frames = [
            (picture, sum(ms for _, ms in frames[number : number + 2]))
            for number, (picture, _) in list(enumerate(frames))[::2]
        ]
    return Thumbnail(still, moving, first.width, first.height, transparent)


def _webp(frames: list[tuple[Image.Image, int]], budget: int) -> bytes:
    data = b""
    pictures = [picture for picture, _ in frames]
    for quality in QUALITIES:
        target = io.BytesIO()
        if len(pictures) == 1:
            pictures[0].save(target, "WEBP", quality=quality, method=4)
        else:
            times = [ms for _, ms in frames]
            # Of an animation each frame is seen for a moment only.
            pictures[0].save(
                target,
                "WEBP",
                save_all=True,
                append_images=pictures[1:],
                duration=times,
                loop=0,
                quality=quality - 12,
                method=3,
            )
        data = target.getvalue()
        if len(data) <= budget:
            break
    return data
