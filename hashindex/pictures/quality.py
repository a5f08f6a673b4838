"""Measures the quality of one file from its bytes, so that the best of several copies can be chosen.

Runs in a worker process. Opens pictures through opener.py only, accesses neither files nor the catalogue, and does not
import NumPy. judge/keeper.py compares the copies with each other.
"""

import contextlib
import warnings
from dataclasses import dataclass
from operator import mul, sub
from typing import Final

from PIL import Image, ImageFile

from hashindex.core.errors import UnreadablePicture
from hashindex.core.options import Limits
from hashindex.pictures.formats import Format
from hashindex.pictures.frames import format_within, is_final, without_risky_metadata
from hashindex.pictures.metadata import strip_metadata
from hashindex.pictures.opener import check_size, load, open_picture, orientation
from hashindex.pictures.picture_problems import Refused, problem_of
from hashindex.pictures.pixels import UPRIGHT, to_grey, to_rgba
from hashindex.pictures.structure import Structure, read_structure
from hashindex.pictures.worker_limits import deadline

WORKING_SIDE: Final = 640
"""Longest side of the moments of a portrait. Most stickers and drawings are smaller and keep their size."""

PATCH_SIDE: Final = 1024
"""Longest side of the patch of a portrait, which is never resized."""

MOMENTS: Final = 6
"""The number of moments of an animation that are compared, evenly spread over its duration."""

FRAMES_READ: Final = 240
PIXELS_READ: Final = 2**26
"""An animation is decoded up to this many frames, and up to this many pixels in all frames."""

ALIKE_LEVELS: Final = 1
"""Consecutive frames that differ by at most this at 16 x 16, in grey levels, count as one distinct frame."""

