"""What is kept of a picture for comparing it later: small frames in colour, in at most 4 KiB. Opens no file.

Works on Pillow's images alone, without NumPy: worker processes run it (see pixels.py). relation.py reads it back.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from PIL import Image, ImageChops

from hashindex.pictures.pixels import SIDE, detail_of

VERSION: Final = 1
"""Of the bytes and of how the frames are made: signatures of two versions are compared, with some loss."""

BYTES: Final = 4096
"""At most so many a signature."""

STILL_SIDE: Final = 96
FRAME_SIDE: Final = 64
"""Longest side of a still, and of a frame of an animation."""

FRAMES: Final = 10
"""At most so many frames of an animation, all different from the one before."""

SAMPLED_FRAMES: Final = 12
"""Frames of an animation from which they are taken, evenly spread."""

DETAIL_GATE: Final = 6
"""As decode.DETAIL_GATE."""

MASK_SIDE: Final = 64
"""Longest side of the transparency that is kept."""

_HEAD = struct.Struct(">BBHHIIHHHHH")
_QUALITIES: Final = (80, 60, 40, 25, 12)


class Signature(NamedTuple):
    """What a signature holds, unpacked."""

    width: int
    height: int
    """Of the picture as shown, in pixels."""
    frames: int
    duration_ms: int
    """Of the animation; 1 and 0 for a still."""
    shown: tuple[Image.Image, ...]
    """Small frames on white, in mode YCbCr."""
    mask: Image.Image | None
    """Transparency of a still in mode L, 255 where it is opaque; None where all of it is."""
    times_ms: tuple[int, ...] = ()
    """Of each of the frames shown; all 0 where they are pages."""


Shown = Sequence[tuple[Image.Image, int]]
"""Frames as decode.shown gives them: RGBA, upright, with times in ms. RGB does as well."""


def frames_of(shown: Shown) -> list[tuple[Image.Image, int]]:
    """The frames that sign and views take: distinct ones, in RGB where nothing is transparent."""
    plain = [(image if image.mode != "RGBA" else _opaque(image), ms) for image, ms in shown]
    return distinct(plain) if len(plain) > 1 else plain


def _opaque(image: Image.Image) -> Image.Image:
    return image.convert("RGB") if image.getchannel("A").getextrema() == (255, 255) else image


def sign(kept: Shown, width: int, height: int, frames: int = 1, duration_ms: int = 0) -> bytes:
    """The signature of a picture from what frames_of gives.

    width, height: of the picture as shown. JPEG at the best of _QUALITIES that fits, one strip of all frames, on
    white; the transparency of a still apart.
    """
    stills = len(kept) < 2
    side = STILL_SIDE if stills else FRAME_SIDE
    small = [_within(image, side) for image, _ in kept]
    mask = small[0].getchannel("A") if stills and small[0].mode == "RGBA" else None
    packed = b""
    if mask is not None and mask.getextrema() != (255, 255):
        mask = _within(mask, MASK_SIDE)
        packed = zlib.compress(mask.point(_SIXTEENTHS).tobytes(), 6)
    else:
        mask = None
    room = BYTES - _HEAD.size - len(packed) - 2 * len(small)
    jpeg = _jpeg(small, room)
    while len(jpeg) > room:  # noise, or very many colours in motion
        side = side * 2 // 3
        small = [_within(image, side) for image in small]
        jpeg = _jpeg(small, room)
    across, down = small[0].size
    times = b"".join(min(65535, ms).to_bytes(2, "big") for _, ms in kept)
    head = _HEAD.pack(
        VERSION, len(small), min(65535, width), min(65535, height), min(frames, 2**32 - 1),
        min(duration_ms, 2**32 - 1), across, down, *(mask.size if mask else (0, 0)), len(packed),
    )  # fmt: skip
    return head + times + packed + jpeg


def _jpeg(frames: Sequence[Image.Image], room: int) -> bytes:
    """One below the other, on white, at the best of _QUALITIES that fits, or the last of them if none does."""
    across, down = frames[0].size
    strip = frames[0]
    if strip.mode != "YCbCr":
        strip = Image.new("RGB", (across, down * len(frames)), "white")
        for number, image in enumerate(frames):
            strip.paste(image, (0, number * down), image if image.mode == "RGBA" else None)
        strip = strip.convert("YCbCr")
    strip = strip.copy()
    # Pillow would write the comment of the picture's file, which may be larger than all room there is.
    strip.info = {}
    jpeg = b""
    # Many frames are never within reach of the best.
    for quality in _QUALITIES if len(frames) < 4 else _QUALITIES[2:]:
        if len(jpeg) > _SHRINKS * room and quality != _QUALITIES[-1]:
            jpeg = jpeg[: len(jpeg) * 3 // 4]  # too far above to be worth a try
            continue
        target = io.BytesIO()
        strip.save(target, "JPEG", quality=quality, subsampling=2)
        jpeg = target.getvalue()
        if len(jpeg) <= room:
            break
    return jpeg


_SHRINKS: Final = 1.6
# How much smaller than at one of _QUALITIES a JPEG is at the next, at most.

_SIXTEENTHS = [min(255, (level + 8) // 17 * 17) for level in range(256)]


def distinct(shown: Shown, most: int = FRAMES) -> list[tuple[Image.Image, int]]:
    """Frames that look different from the one before, with the times of those that they stand for; at most `most`.

    Of more the ones evenly spread over the whole length.
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
    """A sixteenth of the small picture by 12 levels, or a spot of it by 48."""
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
    """What sign made. ValueError if the bytes are no signature of a version known here."""
    if len(signature) < _HEAD.size or signature[0] != VERSION:
        raise ValueError("These bytes are no signature of a version known here.")
    try:
        return _unpacked(signature)
    except Exception as error:
        # A damaged catalogue: decoders raise as many kinds of errors as there are kinds of damage.
        raise ValueError("These bytes are a signature that is damaged.") from error


