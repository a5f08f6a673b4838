"""Bytes of strangers in, one Decoded out, whatever they are. Opens them by opener.py only; never touches a file or
the catalogue, never imports NumPy (worker processes live here: it would cost each of them 0.1 s and 30 MB), and
changes no process-wide switch of Pillow except in allow().

A file reaches one decoder only, the one its first bytes name; what it asks for is checked on the header before a
pixel is decoded; one decode gives the 64 x 64 grey picture that every hash is computed from.
"""

import contextlib
import hashlib
import importlib.metadata
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import PIL
from PIL import Image, ImageFile

from hashindex.core.errors import UnreadablePicture
from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.pictures.camera_raw import told
from hashindex.pictures.essentials import without_extras
from hashindex.pictures.formats import LOOK_BYTES, Format, what_it_is
from hashindex.pictures.opener import check_size, load, luma_mode, made_up_rows, open_picture, orientation
from hashindex.pictures.picture_problems import WORDS, Refused, no_picture, sentence
from hashindex.pictures.pixels import (
    UPRIGHT,
    coloured,
    detail_of,
    is_steady,
    jpeg_scale,
    prepare,
    reduction,
    to_grey,
    visible,
)
from hashindex.pictures.signature import FRAME_SIDE, SAMPLED_FRAMES, STILL_SIDE, frames_of, sign, views
from hashindex.pictures.structure import Structure, read_structure
from hashindex.pictures.worker_limits import deadline

PREPARATION_VERSION: Final = 3
"""Raised when `prepared` of any picture changes, with the version of every recipe: old hashes meet no new ones."""

READING_VERSION: Final = 2
"""Raised when pictures can be read that could not, or when what some are told to be changes: those are read again."""

DETAIL_GATE: Final = 6
"""Below this detail a picture is too plain for any hash to tell it from another, and `pixels` speaks instead.

Of 2,737 pictures as found 51 are below: 50 blank ones at 0 and a dot at 1. Nothing lies between 2 and 6; above come
two photos of an even sky (7), the thinnest line drawings and pale gradients (9 to 15), the simplest emoji (18).
"""

LEAST_SIDE: Final = 8
"""Pictures of fewer pixels a side are compared by `pixels` alone, however much there is to see in so few."""

REPRESENTATIVES: Final = 32
"""How many first frames of an animation are tried for one with detail, when it begins blank or fades in."""

HEAVY_PIXELS: Final = 2**27
"""Of an animation whose frames are giants fewer are tried and looked at: so many pixels of all of them, 2 s."""

MISSING_SHARE: Final = 0.1
"""Up to this share of missing rows a cut off still is hashed from the rest (and has a problem as well)."""

FLAT_FRAMES: Final = 64
FLAT_PIXELS: Final = 2**24
PAGE_PIXELS: Final = 2**28
"""What `pixels` looks at, frames and pixels of all frames; of a larger one the bytes of the file go in too. Of the
pages of a TIFF more, 30 of A4 at 300 dots an inch, about 2 s: nothing else says whether two are the same."""

SHOWN_FRAMES: Final = 120
SHOWN_PIXELS: Final = 2**26
"""How much of an animation shown() decodes, frames and pixels of all frames: about a second at most."""

