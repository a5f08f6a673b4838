"""The result of hashindex read."""

from collections.abc import Iterator
from typing import Literal, TypedDict, cast

from hashindex.core.language import plural, sentence
from hashindex.core.words import ReadPicture, ReadSummary
from hashindex.output.text.common import JsonPath, in_one_line, json_line, show_path, show_seconds, show_text


class TextLineJson(TypedDict):
    """A line of text in a picture."""

    text: str
    """As it was recognised."""
    confidence: float
    """0 to 1."""
    x: float
    """Left edge of its box, as a fraction of the picture's width."""
    y: float
    """Upper edge, as a fraction of the picture's height."""
    width: float
    """As a fraction of the picture's width."""
    height: float
    """As a fraction of the picture's height."""
    frame: int
    """The first frame that shows it; 0 in stills."""


class ReadPictureJson(TypedDict):
    """A picture that was read."""

    event: Literal["read"]
    path: JsonPath
    """Its file, or one of several."""
    lines: list[TextLineJson]
    """In reading order; empty if it has no words."""
    of_copy: bool
    """Whether the words are those of a copy that is at least as large."""


class ReadSummaryJson(TypedDict):
    """How many pictures were read."""

    event: Literal["read_summary"]
    read: int
    """Pictures in which the engine looked for words."""
    copied: int
    """Pictures that took the words of a copy."""
    passed_over: int
    """Pictures that are too small."""
    with_words: int
    """Of those read and copied, pictures with words."""
    lines: int
    """Lines in all of them."""
    problems: int
    """Pictures that could not be read."""
    changed: int
    """Pictures whose files have changed since the last scan."""


def read_json(summary: ReadSummary) -> str:
    return json_line(cast("ReadSummaryJson", {"event": "read_summary", **summary._asdict()}))


def read_picture_json(picture: ReadPicture) -> str:
    lines = [cast("TextLineJson", line._asdict()) for line in picture.lines]
    return json_line(ReadPictureJson(event="read", path=picture.path, lines=lines, of_copy=picture.of_copy))


def read_picture_text(picture: ReadPicture) -> str:
    """The path of a picture, and its words."""
    return f"{show_path(picture.path_bytes)}  {show_text(' / '.join(line.text for line in picture.lines))}"


def read_text(summary: ReadSummary, seconds: float) -> str:
    """What was read, and the next step. seconds: how long it took."""
    return in_one_line(_sentences(summary, seconds))


def _sentences(summary: ReadSummary, seconds: float) -> Iterator[str]:
    time = show_seconds(seconds)
    done = summary.read + summary.copied
    if not done and not summary.problems:
        yield sentence("No new picture to read.")
    else:
        yield plural(
            done,
            "Read the words of {count} picture in {time}; {found} with words.",
            "Read the words of {count} pictures in {time}; {found} with words.",
            time=time,
            found=f"{summary.with_words:,}",
        )
    if summary.copied:
        yield plural(
            summary.copied,
            "{count} took the words of a copy.",
            "{count} took the words of a copy.",
        )
    if summary.problems:
        yield plural(summary.problems, "{count} could not be read.", "{count} could not be read.")
    if summary.changed:
        yield plural(
            summary.changed,
            "{count} has changed since the last scan; run hashindex scan, then hashindex read.",
            "{count} have changed since the last scan; run hashindex scan, then hashindex read.",
        )
    if summary.with_words:
        yield sentence("Next: hashindex find WORDS")
