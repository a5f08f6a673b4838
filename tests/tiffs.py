"""TIFF files for tests, written byte by byte: pages, thumbnails, and what cameras write."""

import struct
from collections.abc import Sequence

Value = int | bytes | tuple[int, ...]
Tags = dict[int, tuple[int, Value]]
"""Type and value by tag; a value of bytes is taken as it is."""

BYTE, ASCII, SHORT, LONG = 1, 2, 3, 4
_UNITS = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}


def tiff(pages: Sequence[Tags], nested: Sequence[Tags] = (), *, order: str = "<", magic: bytes = b"") -> bytes:
    """Directories in a chain; those that are nested hang on the first by SubIFDs. magic: instead of the first bytes."""
    data = bytearray(magic or ((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)))
    places = []
    for tags in nested:
        places.append(len(data))
        _directory(data, tags, order)
    data[4:8] = struct.pack(order + "I", len(data))
    for number, tags in enumerate(pages):
        held = {**tags, 330: (LONG, tuple(places))} if places and not number else tags
        following = _directory(data, held, order)
        if number + 1 < len(pages):
            data[following : following + 4] = struct.pack(order + "I", len(data))
    return bytes(data)


def _directory(data: bytearray, tags: Tags, order: str) -> int:
    """Writes one directory at the end and what it leads to after it; returns where the offset of the next stands."""
    at = len(data)
    data += bytes(2 + 12 * len(tags) + 4)
    data[at : at + 2] = struct.pack(order + "H", len(tags))
    for number, (tag, (kind, value)) in enumerate(sorted(tags.items())):
        values = (value,) if isinstance(value, int) else value
        packed = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{_UNITS[kind]}", *values)
        held = packed.ljust(4, b"\0")
        if len(packed) > 4:
            held = struct.pack(order + "I", len(data))
            data += packed + b"\0" * (len(packed) & 1)
        count = len(packed) // struct.calcsize(_UNITS[kind])
        data[at + 2 + 12 * number : at + 14 + 12 * number] = struct.pack(order + "HHI", tag, kind, count) + held
    return at + 2 + 12 * len(tags)


def grey(pixels: bytes, width: int, data_at: int) -> Tags:
    """A page of grey levels that are already in the file."""
    height = len(pixels) // width
    return {
        256: (LONG, width), 257: (LONG, height), 258: (SHORT, 8), 259: (SHORT, 1), 262: (SHORT, 1),
        273: (LONG, data_at), 277: (SHORT, 1), 278: (LONG, height), 279: (LONG, len(pixels)),
    }  # fmt: skip


def with_pixels(pixels: bytes, width: int, more: Tags, nested: Sequence[Tags] = (), **given: object) -> bytes:
    """A file of one page, with its pixels at the end."""
    drafted = tiff([{**grey(pixels, width, 0), **more}], nested, **given)  # type: ignore[arg-type]
    made = tiff([{**grey(pixels, width, len(drafted)), **more}], nested, **given)  # type: ignore[arg-type]
    return made + pixels


SENSOR: Tags = {
    254: (LONG, 0), 256: (LONG, 4000), 257: (LONG, 3000), 258: (SHORT, 14), 259: (SHORT, 34713), 262: (SHORT, 32803),
}  # fmt: skip
"""The directory of a picture that is still to be made."""


def mosaic(width: int = 320, height: int = 240) -> bytes:
    """A DNG of 16 bits: red grows to the right, green and blue downwards."""
    values = b"".join(
        struct.pack("<H", 60000 * (x if not (x | y) & 1 else y) // max(width, height) + 1000)
        for y in range(height)
        for x in range(width)
    )
    matrix = b"".join(struct.pack("<ii", int(at in (0, 4, 8)), 1) for at in range(9))
    tags: Tags = {
        254: (LONG, 0), 256: (LONG, width), 257: (LONG, height), 258: (SHORT, 16), 259: (SHORT, 1),
        262: (SHORT, 32803), 271: (ASCII, b"Maker\0"), 272: (ASCII, b"Model\0"), 273: (LONG, 0), 277: (SHORT, 1),
        278: (LONG, height), 279: (LONG, len(values)), 33421: (SHORT, (2, 2)), 33422: (BYTE, (0, 1, 1, 2)),
        50706: (BYTE, (1, 4, 0, 0)), 50708: (ASCII, b"Maker Model\0"),
    }  # fmt: skip
    at = len(tiff([tags])) + 4 + 12 + len(matrix)
    data = bytearray(tiff([{**tags, 273: (LONG, at), 50721: (7, matrix)}]))
    # Signed fractions, which have no letter in struct.
    entry = data.index(struct.pack("<HHI", 50721, 7, len(matrix)))
    data[entry : entry + 8] = struct.pack("<HHI", 50721, 10, 9)
    return bytes(data).ljust(at, b"\0") + values