# libtiff tags that Pillow has no use for are logged at warning level, which Python prints where nobody set logging up.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode(data: bytes, limits: Limits) -> Decoded:
    """Everything that the catalogue keeps of one picture, from the whole bytes of its file.

    Never raises for what is in `data`: what cannot be read is Decoded(problem="a sentence"), with prepared None where
    nothing can be hashed; an animation that is damaged after its first usable frame, or a still of which at most
    MISSING_SHARE is cut off, has both. The sentence has no path and no name of a library.

    prepared: 64 x 64 grey levels, by 601 luma, upright (EXIF orientation applied), transparency on white: stickers
    are drawn for light chat windows, and a copy saved as JPEG by a chat client usually has white behind it. The size
    is reached by box averages of a whole factor that depends on the size alone, then a bilinear filter; JPEG is
    decoded at 1/2, 1/4 or 1/8 where that takes over a part of the factor, unless the hashes could depend on it: see
    pixels.is_steady. Bits that differ from the same after a full decode, means over all 1,083 JPEGs of a corpus (over
    the 74 of 384 pixels and more) and largest: pHash .009 (.14) 2, dHash .016 (.23) 2, aHash .001 (.01) 1, wHash 0,
    pHash-256 .04 (.54) 4, dHash-256 .09 (1.4) 10. On 297 large JPEGs made for the purpose, enlarged, blurred and even
    gradients, at most 2, 3, 2, 2, 6 and 8 (benchmarks/preparation.py).

    The first frame stands for an animation, or the first of REPRESENTATIVES with detail where it is blank. In a worker
    process (guard.hold) one that takes longer than limits.seconds ends the process, whatever the decoder does.
    Not for several threads at once: warnings are switched off meanwhile, which Python does for the whole process.
    Cost: Pillow's bare open and load and 0.2 to 0.4 ms more, which is 1.2 times it for WebP, 1.5 for JPEG, 1.6 for
    PNG and 3 to 5 for the small GIFs of chats (0.2 ms bare); benchmarks/preparation.py.
    """
    head = data[:LOOK_BYTES]
    form = told(data)
    if form is None:
        return Decoded("", problem=no_picture(what_it_is(head)))
    if len(data) > limits.bytes:
        return Decoded(form.name, problem=f"the file is {len(data):,} bytes, more than the limit of {limits.bytes:,}")
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _decode(data, form, limits).bounded()


def left_out(data: bytes, problem: str) -> Decoded:
    """What is kept of a picture that must not be decoded: its format, and why. Opens no decoder."""
    form = told(data)
    return Decoded("" if form is None else form.name, problem=problem)


