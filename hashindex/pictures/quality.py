"""What one file has of its picture, measured from its bytes: for choosing the best of several copies.

Runs in a worker process, opens pictures by opener.py only, never touches a file or the catalogue and does not import
NumPy. The keeper modules compare the copies with each other.
"""

import warnings
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageFile

from hashindex.core.errors import UnreadablePicture
from hashindex.core.model import Limits
from hashindex.pictures.formats import LOOK_BYTES, Format, sniff, what_it_is
from hashindex.pictures.opener import check_size, load, open_picture, orientation
from hashindex.pictures.picture_problems import Refused, no_picture, sentence
from hashindex.pictures.pixels import UPRIGHT, to_grey, visible
from hashindex.pictures.structure import Structure, read_structure
from hashindex.pictures.worker_limits import deadline

WORKING_SIDE: Final = 640
"""Longest side of the moments of a portrait. Most stickers and drawings stay as they are."""

PATCH_SIDE: Final = 1024
"""Longest side of the patch of a portrait, which is never resized."""

MOMENTS: Final = 6
"""An animation is compared at this many moments, evenly spread over its length."""

FRAMES_READ: Final = 240
PIXELS_READ: Final = 2**26
"""How much of an animation is decoded: frames, and pixels of all frames."""

ALIKE_LEVELS: Final = 1
"""Frames that differ by no more than this at 16 x 16 count as one distinct frame."""

LOW_DETAIL: Final = 1.5
"""A frame whose 16 x 16 grey levels deviate by less than this from their mean has nothing to see."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One picture as its file has it."""

    width: int
    height: int
    """As shown, after EXIF orientation."""
    format: str
    whole: bool
    """No part of the file is missing."""
    jpeg_quality: float | None
    """As libjpeg counts it, 1 to 100, told from the quantisation tables; None for other formats."""
    lossless: bool
    """The format keeps every pixel that it was given. A palette is lossless here, see colours."""
    bytes: int
    """Of the file."""
    colours: int | None
    """How many colours a picture with a palette shows; None for others."""
    transparent: bool
    frames: int
    distinct: int
    """Frames that differ from the one before."""
    low_detail: int
    """Frames with nothing to see, where others have something."""
    duration_ms: int
    moments: tuple[Image.Image, ...]
    """RGB, or RGBA where anything is transparent, within WORKING_SIDE; one of a still."""
    patch: Image.Image
    """Grey on white, at full size: the middle of the first moment, or all of it where it is small enough."""
    part: float
    """How much of each side the patch is: 1, 1/2, 1/4, ..."""

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def area(self) -> int:
        return self.width * self.height


def portrait(data: bytes, limits: Limits) -> Portrait:
    """The portrait of a picture, from the whole bytes of its file.

    Raises UnreadablePicture with a sentence for anything that decode would have a problem with. Not for several threads
    at once, as decode. Cost: one decode at full size, and 1 to 5 ms; of an animation FRAMES_READ frames at most.
    """
    form = sniff(data[:LOOK_BYTES])
    if form is None:
        raise UnreadablePicture(no_picture(what_it_is(data[:LOOK_BYTES])))
    if len(data) > limits.bytes:
        raise UnreadablePicture(f"the file is {len(data):,} bytes, more than the limit of {limits.bytes:,}")
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structure = read_structure(data, form.name)
        try:
            return _read(data, form, structure, limits)
        except Exception as error:
            # As in decode: decoders raise anything on hostile bytes.
            words = str(error) if isinstance(error, Refused) else sentence(error, form, structure, limits)
            raise UnreadablePicture(words) from error


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
            film = _film(image, form, structure, limits)
        else:
            film = _Film(missing=load(image, form))
            film.take(image)
        first = film.moments[0]
        colours = _colours(first) if palette else None
        shown = [_upright(moment, turned) for moment in film.moments]
        width, height = shown[0].size
        patch, part = _patch(shown[0])
        moments = tuple(_within(moment, WORKING_SIDE) for moment in shown)
        return Portrait(
            width,
            height,
            form.name,
            structure.whole and not film.missing,
            quality,
            _is_lossless(data, form),
            len(data),
            colours,
            _is_transparent(moments[0]),
            max(1, structure.frames),
            max(1, film.distinct),
            film.low_detail if film.low_detail < film.read else 0,
            structure.duration_ms,
            moments,
            patch,
            part,
        )


