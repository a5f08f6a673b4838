"""Rules for the keeper of a group, in the order in which a user gives them."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.options import Keep

UNDER = "under:"
"""Begins a rule that prefers what lies below a folder."""


class Under(NamedTuple):
    """The rule that prefers what lies below a folder."""

    folder: bytes

    def __str__(self) -> str:
        return UNDER + os.fsdecode(self.folder)


KeepRule = Keep | Under
KeepRules = tuple[KeepRule, ...]

KEEP_HELP = f"{', '.join(Keep)}, or {UNDER}FOLDER"


def keep_rules(given: str | Iterable[KeepRule | str]) -> KeepRules:
    """The rules of one text with commas between, or of several; each is a Keep or "under:FOLDER".

    A folder with a comma in its name must be one of several. UsageError for anything else.
    """
    words: list[KeepRule | str] = [*given.split(",")] if isinstance(given, str) else [*given]
    rules = tuple(_rule(word) for word in words)
    if not rules:
        raise UsageError(f"There is no rule for the keeper; give one or more of {KEEP_HELP}.")
    return rules


def _rule(word: KeepRule | str) -> KeepRule:
    if isinstance(word, Under):
        return word
    name = word.strip()
    if name.startswith(UNDER) and len(name) > len(UNDER):
        return Under(os.fsencode(os.path.realpath(os.path.expanduser(name.removeprefix(UNDER)))))
    try:
        return Keep(name)
    except ValueError:
        raise UsageError(
            f"There is no rule {name!r} for the keeper; give {KEEP_HELP}, with commas between several."
        ) from None
