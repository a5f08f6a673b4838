"""Makes WebP thumbnails in worker processes. Writes no file and does not import NumPy."""

import enum
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from PIL import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.pictures.examine import digest_of
from hashindex.pictures.formats import unmasked
from hashindex.pictures.frames import small_frames
from hashindex.pictures.worker_pool import map_isolated

QUALITIES: Final = (72, 50, 30)
"""WebP qualities, tried in order until the thumbnail fits its budget; the last is used in any case."""
STILL_BYTES: Final = 0.45
MOVING_BYTES: Final = 1.3
"""Budgets in bytes per pixel of side x side: 4 KB and 12 KB at 96 pixels."""


class ThumbnailProblem(enum.StrEnum):
    """Why there is no thumbnail, as a key that the report page translates."""

    GONE = "gone"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


class ThumbnailJob(NamedTuple):
    """A content, and the files that had it when they were scanned, in the order in which they are tried."""

    digest: bytes
    paths: tuple[bytes, ...]


class ThumbnailSize(NamedTuple):
    """Longest side of a thumbnail in pixels, and its most frames (1 for no animation)."""

    side: int = 128
    frames: int = 10


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """still and moving are empty if there is a problem, moving also for a still. reason: sentence without path."""

    still: bytes = b""
    moving: bytes = b""
    width: int = 0
    height: int = 0
    trouble: ThumbnailProblem | None = None
    reason: str = ""


def thumbnails(jobs: Sequence[ThumbnailJob], size: ThumbnailSize, limits: Limits, workers: int) -> Iterator[Thumbnail]:
    """Yields one thumbnail per job, in order. Never raises because of a file, even if a decoder crashes.

    Raises UsageError if no worker process can be started. More than worker_pool.ISOLATED_MOST are made by a pool; then
    a main script needs `if __name__ == "__main__":`. On one processor, about 4 ms for a still and 17 ms for an
    animation of the sizes common in chats.
    """
    yield from map_isolated(limits, partial(thumbnail, size=size, limits=limits), jobs, _crashed, workers)


def _crashed(job: ThumbnailJob, reason: str) -> Thumbnail:
    return Thumbnail(trouble=ThumbnailProblem.UNREADABLE, reason=reason)


def thumbnail(job: ThumbnailJob, size: ThumbnailSize, limits: Limits) -> Thumbnail:
    """One thumbnail, made in this process, which must be a worker."""
    data = trouble = None
    reason = ""
    for path in job.paths:
        try:
            with files.opened(path) as source:
                if source.stat.size > limits.bytes:
                    trouble = ThumbnailProblem.UNREADABLE
                    reason = Message(
                        "the file has {size:,} bytes, more than the limit of {limit:,}",
                        size=source.stat.size,
                        limit=limits.bytes,
                    )
                    continue
                data = unmasked(source.read_rest())
        except FileNotFoundError:
            trouble, reason = trouble or ThumbnailProblem.GONE, reason or Message("the file is gone")
            continue
        except OSError as error:
            trouble, reason = ThumbnailProblem.UNREADABLE, files.reason_of(error)
            continue
        if digest_of(data) == job.digest:
            break
        # The file now has another picture, which is not the one that was compared.
        data, trouble, reason = None, ThumbnailProblem.CHANGED, Message("the file has changed since it was scanned")
    if data is None:
        return Thumbnail(trouble=trouble or ThumbnailProblem.GONE, reason=reason)
    try:
        return _encoded(small_frames(data, limits, size.side, size.frames), size)
    except UnreadablePicture as error:
        return Thumbnail(trouble=ThumbnailProblem.UNREADABLE, reason=str(error))


def _encoded(frames: list[tuple[Image.Image, int]], size: ThumbnailSize) -> Thumbnail:
    if all(picture.getchannel("A").getextrema()[0] == 255 for picture, _ in frames):
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
    return Thumbnail(still, moving, first.width, first.height)


def _webp(frames: list[tuple[Image.Image, int]], budget: int) -> bytes:
    data = b""
    pictures = [picture for picture, _ in frames]
    for quality in QUALITIES:
        target = io.BytesIO()
        if len(pictures) == 1:
            pictures[0].save(target, "WEBP", quality=quality, method=4)
        else:
            times = [ms for _, ms in frames]
            # Frames of an animation are visible only briefly, so a lower quality suffices.
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
