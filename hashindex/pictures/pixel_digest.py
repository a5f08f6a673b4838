"""Digest of all pixels of a picture: equal for two files only if viewers show the same."""

import contextlib
import hashlib
import warnings
from typing import Final

from hashindex.core.options import Limits
from hashindex.pictures.camera_raw import format_of
from hashindex.pictures.formats import Format
from hashindex.pictures.frames import is_final, without_risky_metadata
from hashindex.pictures.metadata import strip_metadata
from hashindex.pictures.opener import check_size, open_picture, orientation
from hashindex.pictures.pixels import UPRIGHT, to_rgba
from hashindex.pictures.structure import Structure, read_structure
from hashindex.pictures.worker_limits import deadline

DIGEST_FRAMES: Final = 64
DIGEST_PIXELS: Final = 2**24
PAGE_PIXELS: Final = 2**28
"""Most frames, and pixels in all frames, that are digested; the bytes of a larger file are digested too. The limit for
pages of a TIFF is higher, 30 of A4 at 300 dots per inch, about 2 s: nothing else shows whether two TIFFs are equal."""


def pixel_digest(data: bytes, limits: Limits) -> bytes:
    """digest_pixels of the bytes of a file. If they are no picture, the digest of the bytes."""
    form = format_of(data)
    if form is None:
        return hashlib.blake2b(data, digest_size=16).digest()
    with deadline(limits.seconds), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, structure = without_risky_metadata(data, form)
        return digest_pixels(data, form, structure, limits)


def digest_pixels(data: bytes, form: Format, structure: Structure, limits: Limits) -> bytes:
    """16 bytes that two pictures share only if viewers show no difference, whatever their formats.

    blake2b of width and height as shown and of every frame as RGBA, with transparent pixels as zeros. A frame equal to
    the one before is left out, but a page is not. The duration is included if frames differ. If not every frame can be
    digested (damage, more than DIGEST_FRAMES or DIGEST_PIXELS), the bytes of the file are included, so that the picture
    equals only itself.
    """
    bare = b""
    try:
        return _digest_frames(data, form, structure, limits)
    except Exception as error:  # noqa: BLE001 - decoders raise any exception on hostile bytes
        # The frames before the error do not suffice.
        bare = data if is_final(error) else strip_metadata(data, form.name)
    if bare is not data:
        with contextlib.suppress(Exception):
            return _digest_frames(bare, form, read_structure(bare, form.name), limits)
    return hashlib.blake2b(data, digest_size=16).digest()


def _digest_frames(data: bytes, form: Format, structure: Structure, limits: Limits) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    has_pages = form.name == "tiff" and structure.frames > 1
    most = PAGE_PIXELS if has_pages else DIGEST_PIXELS
    with open_picture(data, form) as image:
        turned = orientation(image, form)
        start = 1 if structure.frames > 1 and getattr(image, "default_image", False) else 0
        count = max(1, structure.frames)
        check_size(image.size, form, limits)
        if count > DIGEST_FRAMES or count * image.width * image.height > most or not structure.whole:
            digest.update(data)
            count = min(count, DIGEST_FRAMES) if image.width * image.height <= most // DIGEST_FRAMES else 0
        previous, differing = b"", 0
        for number in range(start, start + count):
            if number:
                image.seek(number)
                check_size(image.size, form, limits)
            image.load()
            rgba = to_rgba(image)
            if turned > 1:
                rgba = rgba.transpose(UPRIGHT[turned])
            pixels = b"%d x %d " % rgba.size + rgba.tobytes()
            if pixels != previous or has_pages:
                digest.update(pixels)
                previous, differing = pixels, differing + 1
        if differing > 1:
            digest.update(b"%d ms" % structure.duration_ms)
    return digest.digest()
