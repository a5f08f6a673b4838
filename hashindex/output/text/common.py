"""Parts of texts and JSON lines: paths, sizes, counts. Returns strings; prints nothing."""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import reduce
from typing import Annotated, Literal, TypedDict, cast

import orjson

from hashindex.core.language import N_, local, plural, sentence, spaced
from hashindex.core.model import File, Relation
from hashindex.disk.files import innermost
from hashindex.output.text.terminal import Terminal, padded_left

JsonPath = Annotated[str, "path"]
"""In JSON a path is text; bytes that are not UTF-8 are \\udc80 to \\udcff. See json_line."""
JsonTime = Annotated[str, "time"]
"""In JSON a time is text in ISO 8601, in UTC, to the second."""
JsonRelation = Literal["identical", "copy", "variant", "different"]
"""What two pictures are to each other."""


class PictureJson(TypedDict):
    """A file and its picture."""

    path: JsonPath
    """Of the file."""
    bytes: int
    """Size of the file."""
    width: int
    """Pixels, as shown; 0 if the picture could not be read."""
    height: int
    """As width."""
    frames: int
    """1 unless it is animated."""
    format: str
    """By its content: "jpeg", "png", "gif", ..."""


_UNSAFE = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0001-\U000e007f]"
)
"""A quick test for JSON lines: most of the characters in _UNSAFE_CATEGORIES."""
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Control, format, surrogate, private use, unassigned, line and paragraph separators. Such characters could move the
cursor, hide text or reverse it."""


def json_line(value: Mapping[str, object]) -> str:
    """One JSON object on one line.

    Bytes of a path that are not valid UTF-8, 0x80 to 0xff, become \\udc80 to \\udcff (Python's surrogateescape):
    os.fsencode(json.loads(line)["path"]) is the path on disk.
    """
    try:
        line = orjson.dumps(value).decode()
    except TypeError:
        # A byte that is not UTF-8 can only be written as an escape.
        return _escaped(value)
    # Characters that some readers take for the end of a line, or that could control a terminal, are escaped too.
    is_safe = "\x7f" not in line and (line.isascii() or not _UNSAFE.search(line))
    return line if is_safe else _escaped(value)


def picture_json(file: File) -> PictureJson:
    content = file.content
    return {
        "path": file.path,
        "bytes": file.size,
        "width": content.width,
        "height": content.height,
        "frames": content.frames,
        "format": content.format,
    }


def relation_json(relation: Relation) -> JsonRelation:
    return cast("JsonRelation", relation.label)


def _escaped(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def show_path(path: bytes) -> str:
    """A path that is safe to print. Control characters, direction marks and bytes that are not UTF-8 become escapes.

    Such as \\n, \\x1b, \\u202e, \\xff; a backslash is doubled.
    """
    return show_text(os.fsdecode(path))


PathText = Callable[[bytes], str]


def path_text(roots: Collection[bytes]) -> PathText:
    """Shows paths relative to the innermost of these folders; with several folders, the folder's name comes first."""

    def shown(path: bytes) -> str:
        root = innermost(path, roots)
        if root in (None, path):
            return show_path(path)
        return show_path(os.path.relpath(path, root if len(roots) == 1 else os.path.dirname(root)))

    return shown


def show_text(text: str) -> str:
    """A text, such as a sentence with a path, that is safe to print; see show_path."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_show_character, text))


def _show_character(character: str) -> str:
    if character == "\\" and os.sep != "\\":
        return "\\\\"
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in _UNSAFE_CATEGORIES:
        if "\x80" <= character <= "\xff":
            # Not \x9b, which stands for a byte that is not UTF-8.
            return f"\\u{ord(character):04x}"
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


_RELATIONS = {
    Relation.IDENTICAL: N_("identical"),
    Relation.COPY: N_("copy"),
    Relation.VARIANT: N_("variant"),
    Relation.DIFFERENT: N_("different"),
}
"""The labels of the relations."""
_RELATION_STYLES = {
    Relation.IDENTICAL: ("bold", "green"),
    Relation.COPY: ("green",),
    Relation.VARIANT: ("yellow",),
    Relation.DIFFERENT: ("red",),
}


def relation_styles(relation: Relation | None) -> tuple[str, ...]:
    """The styles of a relation for Terminal.style."""
    return () if relation is None else _RELATION_STYLES[relation]


def relation_name(relation: Relation) -> str:
    """The name of a relation in the language of the process."""
    return local(_RELATIONS[relation])


def relation_text(relation: Relation | None, terminal: Terminal, width: int = 0) -> str:
    """The name of a relation, "-" for None, coloured on a terminal. width: columns to fill with blanks at the left."""
    label = "-" if relation is None else relation_name(relation)
    return terminal.style(padded_left(label, width), *relation_styles(relation))


def show_bytes(count: int) -> str:
    """1,536 -> 1.5 KB; units of 1,024 bytes."""
    if count < 1024:
        return plural(count, "{count} byte", "{count} bytes")
    size = count / 1024
    for unit in ("KB", "MB"):
        # 1023.95 KB would show as 1024.0 KB.
        if size < 1023.95:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


def show_seconds(seconds: float) -> str:
    """0.4 s, 48 s, 11 min, 3 h"""
    if seconds < 1:
        return sentence("{count} s", count=f"{seconds:.1f}")
    if seconds < 120:
        return sentence("{count} s", count=f"{seconds:.0f}")
    if seconds < 7200:
        return sentence("{count} min", count=f"{seconds / 60:.0f}")
    return sentence("{count} h", count=f"{seconds / 3600:,.0f}")


def in_one_line(sentences: Iterable[str]) -> str:
    """Sentences in one line."""
    return reduce(lambda so_far, following: spaced(so_far, " ", following), sentences)


def show_message(text: str) -> str:
    """A message of the library in the language of the process, safe to print; see language.local and show_text."""
    return show_text(local(text))


def show_pictures(number: int) -> str:
    """1 picture, 1,536 pictures"""
    return plural(number, "{count} picture", "{count} pictures")


def show_groups(number: int) -> str:
    """1 group, 1,536 groups"""
    return plural(number, "{count} group", "{count} groups")


def wrote_text(file: os.PathLike[str]) -> str:
    """Says that a file was written."""
    return sentence("Wrote {file}.", file=show_path(os.fsencode(file)))


def picture_facts(file: File) -> str:
    """png, 240 x 220, 4 frames, 13.0 KB"""
    content = file.content
    parts = [content.format, f"{content.width} x {content.height}"]
    if content.frames > 1:
        parts.append(show_frames(content.frames, content.format))
    return listed([*parts, show_bytes(file.size)])


def show_frames(number: int, format: str) -> str:
    """4 frames; 2 pages of a TIFF"""
    if format == "tiff":
        return plural(number, "{count} page", "{count} pages")
    return plural(number, "{count} frame", "{count} frames")


def listed(parts: Iterable[str]) -> str:
    """Parts of a sentence with commas between: png, 240 x 220, 4 frames"""
    return sentence(", ").join(parts)


def listed_names(names: Iterable[str]) -> str:
    """Names with commas between, in Chinese with the comma of lists: copies, similar"""
    return reduce(lambda so_far, name: sentence("{names}, {name}", names=so_far, name=name), names)
