"""Templates for the names and folders of pictures that organize places: fields in braces, as in str.format. Pure."""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from hashindex.core.arguments import Options
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.name_words import NameWords
from hashindex.core.safe_names import safe_name

DEFAULT_NAME: Final = "{number}{_copy}"
_DIGITS: Final = 5
"""Of a number without a width, as in 00012. Larger numbers have more digits."""


class NameFields(NamedTuple):
    """The values for the fields of a template, of one picture."""

    number: int
    """Of its group, or its own."""
    copy: int
    """0 for the first picture of its number, then 1, 2, ..."""
    stem: str
    """Its old name without the extension."""
    modified: datetime
    """Local time."""
    taken: datetime | None
    """By its EXIF; None if that does not say, or was not read."""
    kind: str
    """"still" or "animated"."""
    is_group: bool
    width: int
    height: int
    words: NameWords = NameWords()


FIELDS: Final = (
    "number", "_copy", "copy", "group", "stem", "text", "tags", "date", "modified", "kind", "width", "height",
)  # fmt: skip
FIELDS_HELP: Final = ", ".join(f"{{{field}}}" for field in FIELDS)
_NUMBERS: Final = frozenset(("number", "copy", "group", "width", "height"))
_DATES: Final = frozenset(("date", "modified"))
_WIDTH: Final = re.compile(r"0([1-9])d?")
_DATE_CODES: Final = {"Y": "04", "m": "02", "d": "02", "H": "02", "M": "02", "S": "02", "y": "02", "j": "03"}
"""Codes of strftime whose results are digits, the same on every system and in every language; and their widths."""
_DATE_CODE: Final = re.compile(r"%(.?)", re.DOTALL)
_ISO_DAY: Final = "%Y-%m-%d"
_SAMPLE: Final = NameFields(
    12,
    1,
    "name",
    datetime(2026, 11, 29, 14, 5, 6, tzinfo=UTC),
    None,
    "still",
    is_group=True,
    width=640,
    height=480,
    words=NameWords("text", "tag"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Naming(Options):
    """How organize names the pictures that it places. UsageError if a template is not valid.

    name: template of the name without its extension. folder: template of the folder below DEST, with / between folders;
    "" is DEST itself. {date} and {modified} take a format of the codes in _DATE_CODES, as in {date:%Y-%m}; a number
    takes a width, as in {number:03}.
    """

    name: str = DEFAULT_NAME
    folder: str = ""

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        _check(self.name, "name")
        if self.folder:
            _check(self.folder, "folder")

    @property
    def uses_date_taken(self) -> bool:
        """Whether the EXIF of the pictures is needed."""
        return self._uses("date")

    @property
    def uses_words(self) -> bool:
        """Whether the text and the tags of the pictures are needed."""
        return self._uses("text", "tags")

    def _uses(self, *fields: str) -> bool:
        return any(field in fields for template in (self.name, self.folder) for _, field, _ in _parsed(template))

    def stem_of(self, fields: NameFields) -> str:
        """The name without its extension, safe on every system. If the template gives nothing, that of DEFAULT_NAME."""
        return safe_name(_rendered(self.name, fields)) or _rendered(DEFAULT_NAME, fields)

    def folders_of(self, fields: NameFields) -> tuple[str, ...]:
        """The names of the folders below DEST, safe on every system. Empty names are left out."""
        return tuple(filter(None, map(safe_name, _rendered(self.folder, fields).split("/"))))


@lru_cache(maxsize=16)
def _parsed(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """(text, field after it or None, format of the field); UsageError if the syntax or a field is not valid."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise UsageError(
            Message(
                "The template {given!r} is not valid: each field stands in a pair of braces, as in {example}. "
                "Write {{{{ for a brace.",
                given=template,
                example="{number}",
            )
        ) from None
    for _, field, spec, conversion in parts:
        if field is not None and (field not in FIELDS or conversion):
            unknown = field + (f"!{conversion}" if conversion else "")
            raise UsageError(
                Message(
                    "The template {given!r} has an unknown field {field}; known are {known}.",
                    given=template,
                    field=f"{{{unknown}}}",
                    known=FIELDS_HELP,
                )
            )
        if field is not None and not _is_format(field, spec or ""):
            raise UsageError(
                Message(
                    "The template {given!r} has an unknown format {format!r}: {formats}.",
                    given=template,
                    format=spec,
                    formats=_formats_of(field),
                )
            )
    return tuple((text, field, spec or "") for text, field, spec, _ in parts)


def _is_format(field: str, spec: str) -> bool:
    if not spec:
        return True
    if field in _DATES:
        return all(code in (*_DATE_CODES, "%") for code in _DATE_CODE.findall(spec)) and not set("{}") & set(spec)
    return field in _NUMBERS and _WIDTH.fullmatch(spec) is not None


def _formats_of(field: str) -> str:
    shown = f"{{{field}}}"
    if field in _DATES:
        codes = ", ".join("%" + code for code in _DATE_CODES)
        return Message("{field} takes text with the codes {codes}, as in %Y-%m", field=shown, codes=codes)
    if field in _NUMBERS:
        return Message("{field} takes a width such as 03", field=shown)
    return Message("{field} takes none", field=shown)


def _check(template: str, what: str) -> None:
    """UsageError unless the template gives safe names for a picture with usual values."""
    rendered = _rendered(template, _SAMPLE)
    if what == "name" and "/" in rendered:
        raise UsageError(
            Message(
                "The template {given!r} for names has a /; give folders with a template for folders.",
                given=template,
            )
        )
    for name in rendered.split("/"):
        if not name or safe_name(name) != name:
            if what == "folder":
                raise UsageError(
                    Message(
                        "The template {given!r} gives the folder {name!r}, which is not valid on every system; "
                        "folders are below DEST, with / between them.",
                        given=template,
                        name=name,
                    )
                )
            raise UsageError(
                Message(
                    "The template {given!r} gives the name {name!r}, which is not valid on every system.",
                    given=template,
                    name=name,
                )
            )


def _rendered(template: str, fields: NameFields) -> str:
    return "".join(_pieces(template, fields))


def _pieces(template: str, fields: NameFields) -> Iterator[str]:
    for text, field, spec in _parsed(template):
        yield text
        if field in _DATES:
            taken = fields.taken if field == "date" else None
            yield _date_text(taken or fields.modified, spec or _ISO_DAY)
        elif field in _NUMBERS:
            yield _number_text(field, fields, spec)
        elif field == "_copy":
            yield f"_{fields.copy}" if fields.copy else ""
        elif field is not None:
            values = {"kind": fields.kind, "stem": fields.stem, "text": fields.words.text, "tags": fields.words.tags}
            # Only the template separates folders.
            yield re.sub(r"[/\\]", "_", values[field])


def _number_text(field: str, fields: NameFields, spec: str) -> str:
    if field == "group" and not fields.is_group:
        return ""
    width = _WIDTH.fullmatch(spec)
    digits = int(width[1]) if width else _DIGITS if field in ("number", "group") else 1
    number: int = fields.number if field == "group" else getattr(fields, field)
    return f"{number:0{digits}d}"


def _date_text(when: datetime, spec: str) -> str:
    values = {
        **{"Y": when.year, "m": when.month, "d": when.day, "H": when.hour, "M": when.minute, "S": when.second},
        **{"y": when.year % 100, "j": when.timetuple().tm_yday},
    }
    return _DATE_CODE.sub(lambda match: "%" if match[1] == "%" else f"{values[match[1]]:{_DATE_CODES[match[1]]}}", spec)
