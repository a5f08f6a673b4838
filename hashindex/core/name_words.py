"""The words of a picture as a part of its file name: what a person would call it. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from hashindex.core.words import UNCERTAIN, TextLine

LONGEST: Final = 40
"""Columns of the text in a name; a Chinese sign takes two."""
MOST_TAGS: Final = 5
SMALL: Final = 0.5
"""Lines of less than this share of the highest line are left out: clocks, watermarks, the text in the background."""

_NOT_IN_NAMES: Final = re.compile(r'[<>:"/\\|?*\s]+')


class NameWords(NamedTuple):
    """The fields {text} and {tags} of a template for names."""

    text: str = ""
    tags: str = ""


def name_words(lines: Sequence[TextLine], tags: Iterable[str]) -> NameWords:
    """The words of a picture for a name. Empty without lines, without tags."""
    return NameWords(short_text(lines), ", ".join(_clean(tag) for tag in [*tags][:MOST_TAGS]))


def short_text(lines: Sequence[TextLine]) -> str:
    """The text of the large and certain lines, in reading order, as far as LONGEST columns go; "" if there are none.

    Characters that are not valid in names, and punctuation at the ends, are left out, and so are lines of one letter,
    which are often no letters. A text that is too long ends after a line, else after a word, else after a sign.
    """
    certain = [(_clean(line.text), line.height) for line in lines if line.confidence >= UNCERTAIN]
    certain = [(text, height) for text, height in certain if _columns(text) > 1]
    highest = max((height for _, height in certain), default=0.0)
    short = ""
    for text, height in certain:
        if height < SMALL * highest:
            continue
        longer = f"{short} {text}" if short else text
        if _columns(longer) > LONGEST:
            return short or _cut(text)
        short = longer
    return short


def _clean(text: str) -> str:
    """The text without characters that names cannot have, and without blanks and punctuation at its ends.

    A bracket stays if it may belong to one within.
    """
    printable = "".join(
        character if character.isprintable() else " " for character in unicodedata.normalize("NFC", text)
    )
    words = _NOT_IN_NAMES.sub(" ", printable).strip()
    start, end = 0, len(words)
    while start < end and _is_punctuation(words[start], "Ps"):
        start += 1
    while start < end and _is_punctuation(words[end - 1], "Pe"):
        end -= 1
    return words[start:end] if any(map(str.isalnum, words)) else words[start:end].strip("()[]{}")


def _is_punctuation(character: str, bracket: str) -> bool:
    category = unicodedata.category(character)
    return character == " " or (category.startswith("P") and category != bracket)


def _cut(text: str) -> str:
    """The beginning of a text, LONGEST columns at most: up to a blank, if one is in the second half."""
    end = columns = 0
    while columns + _columns(text[end]) <= LONGEST:
        columns += _columns(text[end])
        end += 1
    blank = text.rfind(" ", end // 2, end + 1)
    return _clean(text[: blank if blank > 0 else end])


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
