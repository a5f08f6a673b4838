"""Answers to hashindex find."""

from collections.abc import Iterator, Sequence
from typing import Literal

from hashindex.core.language import plural, sentence
from hashindex.core.words import FoundPicture, WordCounts
from hashindex.output.text.common import (
    JsonPath,
    PathText,
    PictureJson,
    json_line,
    picture_json,
    show_path,
    show_text,
)
from hashindex.output.text.tags import tag_text
from hashindex.output.text.terminal import PLAIN, Terminal

_SHOWN = 60
"""Characters of a picture's text that are shown; a screenshot may have a thousand."""


class FoundJson(PictureJson):
    """A picture that has the words: the best of its copies."""

    event: Literal["found"]
    copies: list[JsonPath]
    """The other present files of the picture."""
    lines: list[str]
    """The text that was read in it, in reading order."""
    tags: list[str]
    """Its tags and those of its copies."""
    exact: bool
    """Whether it has all words as they were given, without a wrong letter."""


def found_json(picture: FoundPicture) -> str:
    line: FoundJson = {
        "event": "found",
        **picture_json(picture.file),
        "copies": [file.path for file in picture.copies],
        "lines": list(picture.lines),
        "tags": list(picture.tags),
        "exact": picture.is_exact,
    }
    return json_line(line)


def found_text(
    picture: FoundPicture, show: PathText = show_path, terminal: Terminal = PLAIN, *, copies: bool = False
) -> str:
    """One line for a picture; with copies, one more for each of its copies."""
    parts = [show(picture.file.path_bytes)]
    if picture.lines:
        parts.append(terminal.style(lines_text(picture.lines), "dim"))
    parts += [terminal.style(tag_text(tag), "green") for tag in picture.tags]
    lines = ["  ".join(parts)]
    if copies:
        lines += [f"    {show(file.path_bytes)}" for file in picture.copies]
    return "\n".join(lines)


def lines_text(lines: Sequence[str]) -> str:
    """The beginning of a picture's text, in one line."""
    words = " ".join(lines)
    return show_text(words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…")


def nearest_text() -> str:
    return sentence("No picture has exactly these words; these are the nearest.")


def nothing_found_notes(counts: WordCounts) -> Iterator[str]:
    yield plural(
        counts.pictures,
        "No picture with these words among {count} picture.",
        "No picture with these words among {count} pictures.",
    )
    if not counts.read and counts.pictures:
        yield sentence("No text was read in pictures yet: only tags and file names were searched. Run: hashindex read")
    elif counts.read < counts.pictures:
        yield sentence("The text of some pictures was not read yet. Run: hashindex read")
