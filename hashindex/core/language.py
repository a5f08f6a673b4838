"""The language of messages: English in the source and in JSON, another one on request (gettext).

A message of the library is a Message: its text is English, and it keeps its template and its parts, so that a command
can show it in the user's language. Commands translate at once, by sentence and plural.
"""

import os
import re
import string
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from hashindex.core.errors import UsageError

if TYPE_CHECKING:
    from gettext import GNUTranslations

DOMAIN = "hashindex"
TRANSLATIONS = Path(__file__).parent.parent / "locale"
"""Folder of the compiled translations: LANGUAGE/LC_MESSAGES/hashindex.mo."""
ENGLISH = "en"
NAMED_BY_USERS = frozenset(("path", "paths", "file", "folder", "name", "source", "target", "dest"))
"""Parts of messages that may be names of files."""
LEAST_LETTERS = 6
"""A text is compared only with templates that have at least this many letters besides their parts."""
LONGEST = 1_000
"""A longer text is compared with no template: one that was made to fit many of them nearly would take seconds."""


class _Chosen:
    """The language of the process."""

    translations: "GNUTranslations | None" = None
    """None for English."""
    file: str = ""
    """The file that they come from."""


class Message(str):
    """An English sentence with its template and its parts: Message("{path} is not a folder", path="a")."""

    __slots__ = ("parts", "template")
    template: str
    parts: Mapping[str, object]

    def __new__(cls, template: str, **parts: object) -> Self:
        made = super().__new__(cls, template.format(**parts) if parts else template)
        made.template = template
        made.parts = parts
        return made

    def __str__(self) -> str:
        # str.__str__ would return plain text, so that str(error) would lose the template.
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _message, (self.template, dict(self.parts))


class Part(Message):
    """A message, or a text that was one before it was stored, as a part of another message.

    full_stop: whether it keeps its full stop.
    """

    __slots__ = ("full_stop", "whole")
    whole: str
    full_stop: bool

    def __new__(cls, whole: str, *, full_stop: bool = True) -> "Part":
        made = super().__new__(cls, whole if full_stop else whole.rstrip("."))
        made.whole, made.full_stop = whole, full_stop
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return _part, (self.whole, self.full_stop)


class Shortened(Message):
    """A message with a short form for a page that shows the pictures: it names no other path and no option.

    short: the short form.
    """

    __slots__ = ("short",)
    short: str

    def __new__(cls, message: Message, short: str) -> "Shortened":
        made = super().__new__(cls, message.template, **message.parts)
        made.short = short
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return Shortened, (Message(self.template, **self.parts), self.short)


def short_form(message: str) -> str:
    """The short form of a message, or the message if it has none."""
    return message.short if isinstance(message, Shortened) else message


_JOINED = "{a}{between}{b}"


def joined(separator: str, texts: Iterable[str]) -> str:
    """The texts with the separator between them, as str.join does, in a Message that keeps each of them."""
    return reduce(lambda so_far, text: Message(_JOINED, a=so_far, between=separator, b=text), texts)


def spaced(text: str, separator: str, following: str) -> str:
    """Both texts with the separator between them. A Chinese full stop is wide, so no blank follows it."""
    return f"{text}{'' if separator == ' ' and text.endswith('。') else separator}{following}"


def _part(whole: str, full_stop: bool) -> Part:
    return Part(whole, full_stop=full_stop)


def _message(template: str, parts: dict[str, object]) -> Message:
    return Message(template, **parts)


def N_(text: str) -> str:
    """Marks a text of a table for translation; local translates it where it is shown."""
    return text


def N_plural(one: str, many: str) -> tuple[str, str]:
    """Marks the two forms of a message for translation; plural translates them where they are shown."""
    return one, many


def sentence(template: str, **parts: object) -> str:
    """A message with its named parts, in the language of the process: sentence("Wrote {file}.", file="a.png")."""
    text = template if _Chosen.translations is None else _Chosen.translations.gettext(template)
    if template == _JOINED:
        return spaced(*map(str, _local_parts(parts).values()))
    return text.format(**_local_parts(parts)) if parts else text


def plural(number: int, one: str, many: str, **parts: object) -> str:
    """The message for this number, in the language of the process.

    {count} in it becomes the number: plural(2, "{count} file", "{count} files").
    """
    if _Chosen.translations is None:
        text = one if number == 1 else many
    else:
        text = _Chosen.translations.ngettext(one, many, number)
    return text.format(count=f"{number:,}", **_local_parts(parts))


def _local_parts(parts: Mapping[str, object]) -> dict[str, object]:
    # Other strings stay: a file may be named like a message.
    return {name: local(part) if isinstance(part, Message) else part for name, part in parts.items()}


def local(text: str) -> str:
    """A message of the library in the language of the process.

    text: a Message, or an English text that was one before it was stored, such as a problem in the catalogue. Not for
    paths: a file may be named like a message.
    """
    if isinstance(text, Part):
        whole = local(text.whole)
        return whole if text.full_stop else whole.rstrip(".。")
    if isinstance(text, Message):
        return sentence(text.template, **text.parts)
    return text if _Chosen.translations is None else _stored(_Chosen.file, text)


