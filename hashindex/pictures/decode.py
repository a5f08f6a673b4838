"""Decodes the bytes of one picture for the catalogue. Safe for hostile bytes.

Each file is given to one decoder, the one for its first bytes, and its header is checked against the limits before any
pixel is decoded. One decode gives the 64 x 64 grey picture from which every hash is computed. Worker processes run this
module, so it does not import NumPy, which would cost each of them 0.1 s and 30 MB.
"""

import contextlib
import logging
import warnings
from dataclasses import dataclass
from typing import Final

import PIL
from PIL import Image, ImageFile

from hashindex.core.errors import UnreadablePicture
from hashindex.core.installation import EXTRAS
from hashindex.core.language import Message
from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.pictures.camera_raw import format_of
from hashindex.pictures.formats import HEAD_BYTES, Format, describe_content
from hashindex.pictures.frames import HEAVY_PIXELS, is_final, load_frames, without_risky_metadata
from hashindex.pictures.metadata import strip_metadata
from hashindex.pictures.opener import check_size, load, luma_mode, made_up_rows, open_picture, orientation
from hashindex.pictures.picture_problems import FORMAT_NAMES, Refused, no_picture, problem_of
from hashindex.pictures.pixel_digest import digest_pixels
from hashindex.pictures.pixels import detail_of, is_steady, jpeg_scale, prepare, reduce_colour, reduction, to_grey
from hashindex.pictures.signature import FRAME_SIDE, SAMPLED_FRAMES, STILL_SIDE, frames_of, sign, views
from hashindex.pictures.structure import Structure, read_structure
from hashindex.pictures.worker_limits import deadline

PREPARATION_VERSION: Final = 3
"""Raise it, and the version of every recipe, when `prepared` of any picture changes: old and new hashes differ."""

READING_VERSION: Final = 2
"""Raise it when more pictures can be read, or when pictures get another format: the next scan reads them again."""

DETAIL_GATE: Final = 6
"""A picture with less detail is compared by `pixels`, because no hash can distinguish it from others.

Of a corpus of 2,737 pictures, 51 have less: 50 blank ones (0) and a dot (1). None has 2 to 6. Next are two photos of an
even sky (7), the thinnest line drawings and pale gradients (9 to 15), and the simplest emoji (18).
"""

LEAST_SIDE: Final = 8
"""Pictures with a shorter side are compared by `pixels` alone, whatever their detail."""

REPRESENTATIVES: Final = 32
"""If the first frame of an animation is blank, the first that has detail is used, among this many."""

MISSING_SHARE: Final = 0.1
"""Largest fraction of missing rows with which a truncated still is hashed (and has a problem as well)."""

# Pillow logs unknown TIFF tags as warnings, which Python prints unless logging is configured.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode(data: bytes, limits: Limits) -> Decoded:
    """Everything that the catalogue stores about one picture, from the bytes of its file.

    Never raises because of `data`. If the picture cannot be read, problem is a sentence without path or library names,
    and prepared is None. Both are set for an animation that is damaged after its first usable frame, and for a still of
    which at most MISSING_SHARE is missing.

    prepared: 64 x 64 grey levels (601 luma), upright, transparency on white: stickers are drawn for light chat windows,
    and chat clients usually save JPEG copies with white behind them. The picture is reduced by box averages of a whole
    factor that depends on its size alone, then by a bilinear filter. JPEG decoders take over part of the factor (1/2,
    1/4 or 1/8) unless the hashes could depend on it (pixels.is_steady). Bits that differ from a full decode: mean over
    all 1,083 JPEGs of a corpus (over its 74 of 384 pixels and more), maximum: pHash .009 (.14) 2, dHash .016 (.23) 2,
    aHash .001 (.01) 1, wHash 0, pHash-256 .04 (.54) 4, dHash-256 .09 (1.4) 10. On 297 large JPEGs made for this test
    (enlarged, blurred, even gradients) at most 2, 3, 2, 2, 6 and 8 (benchmarks/preparation.py).

    An animation is represented by its first frame; if that is blank, by the first frame with detail among
    REPRESENTATIVES. A worker process (worker_limits.apply_limits) is ended if this takes longer than limits.seconds.
    Not thread-safe: warnings are switched off meanwhile, which Python does for the whole process.
    Cost: 0.2 to 0.4 ms more than Pillow's open and load, in total 1.2 times as much for WebP, 1.5 for JPEG, 1.6 for PNG
    and 3 to 5 for the small GIFs of chats (0.2 ms with Pillow alone); benchmarks/preparation.py.
    """
    head = data[:HEAD_BYTES]
    form = format_of(data)
    if form is None:
        return Decoded("", problem=no_picture(describe_content(head)))
    if len(data) > limits.bytes:
        return Decoded(
            form.name,
            problem=Message(
                "the file is {size:,} bytes, more than the limit of {limit:,}", size=len(data), limit=limits.bytes
            ),
        )
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _decode(data, form, limits).bounded()