def allow(limits: Limits) -> None:
    """Make Pillow itself refuse beyond limits.pixels, everywhere in this process, and keep its warnings quiet.

    For a worker process, once at its start; a second line behind decode's own
    checks, for sizes that only show while decoding. Pillow refuses at twice MAX_IMAGE_PIXELS and warns from there on.
    """
    Image.MAX_IMAGE_PIXELS = max(1, (limits.pixels + 1) // 2)
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", module=r"PIL\.")


def decoder_stamp() -> str:
    """Who decodes here, as in "pillow 13.0.0; reading 2; heif 1.8.1".

    When it changes, pictures that could not be decoded are worth another try. About 1 ms: once a scan.
    """
    parts = [f"pillow {PIL.__version__}", f"reading {READING_VERSION}"]
    for extra, package in (("heif", "pillow-heif"), ("jxl", "pillow-jxl-plugin"), ("raw", "rawpy")):
        try:
            parts.append(f"{extra} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "; ".join(parts)


def shown(
    data: bytes, limits: Limits, side: int, most: int = 1, *, pages: bool = False
) -> list[tuple[Image.Image, int]]:
    """The picture as a person sees it, small: frames in RGBA, upright, within side x side, with their times in ms.

    most > 1: of an animation that many frames at most, evenly spread over the first of it (SHOWN_FRAMES and
    SHOWN_PIXELS), each with the time of those that it stands for. The pages of a TIFF are no animation: the first one
    alone is shown, unless pages are asked for, which have no time (0). A picture that is smaller stays as it is. Of
    one that is damaged, what can be read is shown. Raises UnreadablePicture with a sentence for anything else that
    decode would have a problem with. Not for several threads at once, as decode.
    """
    form = told(data)
    if form is None:
        raise UnreadablePicture(no_picture(what_it_is(data[:LOOK_BYTES])))
    if len(data) > limits.bytes:
        raise UnreadablePicture(f"the file is {len(data):,} bytes, more than the limit of {limits.bytes:,}")
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, structure = _ready(data, form)
        most = 1 if form.name == "tiff" and not pages else most
        return _frames(
            data, form, structure, limits, most, lambda image, turned: _shrunk(image, side, turned), 2 * side
        )


def _ready(data: bytes, form: Format) -> tuple[bytes, Structure]:
    """What is handed to the decoder: without blocks that it may stop at, where they can be told beforehand."""
    structure = read_structure(data, form.name)
    if structure.extras:
        bare = without_extras(data, form.name)
        if bare is not data:
            return bare, read_structure(bare, form.name)
    return data, structure


def _frames(
    data: bytes,
    form: Format,
    structure: Structure,
    limits: Limits,
    most: int,
    taken: Callable[[Image.Image, int], Image.Image],
    jpeg_side: int,
) -> list[tuple[Image.Image, int]]:
    """What `taken` makes of at most that many loaded frames, given the orientation too; see shown."""
    frames, error = _frames_of(data, form, structure, limits, most, taken, jpeg_side)
    if error is not None and not _is_refusal(error):
        bare = without_extras(data, form.name)
        if bare is not data:
            structure = read_structure(bare, form.name)
            others, other_error = _frames_of(bare, form, structure, limits, most, taken, jpeg_side)
            if other_error is None or len(others) >= len(frames):
                frames, error = others, other_error
    # Frames that came before the damage are still worth seeing.
    if error is not None and not frames:
        words = str(error) if isinstance(error, Refused) else sentence(error, form, structure, limits)
        raise UnreadablePicture(words) from error
    return frames


def _is_refusal(error: Exception) -> bool:
    """Whether a decode failed for a reason that other bytes would not change."""
    return isinstance(error, (Refused, MemoryError, Image.DecompressionBombError))


def _frames_of(
    data: bytes,
    form: Format,
    structure: Structure,
    limits: Limits,
    most: int,
    taken: Callable[[Image.Image, int], Image.Image],
    jpeg_side: int,
) -> tuple[list[tuple[Image.Image, int]], Exception | None]:
    """Frames as far as they can be had, and what ended them."""
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
                # Browsers show a frame that asks for less for a tenth of a second.
                ms = int(delay) if isinstance(delay, (int, float)) and 10 < delay < 60_000 else 100
                if form.name == "tiff":
                    ms = 0
                if (number - start) % step:
                    frames[-1] = frames[-1][0], frames[-1][1] + ms
                else:
                    small = taken(image, turned)
                    # The pictures in one file may be of several sizes.
                    frames.append((small.resize(frames[0][0].size) if frames else small, ms))
    except Exception as error:  # noqa: BLE001
        # As in _decode_once: decoders raise anything.
        return frames, error
    return frames, None


def _shrunk(image: Image.Image, side: int, turned: int) -> Image.Image:
    """A copy within side x side, RGBA and upright."""
    # Converted first, a photo would need four times the memory; palettes and transparent colours leave no choice.
    if image.mode not in ("RGB", "RGBA", "L") or "transparency" in image.info:
        image = visible(image)
    scale = side / max(image.size)
    if scale < 1:
        width, height = image.size
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    image = visible(image)
    image = image.transpose(UPRIGHT[turned]) if turned > 1 else image.copy()
    # A colour profile or a comment of the file would be written into every picture that is made of this one.
    image.info = {}
    return image


@dataclass(frozen=True, slots=True)
class _PreparedFrame:
    """One frame, prepared."""

    prepared: bytes
    detail: int
    missing: float = 0.0
    """Share of its rows that the file does not have."""
    softened: bool = False
    """It is a progressive JPEG that is cut off: all rows may be there while their finest details are not."""
    steady: bool = True
    """It was not decoded at a reduced size that its hashes could depend on."""
    coloured: Image.Image | None = None
    """The same picture in colour, small, see pixels.coloured."""


def _decode(data: bytes, form: Format, limits: Limits) -> Decoded:
    data, structure = _ready(data, form)
    read, may_gain = _decode_once(data, form, structure, limits)
    if may_gain:
        bare = without_extras(data, form.name)
        if bare is not data:
            other, _ = _decode_once(bare, form, read_structure(bare, form.name), limits)
            # Where neither can be read, the second says what is wrong with the picture itself.
            if other.prepared is not None or read.prepared is None:
                return other
    return read


def _decode_once(data: bytes, form: Format, structure: Structure, limits: Limits) -> tuple[Decoded, bool]:
    """What is in these bytes, and whether there may be more without the blocks that no pixel depends on."""
    name = "apng" if form.name == "png" and structure.frames > 1 else form.name
    frames, duration = structure.frames, structure.duration_ms
    width, height = structure.extent
    try:
        if frames > limits.frames:
            what = "TIFF has {:,} pages" if form.name == "tiff" else "animation has {:,} frames"
            raise Refused(f"the {what.format(frames)}, more than the limit of {limits.frames:,}")
        if width or height:
            check_size(structure.extent, form, limits)
        if form.name == "jpeg" and not structure.whole:
            # Without an end mark the decoder holds back even rows that it has; with one it makes up grey for the rest.
            data += b"\xff\xd9"
        with open_picture(data, form) as image:
            frames = max(1, frames)
            width, height = image.size
            check_size(image.size, form, limits)
            turned = orientation(image, form)
            look = _first_look(image, form, turned, structure, limits)
            if not look.steady:
                with open_picture(data, form) as again:
                    look = _look(again, form, turned, structure.whole, reduced=False)
            if turned > 4:
                width, height = height, width
    except Refused as refusal:
        return Decoded(name, *_bounded(width, height), frames, duration, problem=str(refusal)), False
    except Exception as error:  # noqa: BLE001
        # Decoders raise anything on hostile bytes (struct.error, KeyError, RuntimeError, ...): to catch each by name
        # would lose a whole scan to the one that was forgotten.
        problem = sentence(error, form, structure, limits)
        return Decoded(name, *_bounded(width, height), frames, duration, problem=problem), not _is_refusal(error)
    problem_of_part = _partly(look, form, structure)
    may_gain = problem_of_part is not None
    if look.missing > MISSING_SHARE:
        return Decoded(name, width, height, frames, duration, problem=problem_of_part), may_gain
    is_plain = look.detail < DETAIL_GATE or min(width, height) < LEAST_SIDE
    pixels = _pixel_digest(data, form, structure, limits) if is_plain else None
    kept = [] if look.coloured is None else [(look.coloured, 0)]
    if frames > 1:
        with contextlib.suppress(UnreadablePicture):
            kept = frames_of(_sampled(data, form, structure, limits))
    else:
        duration = 0
    known = Decoded(name, width, height, frames, duration, look.prepared, look.detail, pixels, problem_of_part)
    if not kept or min(width, height) < LEAST_SIDE:
        return known, may_gain
    try:
        signature = sign(kept, width, height, frames, duration)
        return known._replace(signature=signature, views=views(kept, look.prepared)), may_gain
    except MemoryError:
        return known, False


def _bounded(width: int, height: int) -> tuple[int, int]:
    """A size that was refused, as it can be kept; 0 for what no picture can have."""
    return width if 0 <= width < 2**31 else 0, height if 0 <= height < 2**31 else 0


def _partly(look: _PreparedFrame, form: Format, structure: Structure) -> str | None:
    words = WORDS["apng" if form.name == "png" and structure.frames > 1 else form.name]
    if look.missing >= 1:
        return f"the {words} is cut off: it ends before the picture does"
    if look.missing:
        what = "cut off or damaged" if structure.whole else "cut off"
        return f"the {words} is {what}: {max(1, round(100 * look.missing))} % of its rows are missing"
    if look.softened:
        return f"the {words} is cut off: its finest details may be missing"
    if structure.frames > 1 and not structure.whole and form.name == "tiff":
        return "the TIFF is cut off or damaged after its first page, so that not all of it can be shown"
    if structure.frames > 1 and not structure.whole:
        return f"the {words} is cut off or damaged after its first frame, so that not all of it can be shown"
    return None


def _sampled(data: bytes, form: Format, structure: Structure, limits: Limits) -> list[tuple[Image.Image, int]]:
    def taken(image: Image.Image, turned: int) -> Image.Image:
        small = coloured(image, FRAME_SIDE, turned)
        # A small one may be the opened picture itself, which the next seek makes another frame of.
        return small.copy() if small is image else small

    return _frames(data, form, structure, limits, SAMPLED_FRAMES, taken, 2 * FRAME_SIDE)


def _first_look(
    image: ImageFile.ImageFile, form: Format, turned: int, structure: Structure, limits: Limits
) -> _PreparedFrame:
    """The frame that stands for the picture; only the first one may be one that is cut off."""
    frames = structure.frames
    start = 1 if frames > 1 and getattr(image, "default_image", False) else 0
    first: _PreparedFrame | None = None
    most = min(REPRESENTATIVES, max(1, HEAVY_PIXELS // (image.width * image.height)))
    for number in range(start, start + min(max(1, frames), most)):
        try:
            if number:
                image.seek(number)
                check_size(image.size, form, limits)
            look = _look(image, form, turned, structure.whole)
        except Exception:
            # A later frame is only wanted where the first is blank; that one stands then.
            if first is None and number == 0:
                raise
            if first is None:
                # The still of an animated PNG that viewers would show where the animation is damaged.
                image.seek(0)
                first = _look(image, form, turned, structure.whole)
            break
        if look.detail >= DETAIL_GATE:
            return look
        first = first or look
    assert first is not None
    return first


def _look(
    image: ImageFile.ImageFile, form: Format, turned: int, whole: bool, *, reduced: bool = True
) -> _PreparedFrame:
    factor, scale = reduction(*image.size), 1
    if form.name == "jpeg":
        scale = jpeg_scale(*image.size) if reduced else 1
        # Luma as the file has it: it is the grey wanted here, and the colours are not converted for nothing.
        image.draft(luma_mode(image), (image.width // scale, image.height // scale))
    missing = load(image, form)
    if form.extra == "raw":
        # Loaded at half its size, for which a quarter of the work is enough.
        factor = reduction(*image.size)
    grey = to_grey(image)
    softened = False
    if form.name == "jpeg" and not whole:
        missing = made_up_rows(grey) / grey.height
        softened = bool(image.info.get("progressive"))
    small = prepare(grey, scale, factor, turned)
    prepared = small.tobytes()
    steady = scale == 1 or is_steady(small)
    in_colour = coloured(image, STILL_SIDE, turned) if steady else None
    return _PreparedFrame(prepared, detail_of(prepared), missing, softened, steady, in_colour)


def pixel_digest(data: bytes, limits: Limits) -> bytes:
    """Equal for two files only where a person could see no difference, see Decoded.pixels; of no picture its bytes'."""
    form = told(data)
    if form is None:
        return hashlib.blake2b(data, digest_size=16).digest()
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, structure = _ready(data, form)
        return _pixel_digest(data, form, structure, limits)


def _pixel_digest(data: bytes, form: Format, structure: Structure, limits: Limits) -> bytes:
    """16 bytes that two plain pictures share only where a person could see no difference, whatever their container.

    blake2b over width and height as shown and every frame as RGBA, fully transparent pixels as zeros, a frame that
    repeats the one before left out (but no page), and the duration where frames differ. Where not every frame can be
    looked at (damaged, more than FLAT_FRAMES or FLAT_PIXELS), the bytes of the file go in: such a one matches itself
    alone.
    """
    bare = b""
    try:
        return _digest_of_frames(data, form, structure, limits)
    except Exception as error:  # noqa: BLE001
        # As in _decode_once: anything may be raised; what was read so far cannot stand for the rest.
        bare = data if _is_refusal(error) else without_extras(data, form.name)
    if bare is not data:
        with contextlib.suppress(Exception):
            return _digest_of_frames(bare, form, read_structure(bare, form.name), limits)
    return hashlib.blake2b(data, digest_size=16).digest()


def _digest_of_frames(data: bytes, form: Format, structure: Structure, limits: Limits) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    has_pages = form.name == "tiff" and structure.frames > 1
    most = PAGE_PIXELS if has_pages else FLAT_PIXELS
    with open_picture(data, form) as image:
        turned = orientation(image, form)
        start = 1 if structure.frames > 1 and getattr(image, "default_image", False) else 0
        count = max(1, structure.frames)
        check_size(image.size, form, limits)
        if count > FLAT_FRAMES or count * image.width * image.height > most or not structure.whole:
            digest.update(data)
            count = min(count, FLAT_FRAMES) if image.width * image.height <= most // FLAT_FRAMES else 0
        previous, differing = b"", 0
        for number in range(start, start + count):
            if number:
                image.seek(number)
                check_size(image.size, form, limits)
            image.load()
            shown = visible(image)
            if turned > 1:
                shown = shown.transpose(UPRIGHT[turned])
            pixels = b"%d x %d " % shown.size + shown.tobytes()
            if pixels != previous or has_pages:
                digest.update(pixels)
                previous, differing = pixels, differing + 1
        if differing > 1:
            digest.update(b"%d ms" % structure.duration_ms)
    return digest.digest()
