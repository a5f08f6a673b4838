"""Loads frames of a picture from the bytes of its file, for thumbnails, signatures and the judge."""

import warnings
from collections.abc import Callable
from typing import Final

from PIL import Image

from hashindex.core.errors import UnreadablePicture
from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.pictures.camera_raw import format_of
from hashindex.pictures.formats import HEAD_BYTES, Format, describe_content
from hashindex.pictures.metadata import strip_metadata
from hashindex.pictures.opener import check_size, load, open_picture, orientation
from hashindex.pictures.picture_problems import Refused, no_picture, problem_of
from hashindex.pictures.pixels import UPRIGHT, to_rgba
from hashindex.pictures.structure import Structure, read_structure
from hashindex.pictures.worker_limits import deadline

HEAVY_PIXELS: Final = 2**27
"""If the frames of an animation are huge, fewer are tried: at most this many pixels in all of them, 2 s."""

SHOWN_FRAMES: Final = 120
SHOWN_PIXELS: Final = 2**26
"""Most frames of an animation, and pixels in all of them, that small_frames decodes: about a second at most."""


FRAME: Final = "frame"
"""Key in the info of a frame of small_frames: its number in the file."""


def small_frames(
    data: bytes, limits: Limits, side: int, most: int = 1, *, pages: bool = False
) -> list[tuple[Image.Image, int]]:
    """The picture as viewers show it, scaled down: frames in RGBA, upright, within side x side, with times in ms.

    most > 1: at most that many frames of an animation, evenly spread over its first SHOWN_FRAMES and SHOWN_PIXELS; each
    has the time of the frames that it represents.
    pages: all pages of a TIFF, with time 0; without it only the first.
    Each frame has its number in the file as info[FRAME].

    Pictures are never enlarged. If a picture is damaged, the readable frames are returned. Raises UnreadablePicture if
    there is none. Not thread-safe; see decode.
    """
    form = format_within(data, limits)
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, structure = without_risky_metadata(data, form)
        most = 1 if form.name == "tiff" and not pages else most
        return load_frames(
            data, form, structure, limits, most, lambda image, turned: _shrunk(image, side, turned), 2 * side
        )


def format_within(data: bytes, limits: Limits) -> Format:
    """The format of a picture that may be decoded. UnreadablePicture if data are no picture or too many bytes."""
    form = format_of(data)
    if form is None:
        raise UnreadablePicture(no_picture(describe_content(data[:HEAD_BYTES])))
    if len(data) > limits.bytes:
        raise UnreadablePicture(
            Message("the file is {size:,} bytes, more than the limit of {limit:,}", size=len(data), limit=limits.bytes)
        )
    return form


def without_risky_metadata(data: bytes, form: Format) -> tuple[bytes, Structure]:
    """The bytes for the decoder: without metadata, if the structure shows that the decoder may stop at it."""
    structure = read_structure(data, form.name)
    if structure.risky_metadata:
        bare = strip_metadata(data, form.name)
        if bare is not data:
            return bare, read_structure(bare, form.name)
    return data, structure


def load_frames(
    data: bytes,
    form: Format,
    structure: Structure,
    limits: Limits,
    most: int,
    convert: Callable[[Image.Image, int], Image.Image],
    jpeg_side: int,
) -> list[tuple[Image.Image, int]]:
    """At most that many frames as small_frames chooses them, each converted by convert(loaded image, orientation).

    If the decoder fails, it is tried again without metadata. Raises UnreadablePicture if no frame can be read.
    """
    frames, error = _try_frames(data, form, structure, limits, most, convert, jpeg_side)
    if error is not None and not is_final(error):
        bare = strip_metadata(data, form.name)
        if bare is not data:
            structure = read_structure(bare, form.name)
            others, other_error = _try_frames(bare, form, structure, limits, most, convert, jpeg_side)
            if other_error is None or len(others) >= len(frames):
                frames, error = others, other_error
    # Frames before the damage are still useful.
    if error is not None and not frames:
        reason = str(error) if isinstance(error, Refused) else problem_of(error, form, structure, limits)
        raise UnreadablePicture(reason) from error
    return frames


def is_final(error: Exception) -> bool:
    """Whether decoding fails for a reason that is the same without metadata."""
    return isinstance(error, (Refused, MemoryError, Image.DecompressionBombError))


def _try_frames(
    data: bytes,
    form: Format,
    structure: Structure,
    limits: Limits,
    most: int,
    convert: Callable[[Image.Image, int], Image.Image],
    jpeg_side: int,
) -> tuple[list[tuple[Image.Image, int]], Exception | None]:
    """The frames before the first error, and the error."""
    frames: list[tuple[Image.Image, int]] = []
    try:
        if structure.extent != (0, 0):
            check_size(structure.extent, form, limits)
        if form.name == "jpeg" and not structure.whole:
            data += b"\xff\xd9"
        with open_picture(data, form) as image:
            check_size(image.size, form, limits)
            turned = orientation(image, form)
            start = 1 if structure.frames > 1 and getattr(image, "default_image", False) else 0
            area = image.width * image.height
            least = min(most, max(1, HEAVY_PIXELS // area))
            span = min(structure.frames, limits.frames, SHOWN_FRAMES, max(least, SHOWN_PIXELS // area))
            count = 1 if most == 1 else max(1, span)
            step = -(-count // most)
            for number in range(start, start + count):
                if number:
                    image.seek(number)
                    check_size(image.size, form, limits)
                if form.name == "jpeg":
                    image.draft(None, (jpeg_side, jpeg_side))
                load(image, form)
                delay = image.info.get("duration")
                # Browsers show frames with a shorter delay for 100 ms.
                ms = int(delay) if isinstance(delay, (int, float)) and 10 < delay < 60_000 else 100
                if form.name == "tiff":
                    ms = 0
                if (number - start) % step:
                    frames[-1] = frames[-1][0], frames[-1][1] + ms
                else:
                    small = convert(image, turned)
                    # The frames of one file may have different sizes.
                    frames.append((small.resize(frames[0][0].size) if frames else small, ms))
    except Exception as error:  # noqa: BLE001 - decoders raise any exception on hostile bytes
        return frames, error
    return frames, None


def _shrunk(image: Image.Image, side: int, turned: int) -> Image.Image:
    """A copy within side x side, RGBA and upright."""
    number = image.tell()
    # Scaled before it is converted to RGBA, which would take four times the memory, unless the mode forbids that.
    if image.mode not in ("RGB", "RGBA", "L") or "transparency" in image.info:
        image = to_rgba(image)
    scale = side / max(image.size)
    if scale < 1:
        width, height = image.size
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    image = to_rgba(image)
    image = image.transpose(UPRIGHT[turned]) if turned > 1 else image.copy()
    # Otherwise Pillow would write the colour profile and comment of the file into every thumbnail.
    image.info = {FRAME: number}
    return image
