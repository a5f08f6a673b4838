"""How text looks on a terminal: its width, wrapped lines and colours. Elsewhere text stays as it is."""

import enum
import os
import re
import unicodedata
from functools import cache
from typing import NamedTuple, TextIO

NARROWEST = 20
"""Lines are never wrapped at fewer columns."""

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_WIDE = "\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60"
_CODE = "\x1b\\[[0-9;]*m"


@cache
def _word() -> re.Pattern[str]:
    """A word with its styles, and the blanks before it. A Chinese character is a word; punctuation stays with it.

    Compiled when the first line is broken: that takes 4 ms, which a command that writes into a pipe does without.
    """
    return re.compile(
        f"( *)((?:{_CODE})*[（「『《“(\\[]*(?:[{_WIDE}]|[^ {_WIDE}\x1b]+)[，。；：！？、）」』》”…)\\]]*(?:{_CODE})*"
        f"|{_CODE}|\x1b)"
    )


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands more than plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Color(enum.StrEnum):
    """When to print colours."""

    AUTO = "auto"
    """On a terminal, unless NO_COLOR is set."""
    ALWAYS = "always"
    NEVER = "never"


class Thumbnails(enum.StrEnum):
    """When to show pictures in the terminal."""

    AUTO = "auto"
    """If the terminal has a protocol for pictures, and the extra is installed."""
    BLOCKS = "blocks"
    """On any terminal, as blocks of colour."""
    NEVER = "never"


class Terminal(NamedTuple):
    """What standard output or standard error can show."""

    width: int | None = None
    """Columns; None if the text goes to a file, a pipe or a dumb terminal, and is not wrapped."""
    has_color: bool = False

    def style(self, text: str, *styles: str) -> str:
        """text in these styles (keys of _STYLES), if there are colours."""
        if not self.has_color or not text or not styles:
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"

    def style_first(self, line: str, *styles: str) -> str:
        """line with its first word in these styles; two blanks end the word."""
        word, blanks, rest = line.partition("  ")
        return self.style(word, *styles) + blanks + rest

    def wrapped(self, text: str, hang: int | None = None) -> str:
        """Breaks lines that are wider than the terminal between words; a word wider than a line is broken after a
        slash or anywhere.

        hang: the indent of continuation lines, in columns; None is the indent of the line and two columns.
        """
        if self.width is None:
            return text
        return "\n".join(part for line in text.split("\n") for part in _wrapped(line, self.width, hang))


PLAIN = Terminal()


def terminal_of(stream: TextIO, color: Color | None = None) -> Terminal:
    """The terminal behind a stream. color: None is Color.AUTO. COLUMNS overrides the width."""
    is_one = is_terminal(stream)
    has_color = is_one and not os.environ.get("NO_COLOR") if color in (None, Color.AUTO) else color is Color.ALWAYS
    return Terminal(_width(stream) if is_one else None, has_color)


def _width(stream: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        width = int(columns)
    else:
        try:
            width = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            width = 0
    return max(width or 80, NARROWEST)


def columns_of(text: str) -> int:
    """How many columns a text takes: wide characters, such as Chinese ones, take two, and styles none."""
    text = re.sub(_CODE, "", text)
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def padded(text: str, columns: int) -> str:
    """text with blanks after it, as wide as this many columns."""
    return text + " " * (columns - columns_of(text))


def padded_left(text: str, columns: int) -> str:
    """text with blanks before it, as wide as this many columns."""
    return " " * (columns - columns_of(text)) + text


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _wrapped(line: str, width: int, hang: int | None) -> list[str]:
    if columns_of(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip(" "))
    hang = min(indent + 2 if hang is None else hang, width // 3)
    lines: list[str] = []
    current = ""
    for blanks, word in _word().findall(line):
        # A path that no line can hold begins here, if there is room for a good part of it.
        left = width - columns_of(current + blanks)
        is_long = columns_of(word) > width - hang and left > (width - hang) // 2
        if columns_of(word) > left and current.strip() and not is_long:
            lines.append(current)
            current, blanks = "", " " * hang
        current += blanks + word
        while columns_of(current) > width:
            head = _broken(current, width)
            lines.append(head)
            current = " " * hang + current[len(head) :]
    return [*lines, current]


def _broken(text: str, width: int) -> str:
    """The part of a text that fits in a line: up to a slash if one is in the second half, else as much as fits."""
    end = columns = 0
    for code_or_character in re.findall(f"{_CODE}|.", text):
        columns += columns_of(code_or_character)
        if columns > width:
            break
        end += len(code_or_character)
    slash = text.rfind(os.sep, len(text) - len(text.lstrip(" ")), end) + 1
    return text[: slash if slash > end // 2 else end]