class _Film:
    """The frames of one picture, as they are met."""

    def __init__(self, missing: float = 0.0) -> None:
        self.missing = missing
        self.moments: list[Image.Image] = []
        self.read = 0
        self.distinct = 1
        self.low_detail = 0
        self._last: bytes | None = None

    def take(self, image: Image.Image) -> None:
        """Keeps a loaded frame as a moment."""
        rgba = visible(image)
        if rgba.getchannel("A").getextrema()[0] == 255:
            rgba = rgba.convert("RGB")
        self.moments.append(rgba)

    def meet(self, image: Image.Image) -> None:
        """Counts a loaded frame."""
        grey = to_grey(image)
        factor = min(grey.size) // 16
        if factor > 1:
            grey = grey.reduce(factor)
        small = grey.resize((16, 16), Image.Resampling.BOX).tobytes()
        if self._last is not None:
            self.distinct += max(abs(a - b) for a, b in zip(small, self._last, strict=True)) > ALIKE_LEVELS
        mean = sum(small) / 256
        self.low_detail += sum((level - mean) ** 2 for level in small) < 256 * LOW_DETAIL**2
        self.read += 1
        self._last = small


def _film(image: ImageFile.ImageFile, form: Format, structure: Structure, limits: Limits) -> _Film:
    """Of an animation: its frames counted, and the moments."""
    film = _Film()
    start = 1 if getattr(image, "default_image", False) else 0
    count = min(structure.frames, limits.frames, FRAMES_READ, max(2, PIXELS_READ // (image.width * image.height)))
    # Where the delays are all 0, or not all frames are read, frames stand for times.
    timed_by_delay = structure.duration_ms > 0 and count == structure.frames
    length = structure.duration_ms if timed_by_delay else count
    at = 0.0
    for number in range(start, start + count):
        if number:
            try:
                image.seek(number)
                check_size(image.size, form, limits)
                film.missing = max(film.missing, load(image, form))
            except Exception:
                # Frames that came before the damage are still worth comparing.
                if not film.moments:
                    raise
                film.missing = 1.0
                break
        else:
            film.missing = load(image, form)
        film.meet(image)
        delay = image.info.get("duration")
        at += float(delay) if timed_by_delay and isinstance(delay, (int, float)) else 0.0 if timed_by_delay else 1.0
        due = sum((moment + 0.5) / MOMENTS * length < at for moment in range(len(film.moments), MOMENTS))
        if due:
            film.take(image)
            film.moments += film.moments[-1:] * (due - 1)
    if not film.moments:
        film.take(image)
    while 0 < len(film.moments) < MOMENTS:
        film.moments.append(film.moments[-1])
    if count < structure.frames:
        film.distinct = round(film.distinct * structure.frames / count)
    size = film.moments[0].size
    film.moments = [moment if moment.size == size else moment.resize(size) for moment in film.moments]
    return film


_STANDARD_MEAN: Final = 3688 / 64
# Of the luma table of ITU T.81, annex K, which libjpeg scales by the quality.


def jpeg_quality(image: Image.Image) -> float | None:
    """The quality at which a JPEG was last saved, by the mean of its first table; exact to 1 for libjpeg's own."""
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
    """Colours shown; of more than 2 ** 16, that many."""
    found = image.getcolors(1 << 16)
    return len(found) if found else 1 << 16


def _is_transparent(image: Image.Image) -> bool:
    """Whether more than a rim of it is."""
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
    """RGB, what is transparent on white."""
    return on_ground(image, (255, 255, 255))


def on_ground(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """RGB, what is transparent on that colour."""
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