LOW_DETAIL: Final = 1.5
"""A frame is blank if the standard deviation of its 16 x 16 grey levels is below this."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """The quality of one picture in one file."""

    width: int
    height: int
    """As shown, after EXIF orientation."""
    format: str
    whole: bool
    """Whether no part of the file is missing."""
    jpeg_quality: float | None
    """The quality of libjpeg, 1 to 100, computed from the quantisation tables; None for other formats."""
    lossless: bool
    """Whether the format keeps every pixel. A palette counts as lossless here; see colours."""
    bytes: int
    """The size of the file."""
    colours: int | None
    """The number of colours of a picture with a palette; None for other pictures."""
    transparent: bool
    frames: int
    distinct: int
    """The number of frames that differ from the frame before."""
    low_detail: int
    """The number of blank frames; 0 if all frames are blank."""
    duration_ms: int
    moments: tuple[Image.Image, ...]
    """RGB, or RGBA if anything is transparent, within WORKING_SIDE; a still has one moment."""
    patch: Image.Image
    """Grey on white, at full size: the centre of the first moment, or all of it if it is small enough."""
    part: float
    """The share of each side that the patch covers: 1, 1/2, 1/4, ..."""

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def area(self) -> int:
        return self.width * self.height


def portrait(data: bytes, limits: Limits) -> Portrait:
    """The portrait of a picture. data: all bytes of its file.

    Raises UnreadablePicture with a sentence for every picture that decode rejects. Not thread-safe, as decode.
    Cost: decoding at full size, for an animation at most FRAMES_READ frames, and 1 to 5 ms.
    """
    form = format_within(data, limits)
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, structure = without_risky_metadata(data, form)
        try:
            return _read(data, form, structure, limits)
        except Exception as error:
            # As in decode: decoders may raise any exception on hostile bytes, and some stop at metadata.
            bare = data if is_final(error) else strip_metadata(data, form.name)
            if bare is not data:
                with contextlib.suppress(Exception):
                    return _read(bare, form, read_structure(bare, form.name), limits)
            reason = str(error) if isinstance(error, Refused) else problem_of(error, form, structure, limits)
            raise UnreadablePicture(reason) from error


def _read(data: bytes, form: Format, structure: Structure, limits: Limits) -> Portrait:
    if structure.extent != (0, 0):
        check_size(structure.extent, form, limits)
    if form.name == "jpeg" and not structure.whole:
        data += b"\xff\xd9"
    with open_picture(data, form) as image:
        check_size(image.size, form, limits)
        quality, palette = jpeg_quality(image), image.mode == "P"
        turned = orientation(image, form)
        if structure.frames > 1 and form.name != "tiff":
            stats = _read_frames(image, form, structure, limits)
        else:
            stats = _FrameStats(missing=load(image, form))
            stats.add_moment(image)
        first = stats.moments[0]
        colours = _colours(first) if palette else None
        shown = [_upright(moment, turned) for moment in stats.moments]
        width, height = shown[0].size
        patch, part = _patch(shown[0])
        moments = tuple(_within(moment, WORKING_SIDE) for moment in shown)
        return Portrait(
            width,
            height,
            form.name,
            structure.whole and not stats.missing,
            quality,
            _is_lossless(data, form),
            len(data),
            colours,
            _is_transparent(moments[0]),
            max(1, structure.frames),
            max(1, stats.distinct),
            stats.low_detail if stats.low_detail < stats.read else 0,
            structure.duration_ms,
            moments,
            patch,
            part,
        )


class _FrameStats:
    """Statistics and moments of the frames of one picture."""

    def __init__(self, missing: float = 0.0) -> None:
        self.missing = missing
        self.moments: list[Image.Image] = []
        self.read = 0
        self.distinct = 1
        self.low_detail = 0
        self._last: bytes | None = None

    def add_moment(self, image: Image.Image) -> None:
        """Keeps a loaded frame as a moment."""
        rgba = to_rgba(image)
        if rgba.getchannel("A").getextrema()[0] == 255:
            rgba = rgba.convert("RGB")
        self.moments.append(rgba)

    def count_frame(self, image: Image.Image) -> None:
        """Counts a loaded frame."""
        grey = to_grey(image)
        factor = min(grey.size) // 16
        if factor > 1:
            grey = grey.reduce(factor)
        small = grey.resize((16, 16), Image.Resampling.BOX).tobytes()
        if self._last is not None:
            self.distinct += max(map(abs, map(sub, small, self._last))) > ALIKE_LEVELS
        self.low_detail += sum(map(mul, small, small)) - sum(small) ** 2 / 256 < 256 * LOW_DETAIL**2
        self.read += 1
        self._last = small


def _read_frames(image: ImageFile.ImageFile, form: Format, structure: Structure, limits: Limits) -> _FrameStats:
    """Reads the frames of an animation."""
    stats = _FrameStats()
    start = 1 if getattr(image, "default_image", False) else 0
    count = min(structure.frames, limits.frames, FRAMES_READ, max(2, PIXELS_READ // (image.width * image.height)))
    # If all delays are 0, or not all frames are read, frame numbers replace times.
    timed_by_delay = structure.duration_ms > 0 and count == structure.frames
    length = structure.duration_ms if timed_by_delay else count
    at = 0.0
    for number in range(start, start + count):
        if number:
            try:
                image.seek(number)
                check_size(image.size, form, limits)
                stats.missing = max(stats.missing, load(image, form))
            except Exception:
                # The frames before the damage can still be compared.
                if not stats.moments:
                    raise
                stats.missing = 1.0
                break
        else:
            stats.missing = load(image, form)
        stats.count_frame(image)
        delay = image.info.get("duration")
        at += float(delay) if timed_by_delay and isinstance(delay, (int, float)) else 0.0 if timed_by_delay else 1.0
        due = sum((moment + 0.5) / MOMENTS * length < at for moment in range(len(stats.moments), MOMENTS))
        if due:
            stats.add_moment(image)
            stats.moments += stats.moments[-1:] * (due - 1)
    if not stats.moments:
        stats.add_moment(image)
    while 0 < len(stats.moments) < MOMENTS:
        stats.moments.append(stats.moments[-1])
    if count < structure.frames:
        stats.distinct = round(stats.distinct * structure.frames / count)
    size = stats.moments[0].size
    stats.moments = [moment if moment.size == size else moment.resize(size) for moment in stats.moments]
    return stats


_STANDARD_MEAN: Final = 3688 / 64
# The mean of the luma table of ITU T.81, annex K, which libjpeg scales by the quality.


def jpeg_quality(image: Image.Image) -> float | None:
    """The quality of the last save of a JPEG, from the mean of its first table; exact to 1 for files by libjpeg."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return None
    table: list[int] = next(iter(tables.values()))
    scale = sum(table) / len(table) / _STANDARD_MEAN
    return max(1.0, 100 - 50 * scale if scale <= 1 else 50 / scale)


def _is_lossless(data: bytes, form: Format) -> bool:
    if form.name == "webp":
        return b"VP8L" in data[: 2**16]
    return form.name not in ("jpeg", "avif", "heic", "jxl")


def _colours(image: Image.Image) -> int:
    """The number of colours, at most 2 ** 16."""
    found = image.getcolors(1 << 16)
    return len(found) if found else 1 << 16


def _is_transparent(image: Image.Image) -> bool:
    """Whether more than an edge of the picture is transparent."""
    if image.mode != "RGBA":
        return False
    small = image.getchannel("A").resize((32, 32), Image.Resampling.BOX).histogram()
    return sum(small[:128]) > 5 or sum(small[:250]) > 20


def _upright(image: Image.Image, turned: int) -> Image.Image:
    return image.transpose(UPRIGHT[turned]) if turned > 1 else image


def _patch(image: Image.Image) -> tuple[Image.Image, float]:
    part = 1.0
    width, height = image.size
    while max(width, height) * part > PATCH_SIDE:
        part /= 2
    if part < 1:
        left, top = width * (1 - part) / 2, height * (1 - part) / 2
        image = image.crop((round(left), round(top), round(width - left), round(height - top)))
    return on_white(image).convert("L"), part


def on_white(image: Image.Image) -> Image.Image:
    """The picture as RGB on a white background."""
    return on_ground(image, (255, 255, 255))


def on_ground(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """The picture as RGB on a background of this colour."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, colour)
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _within(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
