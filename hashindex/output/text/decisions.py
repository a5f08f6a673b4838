"""Decisions of the user: what same, separate and decisions print."""

from collections.abc import Sequence
from typing import NamedTuple

from hashindex.core.dates import local_minute
from hashindex.core.model import Decision, Said
from hashindex.output.text.common import json_line, show_count


class _Wording(NamedTuple):
    name: str
    sentence: str
    """What follows "these two"."""
    short: str


_WORDINGS = {
    True: _Wording("same", "are one picture", "one picture"),
    False: _Wording("separate", "do not belong together", "separate"),
}
"""By whether the pictures are the same."""


def recorded_json(recorded: Said, same: bool) -> str:
    instead_of = _WORDINGS[not same].name if recorded.instead else None
    return _summary_json(len(recorded.words), same, undone=False, instead_of=instead_of)


def recorded_text(recorded: Said, pictures: Sequence[str], same: bool) -> str:
    instead_of = f" (instead of: {_WORDINGS[not same].short})" if recorded.instead else ""
    return f"Noted: {_these(pictures)} {_WORDINGS[same].sentence}{instead_of}."


def withdrawn_json(count: int, same: bool) -> str:
    return _summary_json(count, same, undone=True, instead_of=None)


def withdrawn_text(count: int, pictures: Sequence[str], same: bool) -> str:
    if not count:
        return f"There is no decision that {_these(pictures)} {_WORDINGS[same].sentence}."
    return f"Withdrawn: {_these(pictures)} {_WORDINGS[same].sentence}."


def _summary_json(pairs: int, same: bool, *, undone: bool, instead_of: str | None) -> str:
    fields = {"event": "summary", "said": _WORDINGS[same].name, "pairs": pairs, "undone": undone}
    return json_line(fields | {"instead_of": instead_of})


def _these(pictures: Sequence[str]) -> str:
    return "these two" if len(pictures) == 2 else f"these {len(pictures):,}"


def imported_json(count: int) -> str:
    return json_line({"event": "summary", "imported": count})


def imported_text(count: int) -> str:
    return f"Read {show_count(count, 'decision')}."


def exported_text(count: int) -> str:
    return f"Wrote {show_count(count, 'decision')}."


def decision_text(decision: Decision) -> str:
    """When it was made, what it is, and the SHA-256 of both pictures."""
    when = local_minute(decision.said_ns)
    return f"{when}  {_WORDINGS[decision.same].name:>8}  {decision.a.hex()}  {decision.b.hex()}"