def _unpacked(signature: bytes) -> Signature:
    _, count, width, height, frames, duration, across, down, mask_across, mask_down, packed = _HEAD.unpack_from(
        signature
    )
    at = _HEAD.size
    times = tuple(int.from_bytes(signature[at + 2 * n : at + 2 * n + 2], "big") for n in range(count))
    at += 2 * count
    mask = None
    if not 0 < max(across, down) <= STILL_SIDE or not 0 < count <= FRAMES:
        raise ValueError("There are more or larger frames than sign makes.")
    if packed:
        if max(mask_across, mask_down) > MASK_SIDE:
            raise ValueError("The mask is larger than any that sign makes.")
        levels = zlib.decompressobj().decompress(signature[at : at + packed], mask_across * mask_down)
        mask = Image.frombytes("L", (mask_across, mask_down), levels).resize((across, down), Image.Resampling.BILINEAR)
        at += packed
    from PIL import JpegImagePlugin

    with JpegImagePlugin.JpegImageFile(io.BytesIO(signature[at:])) as strip:
        if strip.size != (across, count * down):
            raise ValueError("The frames are not of the size that the signature says.")
        strip.draft("YCbCr", strip.size)
        strip.load()
        shown = tuple(strip.crop((0, n * down, across, (n + 1) * down)) for n in range(count))
    return Signature(width, height, frames, duration, shown, mask, times)


def has_pages(signature: bytes) -> bool:
    """Whether a signature is of a file of several pages: frames without time. False for bytes that are none."""
    if len(signature) < _HEAD.size or signature[0] != VERSION:
        return False
    _, count, _, _, frames, *_ = _HEAD.unpack_from(signature)
    return frames > 1 and not any(signature[_HEAD.size : _HEAD.size + 2 * count])


def turned(known: Signature, turn: int) -> Signature:
    """The signature of the picture turned, by its number in TURNS: what it would be but for the JPEG."""
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
"""Ways to turn a picture, by the number in model.Verdict.turn."""

INVERSE: Final = {2: 4, 4: 2}
"""Turns that another one undoes; the rest undo themselves."""

VIEWS: Final = 8


def views_of(known: Signature) -> tuple[bytes, ...]:
    """views from a signature, a little blurred by the JPEG: for keys of pictures that are turned on request."""
    shown: list[tuple[Image.Image, int]] = []
    for image in known.shown:
        frame = image.convert("RGB")
        if known.mask is not None:
            frame.putalpha(known.mask)
        shown.append((frame, 0))
    return views(shown)


def views(kept: Shown, prepared: bytes | None = None) -> tuple[bytes, ...]:
    """What candidates.keys_of takes: 64 x 64 grey levels of at most VIEWS of the frames that frames_of gives, on white.

    Of a still that is transparent on black as well. Views below DETAIL_GATE are left out: their keys are noise.
    prepared: the view of a still, where it has been made already.
    """
    if len(kept) > VIEWS:
        kept = [kept[round(number * (len(kept) - 1) / (VIEWS - 1))] for number in range(VIEWS)]
    if len(kept) == 1 and prepared is not None:
        made = [prepared]
    else:
        made = [_view(_on_white(image)) for image, _ in kept]
    first = kept[0][0]
    if len(kept) == 1 and first.mode == "RGBA":
        black = Image.new("RGB", first.size)
        black.paste(first, mask=first.getchannel("A"))
        made.append(_view(black))
    return tuple(view for view in made if detail_of(view) >= DETAIL_GATE)


def _view(image: Image.Image) -> bytes:
    return image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR).tobytes()
