"""Pictures as a browser can show them: in full, and the frames of an animation in one picture. For worker processes."""

import io
from math import isqrt
from typing import Final, NamedTuple

from PIL import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.pictures.examine import content_bytes
from hashindex.pictures.frames import small_frames
from hashindex.pictures.thumbnails import ThumbnailJob

LONGEST_SIDE: Final = 8192
"""Of a picture that is converted, in pixels."""
SHEET_PIXELS: Final = 2**23
"""Most pixels of all frames of a sheet."""
SHEET_WIDTH: Final = 16_000
"""In pixels; WebP allows 16,383."""
MOST_FRAMES: Final = 60


class FrameSheet(NamedTuple):
    """The frames of an animation side by side in one WebP picture, all of one size."""

    picture: bytes
    durations_ms: tuple[int, ...]
    """How long each frame is shown."""


def as_png(job: ThumbnailJob, limits: Limits) -> bytes:
    """The picture as PNG: its first frame, upright. UnreadablePicture if no file holds it or it cannot be decoded."""
    picture = small_frames(_bytes_of(job, limits), limits, LONGEST_SIDE)[0][0]
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def frame_sheet(job: ThumbnailJob, side: int, frames: int, limits: Limits) -> FrameSheet:
    """At most MOST_FRAMES frames within side x side, smaller if there are so many that the sheet would be too large.

    frames: how many the animation has. UnreadablePicture as as_png.
    """
    most = max(1, min(frames, MOST_FRAMES))
    side = min(side, SHEET_WIDTH // most, isqrt(SHEET_PIXELS // most))
    found = small_frames(_bytes_of(job, limits), limits, side, most)
    width, height = found[0][0].size
    sheet = Image.new("RGBA", (len(found) * width, height))
    for number, (frame, _) in enumerate(found):
        sheet.paste(frame, (number * width, 0))
    target = io.BytesIO()
    sheet.save(target, "WEBP", quality=80, method=1)
    return FrameSheet(target.getvalue(), tuple(ms for _, ms in found))


def _bytes_of(job: ThumbnailJob, limits: Limits) -> bytes:
    for path in job.paths:
        data = content_bytes(path, job.digest, limits)
        if data is not None:
            return data
    raise UnreadablePicture(Message("the file is gone or has changed since it was scanned"))
