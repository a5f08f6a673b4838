"""Parses TIFF directories, as in TIFF files, camera raws and EXIF. Decodes nothing, opens no file.

Offsets and counts are untrusted: each is checked against the length of the data, and all loops are bounded.
Sources: TIFF 6.0, the BigTIFF design, EXIF 2.32.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

ENTRIES_READ: Final = 4096
"""Most entries of one directory that are read; real directories have fewer than 200."""
VALUES_READ: Final = 65536
"""Most values of one entry that are read."""

UNIT_SIZES: Final = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
"""Size of one value in bytes, by type."""
_WHOLE_NUMBERS: Final = frozenset((1, 3, 4, 6, 8, 9, 13, 16, 17, 18))
_SIGNED: Final = frozenset((6, 8, 9, 17))


class TagEntry(NamedTuple):
    """One tag of a directory."""

    tag: int
    type: int
    amount: int
    """Number of values."""
    at: int
    """Offset of the values."""
    size: int
    """Size of all values in bytes; 0 if the type is unknown."""


class Directory(NamedTuple):
    """One directory: a page, a thumbnail, or EXIF."""

    at: int
    """Offset of the directory."""
    entries: tuple[TagEntry, ...]
    is_whole: bool
    """Whether all entries and the offset of the next directory are within the data."""


class Tags:
    """The data of a TIFF, with its byte order and the width of its offsets."""

    def __init__(self, data: bytes) -> None:
        """data: begins with II or MM. The next bytes are not checked, because camera raws differ there."""
        self.data = data
        self.is_little = data[:2] == b"II"
        self.is_big = data[2:4] in (b"+\0", b"\0+")
        self.offset_size, self.count_size, self.entry_size = (8, 8, 20) if self.is_big else (4, 2, 12)

    def number(self, at: int, size: int) -> int:
        """The unsigned integer at an offset. Bytes beyond the end of the data are missing digits."""
        return int.from_bytes(self.data[at : at + size], "little" if self.is_little else "big")

    def bytes_of(self, number: int, size: int) -> bytes:
        return number.to_bytes(size, "little" if self.is_little else "big")

    def first(self) -> int:
        """Offset of the first directory."""
        return self.number(8 if self.is_big else 4, self.offset_size)

    def next_of(self, at: int) -> int:
        """Offset of the directory after the one at `at`; 0 for none."""
        return self.number(self.end_of(at), self.offset_size)

    def end_of(self, at: int) -> int:
        """Offset of the end of a directory's entries, where the offset of the next directory is stored."""
        return at + self.count_size + self.entry_size * self.number(at, self.count_size)

    def chain(self, most: int) -> Iterator[int]:
        """Offsets of at most `most` directories of the main chain. A ring of directories ends."""
        seen: set[int] = set()
        at = self.first()
        while at and at not in seen and at + self.count_size <= len(self.data) and len(seen) < most:
            seen.add(at)
            yield at
            at = self.next_of(at)

    def directory(self, at: int) -> Directory:
        """The directory at an offset, as far as it is within the data."""
        count = self.number(at, self.count_size)
        end = self.end_of(at)
        entries = []
        place = at + self.count_size
        for _ in range(min(count, ENTRIES_READ)):
            if place + self.entry_size > len(self.data):
                break
            kind, values = self.number(place + 2, 2), self.number(place + 4, self.offset_size)
            size = values * UNIT_SIZES.get(kind, 0)
            held = place + 4 + self.offset_size
            where = held if size <= self.offset_size else self.number(held, self.offset_size)
            entries.append(TagEntry(self.number(place, 2), kind, values, where, size))
            place += self.entry_size
        return Directory(at, tuple(entries), end + self.offset_size <= len(self.data))

    def values(self, entry: TagEntry) -> tuple[int, ...]:
        """The integers of an entry; empty if there are more than VALUES_READ, or they are no integers or incomplete."""
        if entry.type not in _WHOLE_NUMBERS or not self.is_there(entry) or entry.amount > VALUES_READ:
            return ()
        unit = UNIT_SIZES[entry.type]
        order = "little" if self.is_little else "big"
        return tuple(
            int.from_bytes(self.data[at : at + unit], order, signed=entry.type in _SIGNED)  # type: ignore[arg-type]
            for at in range(entry.at, entry.at + entry.size, unit)
        )

    def text(self, entry: TagEntry) -> bytes:
        """The text of an entry, at most 256 bytes."""
        return self.data[entry.at : entry.at + min(entry.size, 256)].split(b"\0", 1)[0].strip()

    def is_there(self, entry: TagEntry) -> bool:
        return entry.at + entry.size <= len(self.data)


ORIENTATION: Final = 0x0112

PIXEL_TAGS: Final = frozenset((
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 322, 323,
    324, 325, 332, 334, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532,
    34925,
))  # fmt: skip
"""Tags that describe how pixels are stored."""


def orientation_of(exif: bytes) -> int:
    """EXIF orientation, 1 to 8; 0 if there is none or it cannot be read. exif: with or without its prefix."""
    tags = _exif_tags(exif)
    for entry in _first_entries(tags):
        if entry.tag == ORIENTATION:
            values = tags.values(entry)
            return values[0] if len(values) == 1 and 1 <= values[0] <= 8 else 0
    return 0


_EXIF_DIRECTORY: Final = 0x8769
_DATE_TIME: Final = 0x0132
_DATE_TIME_ORIGINAL: Final = 0x9003
_DATE_TIME_DIGITIZED: Final = 0x9004


def dates_of(exif: bytes) -> list[bytes]:
    """The dates in EXIF, as text: when the picture was taken, digitised, changed; those that are there.

    exif: with or without its prefix, or a TIFF file.
    """
    tags = _exif_tags(exif)
    entries = _first_entries(tags)
    for pointer in [entry for entry in entries if entry.tag == _EXIF_DIRECTORY]:
        for at in tags.values(pointer)[:1]:
            entries += tags.directory(at).entries
    texts = {entry.tag: tags.text(entry) for entry in entries if entry.type == 2 and tags.is_there(entry)}
    return [texts[tag] for tag in (_DATE_TIME_ORIGINAL, _DATE_TIME_DIGITIZED, _DATE_TIME) if texts.get(tag)]


def _exif_tags(exif: bytes) -> Tags:
    exif = exif.removeprefix(b"Exif\0\0")
    return Tags(exif if exif[:2] in (b"II", b"MM") else b"")


def _first_entries(tags: Tags) -> list[TagEntry]:
    """The entries of the first directory; none if there is no data."""
    return [entry for at in tags.chain(1) for entry in tags.directory(at).entries]