@lru_cache(maxsize=4096)
def _stored(file: str, text: str) -> str:
    """The translation of a text that lost its template: of the whole text, or by a template that fits it."""
    whole = _loaded(file).gettext(text) if text else text
    if whole != text or len(text) > LONGEST:
        return whole
    for template in _templates(file):
        match = template.pattern.fullmatch(text) if template.longest in text else None
        if match is not None:
            parts = {name: _stored_part(file, name, part) for name, part in match.groupdict().items()}
            return template.translation.format(**parts)
    return text


def _stored_part(file: str, name: str, text: str) -> "_Formatted":
    """A part of a stored text, translated if it is a message itself and not a file named like a message."""
    return _Formatted(text if name in NAMED_BY_USERS and " " not in text else _stored(file, text))


class _Formatted(str):
    """A part that was formatted before."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


class _Template(NamedTuple):
    longest: str
    """The longest text between its parts: a quick test."""
    pattern: re.Pattern[str]
    translation: str


@cache
def _templates(file: str) -> tuple[_Template, ...]:
    """The templates of a language that can be recognised in a text, those with the most text first."""
    found: list[tuple[int, _Template]] = []
    for template, translation in _pairs(Path(file).read_bytes()):
        texts = [text for text, *_ in string.Formatter().parse(template)]
        letters = sum(character.isalpha() for text in texts for character in text)
        names = [name for _, name, *_ in string.Formatter().parse(template) if name is not None]
        if names and letters >= LEAST_LETTERS and all(map(str.isidentifier, names)):
            pattern = re.compile(_pattern(template), re.DOTALL)
            found.append((letters, _Template(max(texts, key=len), pattern, translation)))
    return tuple(template for _, template in sorted(found, key=lambda each: -each[0]))


def _pattern(template: str) -> str:
    """A regular expression with a named group for each part of a template; {count} is a number."""
    pattern, names = "", set[str]()
    for text, name, *_ in string.Formatter().parse(template):
        pattern += re.escape(text)
        if name:
            wanted = "[0-9,]+" if name == "count" else ".+?"
            pattern += f"(?P={name})" if name in names else f"(?P<{name}>{wanted})"
            names.add(name)
    return pattern


def _pairs(data: bytes) -> Iterator[tuple[str, str]]:
    """Each template of a .mo file and its translation; one and many of a plural each have one.

    gettext has no list of its messages, and does not keep many.
    """
    byte_order = "<" if data.startswith(b"\xde\x12\x04\x95") else ">"
    count, ids, texts = struct.unpack_from(f"{byte_order}8x3I", data)
    for number in range(count):
        key, value = (
            data[start : start + length].decode().split("\0")
            for length, start in (struct.unpack_from(f"{byte_order}2I", data, at + 8 * number) for at in (ids, texts))
        )
        yield from {key[0]: value[0], key[-1]: value[-1]}.items()


def is_english() -> bool:
    """Whether the language of the process is English."""
    return _Chosen.translations is None


@contextmanager
def in_language(name: str) -> Iterator[None]:
    """Sets the language of the process for a block; see choose_language. Not for several threads at a time."""
    before = _Chosen.translations, _Chosen.file
    try:
        choose_language(name)
        yield
    finally:
        _Chosen.translations, _Chosen.file = before


def available() -> list[str]:
    """The languages that there are translations for, and English."""
    return sorted({ENGLISH, *(path.parent.parent.name for path in TRANSLATIONS.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))})


def choose_language(name: str | None = None) -> None:
    """Sets the language of the process: "en", "zh_CN" or "zh"; None is that of the environment.

    UsageError for a language that there is no translation for. If the environment names none that there is one for, it
    is English.
    """
    wanted = _from_environment() if name is None else [name]
    found = next((each for one in wanted for each in _fitting(one)), None)
    if found is None and name is not None:
        raise UsageError(Message("There is no language {name!r}; choose one of {known}.", name=name, known=_known()))
    if found in (None, ENGLISH):
        _Chosen.translations, _Chosen.file = None, ""
    else:
        _Chosen.file = str(TRANSLATIONS / str(found) / "LC_MESSAGES" / f"{DOMAIN}.mo")
        _Chosen.translations = _loaded(_Chosen.file)


@cache
def _loaded(file: str) -> "GNUTranslations":
    # Imported late: English needs no gettext.
    from gettext import GNUTranslations

    with open(file, "rb") as data:
        return GNUTranslations(data)


def _fitting(wanted: str) -> Iterator[str]:
    """The available languages that a name means: zh_CN, zh-CN and zh are Chinese, en_US is English."""
    wanted = wanted.replace("-", "_")
    if wanted.split("_")[0] == ENGLISH:
        yield ENGLISH
    else:
        yield from (each for each in available() if wanted in (each, each.split("_")[0]))


def _known() -> str:
    return ", ".join(available())


def _from_environment() -> list[str]:
    """Names of languages in the environment, as gettext reads them; on Windows also that of the user's desktop.

    LANGUAGE is a list that is preferred to the locale, except where the locale is C.
    """
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    name = re.split("[.@]", locale)[0]
    if name in ("C", "POSIX"):
        return [ENGLISH]
    languages = [re.split("[.@]", each)[0] for each in os.environ.get("LANGUAGE", "").split(":")]
    return [each for each in (*languages, name or _of_desktop()) if each]


def _of_desktop() -> str:
    if os.name != "nt":
        return ENGLISH
    import ctypes
    from locale import windows_locale

    language: int = ctypes.windll.kernel32.GetUserDefaultUILanguage()  # type: ignore[attr-defined, unused-ignore]
    return windows_locale.get(language, ENGLISH)
