"""Plans and results of dedupe as text and JSON."""

import os
from collections.abc import Iterator
from typing import Literal, TypedDict

from hashindex.core.deduping import Deduped, DedupeOptions, DedupePlan, Left, Link, Removal
from hashindex.core.language import N_, Message, Part, local, plural, sentence
from hashindex.output.text.common import (
    JsonPath,
    JsonRelation,
    PathText,
    in_one_line,
    json_line,
    relation_json,
    relation_name,
    show_bytes,
    show_groups,
    show_message,
    show_path,
    show_text,
)
from hashindex.output.text.terminal import PLAIN, Terminal

_LINKS = {
    Link.HARD: N_("A hard link takes the place of each."),
    Link.SYMBOLIC: N_("A symbolic link takes the place of each."),
    Link.REFLINK: N_("A reflink takes the place of each."),
}
_REMOVALS = {
    "link": N_("link  {source}  (kept: {kept}; {relation}, {why})"),
    "trash": N_("trash  {source}  (kept: {kept}; {relation}, {why})"),
    "move": N_("move  {source}  (kept: {kept}; {relation}, {why})"),
}


RemovalAction = Literal["trash", "move", "link"]


class RemovalJson(TypedDict):
    """A copy that is removed, or would be with --apply."""

    event: Literal["removal"]
    action: RemovalAction
    """To the trash, to a folder, or replaced by a link."""
    source: JsonPath
    """The copy."""
    kept: JsonPath
    """The picture for which it is removed."""
    relation: JsonRelation
    """To that picture: "copy", or "identical" for the same bytes or the same pixels."""
    why: str
    """Why the other picture is kept."""
    bytes: int
    """Size of the copy."""
    target: JsonPath | None
    """Where it goes; null for a trash whose places only the system knows (macOS, Windows)."""


class LeftJson(TypedDict):
    """A copy that is not removed."""

    event: Literal["left"]
    source: JsonPath
    """The copy."""
    why: str
    """A clause."""


class DedupeSummaryJson(TypedDict):
    """What dedupe removed, or would remove with --apply."""

    event: Literal["summary"]
    groups: int
    """Groups that lose a copy."""
    removed: int
    """Copies."""
    bytes: int
    """Size of these copies."""
    left: int
    """Copies that are not removed."""
    applied: bool
    """Whether anything was changed."""
    batch: int | None
    """For undo; null if nothing was changed."""
    refused: int
    """Copies that could not be removed."""
    stopped: str | None
    """Why it ended early, if it did."""


def removal_json(removal: Removal, how: DedupePlan | DedupeOptions) -> str:
    return json_line(
        RemovalJson(
            event="removal",
            action=_action(how),
            source=removal.source,
            kept=removal.kept.path,
            relation=relation_json(removal.relation),
            why=removal.why,
            bytes=removal.size,
            target=removal.target or None,
        )
    )


def removal_text(
    removal: Removal, how: DedupePlan | DedupeOptions, show: PathText = show_path, terminal: Terminal = PLAIN
) -> str:
    line = sentence(
        _REMOVALS[_action(how)],
        source=show(removal.source_bytes),
        kept=show(removal.kept.path_bytes),
        relation=relation_name(removal.relation),
        why=show_message(removal.why),
    )
    return terminal.style_first(line, "bold")


def left_json(left: Left) -> str:
    return json_line(LeftJson(event="left", source=left.source, why=left.why))


def left_text(left: Left, show: PathText = show_path, terminal: Terminal = PLAIN) -> str:
    line = sentence("left  {source}  because {why}", source=show(left.source_bytes), why=_why_text(left.why, show))
    return terminal.style_first(line, "yellow")


def _why_text(why: str, show: PathText) -> str:
    """A reason whose paths are shown as the other paths of the line are."""
    if not isinstance(why, Message) or isinstance(why, Part):
        return show_message(why)
    return sentence(why.template, **{name: _part_text(part, show) for name, part in why.parts.items()})


def _part_text(part: object, show: PathText) -> str:
    if isinstance(part, Message):
        return show_message(part)
    return show(os.fsencode(part)) if isinstance(part, str) and os.path.isabs(part) else show_text(str(part))


def plan_summary_json(plan: DedupePlan) -> str:
    return json_line(
        DedupeSummaryJson(
            event="summary",
            groups=plan.groups,
            removed=len(plan.removals),
            bytes=plan.bytes,
            left=len(plan.left),
            applied=False,
            batch=None,
            refused=0,
            stopped=None,
        )
    )


def plan_summary_text(plan: DedupePlan) -> str:
    if not plan.removals:
        return in_one_line([sentence("No copy can be removed."), *_left(plan)])
    would = plural(
        len(plan.removals),
        "Would move {count} copy of {groups} ({size}) to {place}.",
        "Would move {count} copies of {groups} ({size}) to {place}.",
        groups=show_groups(plan.groups),
        size=show_bytes(plan.bytes),
        place=_place(plan),
    )
    end = sentence("Nothing was changed; --apply carries out the plan.")
    return in_one_line([would, *_links(plan), *_left(plan), end])


def deduped_json(done: Deduped) -> str:
    plan, outcome = done.plan, done.outcome
    return json_line(
        DedupeSummaryJson(
            event="summary",
            groups=plan.groups,
            removed=len(done.removed),
            bytes=done.bytes,
            left=len(plan.left),
            applied=True,
            batch=outcome.batch,
            refused=len(outcome.refused),
            stopped=outcome.stopped,
        )
    )


def deduped_text(done: Deduped) -> str:
    plan, outcome = done.plan, done.outcome
    if outcome.batch is None:
        return in_one_line([sentence("No copy can be removed."), *_left(plan)])
    moved = plural(
        len(done.removed),
        "Moved {count} copy ({size}) to {place} (batch {batch}).",
        "Moved {count} copies ({size}) to {place} (batch {batch}).",
        size=show_bytes(done.bytes),
        place=_place(plan),
        batch=outcome.batch,
    )
    return in_one_line([moved, *_links(plan), *_left(plan), sentence("Undo: hashindex undo")])


def _action(how: DedupePlan | DedupeOptions) -> RemovalAction:
    if how.link is not None:
        return "link"
    return "trash" if how.to is None else "move"


def _place(plan: DedupePlan) -> str:
    return sentence("the trash") if plan.to_bytes is None else show_path(plan.to_bytes)


def _links(plan: DedupePlan) -> Iterator[str]:
    if plan.link is not None:
        yield local(_LINKS[plan.link])


def _left(plan: DedupePlan) -> Iterator[str]:
    if plan.left:
        yield plural(
            len(plan.left),
            "{count} copy is left (hashindex dedupe lists why).",
            "{count} copies are left (hashindex dedupe lists why).",
        )
