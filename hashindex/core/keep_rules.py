"""The rules that choose the keeper of a group, in the order that the user gives."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.options import Keep
from hashindex.core.paths import path_bytes

UNDER = "under:"
"""The prefix of a rule that prefers files below a folder."""


class Under(NamedTuple):
    """The rule that prefers files below a folder."""

    folder: bytes

    def __str__(self) -> str:
        return UNDER + os.fsdecode(self.folder)


KeepRule = Keep | Under
KeepRules = tuple[KeepRule, ...]

KEEP_HELP = Message("{rules}, or under:FOLDER", rules=", ".join(Keep))


def keep_rules(given: str | Iterable[KeepRule | str]) -> KeepRules:
    """Parses rules, from one text with commas or from several texts; each rule is a Keep or "under:FOLDER".

    A folder with a comma in its name must be given as one of several texts. UsageError for any other text.
    """
    texts: list[KeepRule | str] = [*given.split(",")] if isinstance(given, str) else [*given]
    rules = tuple(_rule(text) for text in texts)
    if not rules:
        raise UsageError(Message("There is no rule for the keeper; give one or more of {rules}.", rules=KEEP_HELP))
    return rules


def _rule(text: KeepRule | str) -> KeepRule:
    if isinstance(text, Under):
        return text
    name = text.strip()
    if name.startswith(UNDER) and len(name) > len(UNDER):
        return Under(os.path.realpath(os.path.expanduser(path_bytes(name.removeprefix(UNDER)))))
    try:
        return Keep(name)
    except ValueError:
        raise UsageError(
            Message(
                "There is no rule {name!r} for the keeper; give {rules}, with commas between several.",
                name=name,
                rules=KEEP_HELP,
            )
        ) from None
