"""Values about the words of pictures: recognised lines, tags, and what a search by words found. They do no I/O."""

import os
from typing import Final, NamedTuple

from hashindex.core.model import File
from hashindex.core.paths import with_readable_paths

UNCERTAIN: Final = 0.75
"""A recognised line of less confidence is ranked lower, and is in no name."""


class TextLine(NamedTuple):
    """One line of text that a reader recognised in a picture."""

    text: str
    confidence: float
    """0 to 1, as the reader states it."""
    x: float = 0.0
    """Left edge of its box, as a fraction of the picture's width: 0 to 1."""
    y: float = 0.0
    """Upper edge, as a fraction of the picture's height."""
    width: float = 0.0
    height: float = 0.0
    frame: int = 0
    """Index of the first frame that shows the line; 0 in stills."""


class PictureWords(NamedTuple):
    """The words of one content, as a page shows them."""

    lines: tuple[str, ...] = ()
    """The recognised text, in reading order."""
    tags: tuple[str, ...] = ()
    """In the order of their names."""


class FoundPicture(NamedTuple):
    """A picture that HashIndex.find found by its words."""

    file: File
    """The best of its present copies."""
    copies: tuple[File, ...]
    """Its other present files, by path: of the same bytes, or copies by the judge or by the user's decision."""
    lines: tuple[str, ...]
    """The text that was recognised in it, or in a copy of it, in reading order."""
    tags: tuple[str, ...]
    """Its tags and those of its copies, in the order of their names."""
    is_exact: bool
    """Whether it has all words of the query, without a wrong letter."""

    @property
    def files(self) -> tuple[File, ...]:
        """All its present files, the best first."""
        return (self.file, *self.copies)


class WordCounts(NamedTuple):
    """How much a search by words can find."""

    pictures: int
    """Present pictures, each content once."""
    read: int
    """Contents whose text was read, present or missing."""


@with_readable_paths
class ReadPicture(NamedTuple):
    """A picture whose words were read."""

    path_bytes: bytes
    lines: tuple[TextLine, ...]
    """In reading order; none if it has no words."""
    of_copy: bool = False
    """The words are those of a copy of the picture, which is at least as large."""

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


class ReadSummary(NamedTuple):
    """Counts of one run of HashIndex.read, in contents."""

    read: int = 0
    """Recognised by the engine."""
    copied: int = 0
    """Took the words of a copy."""
    passed_over: int = 0
    """Too small to hold words."""
    with_words: int = 0
    """Of those read and copied: with at least one line."""
    lines: int = 0
    problems: int = 0
    """Could not be read."""
    changed: int = 0
    """Their files are gone or hold another picture since the last scan; read after the next one."""