def undecoded(data: bytes, problem: str) -> Decoded:
    """The record of a picture that must not be decoded: its format and the problem. Runs no decoder."""
    form = format_of(data)
    return Decoded("" if form is None else form.name, problem=problem)


def set_pillow_limits(limits: Limits) -> None:
    """Makes Pillow refuse more than limits.pixels in this whole process, and silences its warnings.

    Called once in a worker process. It covers sizes that appear only during decoding, after the checks of decode.
    Pillow refuses above twice MAX_IMAGE_PIXELS and warns above MAX_IMAGE_PIXELS.
    """
    Image.MAX_IMAGE_PIXELS = max(1, (limits.pixels + 1) // 2)
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", module=r"PIL\.")


def decoder_stamp() -> str:
    """Versions of the decoders, as in "pillow 13.0.0; reading 2; heif 1.8.1". About 1 ms.

    When it changes, the next scan tries again to decode pictures that could not be decoded.
    """
    # Imported late: it would slow the start of every query.
    import importlib.metadata

    parts = [f"pillow {PIL.__version__}", f"reading {READING_VERSION}"]
    for extra in ("heif", "jxl", "raw"):
        try:
            parts.append(f"{extra} {importlib.metadata.version(EXTRAS[extra])}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class _PreparedFrame:
    """One frame as it is hashed and compared."""

    prepared: bytes
    detail: int
    missing: float = 0.0
    """Fraction of its rows that are not in the file."""
    lacks_detail: bool = False
    """A truncated progressive JPEG: all rows may exist without their finest details."""
    steady: bool = True
    """False if it was decoded at a reduced size and the hashes could depend on that."""
    colour: Image.Image | None = None
    """The frame in colour, scaled down by pixels.reduce_colour."""


def _decode(data: bytes, form: Format, limits: Limits) -> Decoded:
    data, structure = without_risky_metadata(data, form)
    read, may_gain = _decode_once(data, form, structure, limits)
    if may_gain:
        bare = strip_metadata(data, form.name)
        if bare is not data:
            other, _ = _decode_once(bare, form, read_structure(bare, form.name), limits)
            # If neither can be read, the second problem concerns the pixels themselves.
            if other.prepared is not None or read.prepared is None:
                return other
    return read


def _decode_once(data: bytes, form: Format, structure: Structure, limits: Limits) -> tuple[Decoded, bool]:
    """The record, and whether decoding without metadata may give more."""
    name = "apng" if form.name == "png" and structure.frames > 1 else form.name
    frames, duration = structure.frames, structure.duration_ms
    width, height = structure.extent
    try:
        if frames > limits.frames:
            if form.name == "tiff":
                raise Refused(
                    Message(
                        "the TIFF has {count:,} pages, more than the limit of {limit:,}",
                        count=frames,
                        limit=limits.frames,
                    )
                )
            raise Refused(
                Message(
                    "the animation has {count:,} frames, more than the limit of {limit:,}",
                    count=frames,
                    limit=limits.frames,
                )
            )
        if width or height:
            check_size(structure.extent, form, limits)
        if form.name == "jpeg" and not structure.whole:
            # Without an end marker the decoder withholds rows that it has; with one it fills the rest with grey.
            data += b"\xff\xd9"
        with open_picture(data, form) as image:
            frames = max(1, frames)
            width, height = image.size
            check_size(image.size, form, limits)
            turned = orientation(image, form)
            frame = _representative_frame(image, form, turned, structure, limits)
            if not frame.steady:
                with open_picture(data, form) as again:
                    frame = _prepare_frame(again, form, turned, structure.whole, reduced=False)
            if turned > 4:
                width, height = height, width
    except Refused as refusal:
        return Decoded(name, *_valid_size(width, height), frames, duration, problem=str(refusal)), False
    except Exception as error:  # noqa: BLE001
        # Decoders raise any exception on hostile bytes (struct.error, KeyError, RuntimeError, ...). One that is missing
        # from a list of names would end the whole scan.
        problem = problem_of(error, form, structure, limits)
        return Decoded(name, *_valid_size(width, height), frames, duration, problem=problem), not is_final(error)
    problem_of_part = _partial_problem(frame, form, structure)
    may_gain = problem_of_part is not None
    if frame.missing > MISSING_SHARE:
        return Decoded(name, width, height, frames, duration, problem=problem_of_part), may_gain
    has_low_detail = frame.detail < DETAIL_GATE or min(width, height) < LEAST_SIDE
    pixels = digest_pixels(data, form, structure, limits) if has_low_detail else None
    kept = [] if frame.colour is None else [(frame.colour, 0)]
    if frames > 1:
        with contextlib.suppress(UnreadablePicture):
            kept = frames_of(_sampled_frames(data, form, structure, limits))
    else:
        duration = 0
    known = Decoded(name, width, height, frames, duration, frame.prepared, frame.detail, pixels, problem_of_part)
    if not kept or min(width, height) < LEAST_SIDE:
        return known, may_gain
    try:
        signature = sign(kept, width, height, frames, duration)
        return known._replace(signature=signature, views=views(kept, frame.prepared, frame.detail)), may_gain
    except MemoryError:
        return known, False


def _valid_size(width: int, height: int) -> tuple[int, int]:
    """A refused size as the catalogue can store it; 0 if no picture can have it."""
    return width if 0 <= width < 2**31 else 0, height if 0 <= height < 2**31 else 0


def _partial_problem(frame: _PreparedFrame, form: Format, structure: Structure) -> str | None:
    name = FORMAT_NAMES["apng" if form.name == "png" and structure.frames > 1 else form.name]
    if frame.missing >= 1:
        return Message("the {name} is cut off: it ends before the picture does", name=name)
    if frame.missing:
        what = Message("cut off or damaged") if structure.whole else Message("cut off")
        return Message(
            "the {name} is {what}: {share} % of its rows are missing",
            name=name,
            what=what,
            share=max(1, round(100 * frame.missing)),
        )
    if frame.lacks_detail:
        return Message("the {name} is cut off: its finest details may be missing", name=name)
    if structure.frames > 1 and not structure.whole and form.name == "tiff":
        return Message("the TIFF is cut off or damaged after its first page, so that not all of it can be shown")
    if structure.frames > 1 and not structure.whole:
        return Message(
            "the {name} is cut off or damaged after its first frame, so that not all of it can be shown", name=name
        )
    return None


def _sampled_frames(data: bytes, form: Format, structure: Structure, limits: Limits) -> list[tuple[Image.Image, int]]:
    def convert(image: Image.Image, turned: int) -> Image.Image:
        small = reduce_colour(image, FRAME_SIDE, turned)
        # It may be the open picture itself, which the next seek overwrites.
        return small.copy() if small is image else small

    return load_frames(data, form, structure, limits, SAMPLED_FRAMES, convert, 2 * FRAME_SIDE)


def _representative_frame(
    image: ImageFile.ImageFile, form: Format, turned: int, structure: Structure, limits: Limits
) -> _PreparedFrame:
    """The frame that represents the picture. Errors in frames after the first are ignored."""
    frames = structure.frames
    start = 1 if frames > 1 and getattr(image, "default_image", False) else 0
    first: _PreparedFrame | None = None
    most = min(REPRESENTATIVES, max(1, HEAVY_PIXELS // (image.width * image.height)))
    for number in range(start, start + min(max(1, frames), most)):
        try:
            if number:
                image.seek(number)
                check_size(image.size, form, limits)
            frame = _prepare_frame(image, form, turned, structure.whole)
        except Exception:
            # A later frame was tried only because the first is blank; use the first.
            if first is None and number == 0:
                raise
            if first is None:
                # The still image of an animated PNG, which viewers show if the animation is damaged.
                image.seek(0)
                first = _prepare_frame(image, form, turned, structure.whole)
            break
        if frame.detail >= DETAIL_GATE:
            return frame
        first = first or frame
    assert first is not None
    return first


def _prepare_frame(
    image: ImageFile.ImageFile, form: Format, turned: int, whole: bool, *, reduced: bool = True
) -> _PreparedFrame:
    factor, scale = reduction(*image.size), 1
    if form.name == "jpeg":
        scale = jpeg_scale(*image.size) if reduced else 1
        # The luma of the file is the grey level wanted here, so colours need no conversion.
        image.draft(luma_mode(image), (image.width // scale, image.height // scale))
    missing = load(image, form)
    if form.extra == "raw":
        # Loaded at half its size, which takes a quarter of the time.
        factor = reduction(*image.size)
    grey = to_grey(image)
    lacks_detail = False
    if form.name == "jpeg" and not whole:
        missing = made_up_rows(grey) / grey.height
        lacks_detail = bool(image.info.get("progressive"))
    small = prepare(grey, scale, factor, turned)
    prepared = small.tobytes()
    steady = scale == 1 or is_steady(small)
    colour = reduce_colour(image, STILL_SIDE, turned) if steady else None
    return _PreparedFrame(prepared, detail_of(prepared), missing, lacks_detail, steady, colour)
