"""Signatures: small colour frames of a picture in at most 4 KiB, by which the judge compares it without its file.

Does no I/O. Worker processes run this module, so it uses Pillow without NumPy (see pixels.py).
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from PIL import Image, ImageChops

from hashindex.pictures.pixels import SIDE, detail_of, map_levels

VERSION: Final = 1
"""Version of the format and of the way frames are made. Comparing different versions loses some accuracy."""

BYTES: Final = 4096
"""Maximum size of a signature."""

STILL_SIDE: Final = 96
FRAME_SIDE: Final = 64
"""Longest side of a still, and of a frame of an animation."""

FRAMES: Final = 10
"""Most frames of an animation in a signature; each differs from the one before."""

SAMPLED_FRAMES: Final = 12
"""Frames of an animation that are decoded to choose them from, evenly spread."""

DETAIL_GATE: Final = 6
"""Equal to decode.DETAIL_GATE."""

MASK_SIDE: Final = 64
"""Longest side of the stored transparency mask."""

_HEAD = struct.Struct(">BBHHIIHHHHH")
_QUALITIES: Final = (80, 60, 40, 25, 12)


class Signature(NamedTuple):
    """An unpacked signature."""

    width: int
    height: int
    """Size of the picture as shown, in pixels."""
    frames: int
    duration_ms: int
    """Frames and duration of the animation; 1 and 0 for a still."""
    shown: tuple[Image.Image, ...]
    """Small frames on white, in mode YCbCr."""
    mask: Image.Image | None
    """Transparency of a still in mode L, 255 for opaque; None if the whole still is opaque."""
    times_ms: tuple[int, ...] = ()
    """Time of each of the frames in shown; all 0 if they are pages."""


Shown = Sequence[tuple[Image.Image, int]]
"""Frames as frames.small_frames returns them: RGBA or RGB, upright, with times in ms."""


def frames_of(shown: Shown) -> list[tuple[Image.Image, int]]:
    """The frames for sign and views: distinct ones, in RGB if they are opaque."""
    converted = [(image if image.mode != "RGBA" else _opaque(image), ms) for image, ms in shown]
    return distinct(converted) if len(converted) > 1 else converted


def _opaque(image: Image.Image) -> Image.Image:
    return image.convert("RGB") if image.getchannel("A").getextrema() == (255, 255) else image


def sign(kept: Shown, width: int, height: int, frames: int = 1, duration_ms: int = 0) -> bytes:
    """The signature of a picture from the frames that frames_of returns.

    width, height: size of the picture as shown. All frames are stored as one JPEG strip on white, at the best of
    _QUALITIES that fits; the transparency of a still is stored separately.
    """
    stills = len(kept) < 2
    side = STILL_SIDE if stills else FRAME_SIDE
    small = [_within(image, side) for image, _ in kept]
    mask = small[0].getchannel("A") if stills and small[0].mode == "RGBA" else None
    packed = b""
    if mask is not None and mask.getextrema() != (255, 255):
        mask = _within(mask, MASK_SIDE)
        packed = zlib.compress(map_levels(mask, _SIXTEENTHS).tobytes(), 6)
    else:
        mask = None
    available = BYTES - _HEAD.size - len(packed) - 2 * len(small)
    jpeg = _jpeg(small, available)
    while len(jpeg) > available:  # noise, or many moving colours
        side = side * 2 // 3
        small = [_within(image, side) for image in small]
        jpeg = _jpeg(small, available)
    across, down = small[0].size
    times = b"".join(min(65535, ms).to_bytes(2, "big") for _, ms in kept)
    head = _HEAD.pack(
        VERSION, len(small), min(65535, width), min(65535, height), min(frames, 2**32 - 1),
        min(duration_ms, 2**32 - 1), across, down, *(mask.size if mask else (0, 0)), len(packed),
    )  # fmt: skip
    return head + times + packed + jpeg


def _jpeg(frames: Sequence[Image.Image], most: int) -> bytes:
    """Frames one below the other on white, at the best of _QUALITIES with at most `most` bytes, or else at the last."""
    across, down = frames[0].size
    strip = frames[0]
    if strip.mode != "YCbCr":
        strip = Image.new("RGB", (across, down * len(frames)), "white")
        for number, image in enumerate(frames):
            strip.paste(image, (0, number * down), image if image.mode == "RGBA" else None)
        strip = strip.convert("YCbCr")
    strip = strip.copy()
    # Otherwise Pillow would write the comment of the picture's file, which may be larger than a signature.
    strip.info = {}
    jpeg = b""
    # Many frames never fit at the best qualities.
    for quality in _QUALITIES if len(frames) < 4 else _QUALITIES[2:]:
        if len(jpeg) > _SHRINKS * most and quality != _QUALITIES[-1]:
            jpeg = jpeg[: len(jpeg) * 3 // 4]  # too large at the next quality too
            continue
        target = io.BytesIO()
        strip.save(target, "JPEG", quality=quality, subsampling=2)
        jpeg = target.getvalue()
        if len(jpeg) <= most:
            break
    return jpeg


_SHRINKS: Final = 1.6
# Largest factor by which a JPEG shrinks from one of _QUALITIES to the next.

_SIXTEENTHS = [min(255, (level + 8) // 17 * 17) for level in range(256)]


def distinct(shown: Shown, most: int = FRAMES) -> list[tuple[Image.Image, int]]:
    """At most `most` frames that look different from the one before, evenly spread over the animation.

    Each has the total time of the frames that it represents.
    """
    kept: list[tuple[Image.Image, int]] = []
    last: Image.Image | None = None
    for image, ms in shown:
        small = _on_white(image.resize((32, 32), Image.Resampling.BOX))
        if last is not None and not _differ(small, last):
            kept[-1] = kept[-1][0], kept[-1][1] + ms
            continue
        kept.append((image, ms))
        last = small
    if len(kept) <= most:
        return kept
    chosen = [round(number * (len(kept) - 1) / (most - 1)) for number in range(most)]
    ends = [*chosen[1:], len(kept)]
    return [(kept[a][0], sum(ms for _, ms in kept[a:b])) for a, b in zip(chosen, ends, strict=True)]


def _differ(a: Image.Image, b: Image.Image) -> bool:
    """Whether 1/16 of the pixels differ by 12 levels or more, or 2 pixels by 40 or more."""
    histogram = ImageChops.difference(a, b).convert("L").histogram()
    return sum(histogram[12:]) >= 64 or sum(histogram[40:]) >= 2


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _within(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX)


def unpack(signature: bytes) -> Signature:
    """Unpacks a signature made by sign. Raises ValueError for other bytes, versions and damage."""
    head_of(signature)
    try:
        return _unpacked(signature)
    except Exception as error:
        # The catalogue is damaged; decoders may raise any exception.
        raise ValueError("These bytes are a damaged signature.") from error


def _unpacked(signature: bytes) -> Signature:
    _, count, width, height, frames, duration, across, down, mask_across, mask_down, packed = _HEAD.unpack_from(
        signature
    )
    at = _HEAD.size
    times = tuple(int.from_bytes(signature[at + 2 * n : at + 2 * n + 2], "big") for n in range(count))
    at += 2 * count
    mask = None
    if not 0 < max(across, down) <= STILL_SIDE or not 0 < count <= FRAMES:
        raise ValueError("There are more or larger frames than a signature can have.")
    if packed:
        if max(mask_across, mask_down) > MASK_SIDE:
            raise ValueError("The mask is larger than a signature can have.")
        levels = zlib.decompressobj().decompress(signature[at : at + packed], mask_across * mask_down)
        mask = Image.frombytes("L", (mask_across, mask_down), levels).resize((across, down), Image.Resampling.BILINEAR)
        at += packed
    from PIL import JpegImagePlugin

    with JpegImagePlugin.JpegImageFile(io.BytesIO(signature[at:])) as strip:
        if strip.size != (across, count * down):
            raise ValueError("The size of the frames differs from the header of the signature.")
        strip.draft("YCbCr", strip.size)
        strip.load()
        shown = tuple(strip.crop((0, n * down, across, (n + 1) * down)) for n in range(count))
    return Signature(width, height, frames, duration, shown, mask, times)


class SignatureHead(NamedTuple):
    """As the first fields of Signature."""

    width: int
    height: int
    frames: int


def head_of(signature: bytes) -> SignatureHead:
    """The head of a signature made by sign, without decoding its frames. Raises ValueError for other bytes."""
    if len(signature) < _HEAD.size or signature[0] != VERSION:
        raise ValueError("These bytes are no signature of a known version.")
    _, _, width, height, frames, *_ = _HEAD.unpack_from(signature)
    return SignatureHead(width, height, frames)


def has_pages(signature: bytes) -> bool:
    """Whether the signature is of a file with several pages, which are frames without time. False for other bytes."""
    if len(signature) < _HEAD.size or signature[0] != VERSION:
        return False
    _, count, _, _, frames, *_ = _HEAD.unpack_from(signature)
    return frames > 1 and not any(signature[_HEAD.size : _HEAD.size + 2 * count])


def turned(known: Signature, turn: int) -> Signature:
    """The signature of the turned picture, apart from JPEG artefacts. turn: index of TURNS."""
    how = TURNS[turn]
    if how is None:
        return known
    width, height = known.width, known.height
    if how in _SWAPPING:
        width, height = height, width
    shown = tuple(image.transpose(how) for image in known.shown)
    return known._replace(
        width=width, height=height, shown=shown, mask=None if known.mask is None else known.mask.transpose(how)
    )


_SWAPPING: Final = (
    Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE
)  # fmt: skip

TURNS: Final = (
    None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE,
)  # fmt: skip
"""Ways to turn a picture, indexed by messages.Verdict.turn."""

INVERSE: Final = {2: 4, 4: 2}
"""Turns whose inverse is another turn; the others are their own inverse."""

VIEWS: Final = 8
"""Most frames of which views are made."""


def views_of(known: Signature) -> tuple[bytes, ...]:
    """The views from a signature, slightly blurred by the JPEG; for keys of turned pictures."""
    shown: list[tuple[Image.Image, int]] = []
    for image in known.shown:
        frame = image.convert("RGB")
        if known.mask is not None:
            frame.putalpha(known.mask)
        shown.append((frame, 0))
    return views(shown)


def views(kept: Shown, prepared: bytes | None = None, detail: int | None = None) -> tuple[bytes, ...]:
    """Views for candidates.keys_of: 64 x 64 grey levels on white, of at most VIEWS of the frames of frames_of.

    A transparent still has a view on black too. Views below DETAIL_GATE are left out, because their keys are noise.
    prepared, detail: the view of a still and its detail, if they exist already.
    """
    if len(kept) > VIEWS:
        kept = [kept[round(number * (len(kept) - 1) / (VIEWS - 1))] for number in range(VIEWS)]
    if len(kept) == 1 and prepared is not None and detail is not None:
        made = [(prepared, detail)]
    else:
        made = [_with_detail(_on_white(image)) for image, _ in kept]
    first = kept[0][0]
    if len(kept) == 1 and first.mode == "RGBA":
        black = Image.new("RGB", first.size)
        black.paste(first, mask=first.getchannel("A"))
        made.append(_with_detail(black))
    return tuple(view for view, found in made if found >= DETAIL_GATE)


def _with_detail(image: Image.Image) -> tuple[bytes, int]:
    view = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR).tobytes()
    return view, detail_of(view)
