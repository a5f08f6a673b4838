"""Pictures that a caller has in memory, of Pillow or NumPy, as the bytes of a file, which all other modules read."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hashindex.core.errors import UsageError
from hashindex.core.language import Message

if TYPE_CHECKING:
    import numpy
    from PIL import Image

    PictureInMemory = Image.Image | numpy.ndarray[Any, Any]

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes of Pillow that PNG stores as they are; other modes become RGB."""
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
"""Formats of Pillow whose frames are one animation; the frames of other formats are pages or thumbnails."""
FAST = 1
"""Level of compression: the bytes are read once."""


def png_of(picture: "PictureInMemory") -> bytes:
    """The picture as a PNG without loss: for an opened animation all frames, for an array of 8 bits one frame.

    UsageError for an array that is not of rows, columns and at most 4 channels (grey, RGB or RGBA) of uint8 or bool,
    and for anything that is no picture.
    """
    from PIL import Image, ImageSequence

    if not isinstance(picture, Image.Image):
        picture = _from_array(picture)
    if picture.format in ANIMATED and getattr(picture, "is_animated", False):
        shown = picture.tell()
        first, *others = map(_storable, ImageSequence.Iterator(picture))
        picture.seek(shown)
    else:
        first, others = _storable(picture), []
    data = io.BytesIO()
    first.save(data, "PNG", compress_level=FAST, **({"save_all": True, "append_images": others} if others else {}))
    return data.getvalue()


@contextmanager
def as_file(picture: "PictureInMemory") -> Iterator[bytes]:
    """Yields the path of a temporary file that holds png_of the picture."""
    # A file that is open cannot be opened again on Windows.
    with tempfile.TemporaryDirectory(prefix="hashindex-") as folder:
        path = os.path.join(folder, "picture.png")
        with open(path, "wb") as file:
            file.write(png_of(picture))
        yield os.fsencode(path)


def _storable(frame: "Image.Image") -> "Image.Image":
    """A copy of the frame as a viewer shows it (EXIF may say that it is turned), in a mode that PNG has."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(frame)
    return upright if upright.mode in PNG_MODES else upright.convert("RGB")


def _from_array(array: Any) -> "Image.Image":
    import numpy
    from PIL import Image

    if not isinstance(array, numpy.ndarray):
        raise UsageError(
            Message(
                "A picture is a path, an Image of Pillow or an array of NumPy, not {given}.",
                given=type(array).__name__,
            )
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype not in (numpy.uint8, numpy.bool_) or array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise UsageError(
            Message(
                "An array has rows, columns and 1, 3 or 4 channels (grey, RGB or RGBA) of uint8; this one is "
                "{dtype} of {shape}.",
                dtype=str(array.dtype),
                shape=" x ".join(map(str, array.shape)),
            )
        )
    if 0 in array.shape:
        raise UsageError(Message("The array is empty."))
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and channels == 1 else array)
