"""Decisions of the user: what same, separate and decisions print."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypedDict

from hashindex.core.dates import iso, local_minute
from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.model import DecidedPicture, NumberedDecision, Said
from hashindex.output.text.common import JsonPath, JsonTime, PathText, json_line, listed, show_path
from hashindex.output.text.terminal import padded

JsonDecision = Literal["same", "separate"]
_NAMES = {True: N_("same"), False: N_("separate")}
"""By whether the pictures are the same."""
_RECORDED = {
    (True, False): N_("Noted: these {count} are the same picture."),
    (True, True): N_("Noted: these {count} are the same picture (instead of: separate)."),
    (False, False): N_("Noted: these {count} do not belong together."),
    (False, True): N_("Noted: these {count} do not belong together (instead of: the same picture)."),
}
"""By whether the pictures are the same, and whether the decision replaces another one."""
_WITHDRAWN = {
    True: N_("Withdrawn: these {count} are the same picture."),
    False: N_("Withdrawn: these {count} do not belong together."),
}
_NOTHING_WITHDRAWN = {
    True: N_("There is no decision that these {count} are the same picture."),
    False: N_("There is no decision that these {count} do not belong together."),
}


class DecisionSummaryJson(TypedDict):
    """What same or separate recorded, or withdrew with --undo."""

    event: Literal["summary"]
    said: JsonDecision
    """What was decided."""
    pairs: int
    """Pairs of pictures that were recorded or withdrawn."""
    undone: bool
    """Whether they were withdrawn."""
    instead_of: JsonDecision | None
    """The decision that this one replaces; null if there was none to the contrary."""


class ImportedJson(TypedDict):
    """What decisions --import read."""

    event: Literal["summary"]
    imported: int
    """Number of decisions."""


class DecisionFileJson(TypedDict):
    """A file that holds or held a picture of a decision."""

    path: JsonPath
    """Of the file."""
    present: bool
    """Whether the file was there in the last scan."""


class DecisionJson(TypedDict):
    """A pair of pictures that same or separate decided on."""

    event: Literal["decision"]
    number: int
    """Of the decision, for decisions --undo. A decision on several pictures has several pairs."""
    a: str
    """SHA-256 of the first picture."""
    b: str
    """SHA-256 of the second picture."""
    said: JsonDecision
    """What was decided."""
    said_at: JsonTime
    """When."""
    a_files: list[DecisionFileJson]
    """Files with that content, as far as the catalogue knows."""
    b_files: list[DecisionFileJson]
    """Files with the content of the second picture."""


def recorded_json(recorded: Said, same: bool) -> str:
    instead_of = _said(not same) if recorded.instead else None
    return _summary_json(len(recorded.decisions), same, undone=False, instead_of=instead_of)


def recorded_text(recorded: Said, pictures: Sequence[str], same: bool) -> str:
    return sentence(_RECORDED[same, recorded.instead], count=f"{len(pictures):,}")


def withdrawn_json(count: int, same: bool) -> str:
    return _summary_json(count, same, undone=True, instead_of=None)


def withdrawn_text(count: int, pictures: Sequence[str], same: bool) -> str:
    return sentence((_WITHDRAWN if count else _NOTHING_WITHDRAWN)[same], count=f"{len(pictures):,}")


def _summary_json(pairs: int, same: bool, *, undone: bool, instead_of: JsonDecision | None) -> str:
    return json_line(
        DecisionSummaryJson(event="summary", said=_said(same), pairs=pairs, undone=undone, instead_of=instead_of)
    )


def _said(same: bool) -> JsonDecision:
    return "same" if same else "separate"


def imported_json(count: int) -> str:
    return json_line(ImportedJson(event="summary", imported=count))


def imported_text(count: int) -> str:
    return plural(count, "Read {count} decision or tag.", "Read {count} decisions and tags.")


def exported_text(count: int) -> str:
    return plural(count, "Wrote {count} decision or tag.", "Wrote {count} decisions and tags.")


SHOWN_PICTURES = 5
"""Pictures of one decision that are named; --verbose names all."""


def decision_json(decision: NumberedDecision) -> Iterator[str]:
    """A line for each pair."""
    pictures = {picture.digest: picture for picture in decision.pictures}
    for word in decision.pairs:
        yield json_line(
            DecisionJson(
                event="decision",
                number=decision.number,
                a=word.a.hex(),
                b=word.b.hex(),
                said=_said(word.same),
                said_at=iso(word.said_ns),
                a_files=_files_json(pictures[word.a]),
                b_files=_files_json(pictures[word.b]),
            )
        )


def _files_json(picture: DecidedPicture) -> list[DecisionFileJson]:
    return [
        DecisionFileJson(path=path, present=present)
        for paths, present in ((picture.present, True), (picture.gone, False))
        for path in paths
    ]


def decision_text(decision: NumberedDecision, show: PathText = show_path, *, verbose: bool = False) -> str:
    """3  2026-11-29 14:33  same      cat.gif (also 2 others), dog.png"""
    pictures = decision.pictures if verbose else decision.pictures[:SHOWN_PICTURES]
    names = listed(_picture_text(picture, show) for picture in pictures)
    more = len(decision.pictures) - len(pictures)
    if more:
        names = plural(more, "{names} and {count} other picture", "{names} and {count} other pictures", names=names)
    name = padded(local(_NAMES[decision.same]), 8)
    return f"{decision.number:>3}  {local_minute(decision.said_ns)}  {name}  {names}"


def _picture_text(picture: DecidedPicture, show: PathText) -> str:
    if not picture.present_bytes and not picture.gone_bytes:
        return sentence("{digest} (in no scanned folder)", digest=picture.digest.hex())
    if not picture.present_bytes:
        return sentence("{name} (gone)", name=show(picture.gone_bytes[0]))
    others = len(picture.present_bytes) - 1
    name = show(picture.present_bytes[0])
    if not others:
        return name
    return plural(others, "{name} (also {count} other)", "{name} (also {count} others)", name=name)


def withdrawn_numbered_text(decision: NumberedDecision, show: PathText = show_path) -> str:
    return sentence("Withdrawn: {decision}", decision=decision_text(decision, show).strip())


def undo_hint() -> str:
    return sentence("Withdraw one: hashindex decisions --undo NUMBER")
