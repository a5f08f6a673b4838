"""The language of messages: English in the source and in JSON, another one on request (gettext).

A message of the library is a Message: its text is English, and it keeps its template and its parts, so that a command
can show it in the user's language. Commands translate at once, by translated and translated_plural.
"""

import gettext
import locale
import os
from collections.abc import Mapping
from pathlib import Path

from hashindex.core.errors import UsageError

DOMAIN = "hashindex"
CATALOGUES = Path(__file__).parent.parent / "locale"
"""Folder of the compiled catalogues: LANGUAGE/LC_MESSAGES/hashindex.mo."""
ENGLISH = "en"


class _Chosen:
    """The catalogue of the process."""

    catalogue: gettext.NullTranslations = gettext.NullTranslations()


class Message(str):
    """An English sentence with its template and its parts: Message("{path} is not a folder", path="a")."""

    __slots__ = ("parts", "template")
    template: str
    parts: Mapping[str, object]

    def __new__(cls, template: str, **parts: object) -> "Message":
        made = super().__new__(cls, template.format(**parts) if parts else template)
        made.template = template
        made.parts = parts
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return _message, (self.template, dict(self.parts))


def _message(template: str, parts: dict[str, object]) -> Message:
    return Message(template, **parts)


def local(text: str) -> str:
    """The text in the language of the process, if it is a Message or a text that the catalogue has whole."""
    if isinstance(text, Message):
        return translated(text.template, **text.parts)
    return _Chosen.catalogue.gettext(text) if text else text


def translated(template: str, **parts: object) -> str:
    """A message with its named parts, in the language of the process."""
    local_parts = {name: local(part) if isinstance(part, str) else part for name, part in parts.items()}
    text = _Chosen.catalogue.gettext(template)
    return text.format(**local_parts) if parts else text


def translated_plural(number: int, one: str, many: str, **parts: object) -> str:
    """The message for this number, in the language of the process. {count} in it becomes the number."""
    local_parts = {name: local(part) if isinstance(part, str) else part for name, part in parts.items()}
    return _Chosen.catalogue.ngettext(one, many, number).format(count=f"{number:,}", **local_parts)


def available() -> list[str]:
    """The languages that there are catalogues for, and English."""
    return sorted({ENGLISH, *(path.parent.parent.name for path in CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))})


def choose_language(name: str | None = None) -> None:
    """Sets the language of the process: "en", "zh_CN" or "zh"; None is that of the environment.

    UsageError for a language that there is no catalogue for. A language of the environment without one is English.
    """
    wanted = _from_environment() if name is None else [name]
    found = next((each for one in wanted for each in available() if one in (each, each.split("_")[0])), None)
    if found is None and name is not None:
        raise UsageError(f"There is no language {name!r}; choose one of {', '.join(available())}.")
    if found in (None, ENGLISH):
        _Chosen.catalogue = gettext.NullTranslations()
    else:
        _Chosen.catalogue = gettext.translation(DOMAIN, CATALOGUES, [found])


def _from_environment() -> list[str]:
    """Names of languages, as gettext reads them from the environment; on Windows that of the user's locale."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            names = [each.split(".")[0].split("@")[0] for each in value.split(":")]
            return [each if each not in ("C", "POSIX") else ENGLISH for each in names]
    if os.name == "nt":
        return [locale.getlocale()[0] or ENGLISH]
    return [ENGLISH]
