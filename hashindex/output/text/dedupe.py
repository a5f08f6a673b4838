"""Plans and results of dedupe as text and JSON."""

import os

from hashindex.core.deduping import Deduped, DedupeOptions, DedupePlan, Left, Link, Removal
from hashindex.output.text.common import json_line, show_bytes, show_count, show_path, show_text

_LINKS = {Link.HARD: "a hard link", Link.SYMBOLIC: "a symbolic link", Link.REFLINK: "a reflink"}


def removal_json(removal: Removal, how: DedupePlan | DedupeOptions) -> str:
    return json_line(
        {
            "action": _action(how),
            "source": os.fsdecode(removal.source),
            "kept": os.fsdecode(removal.kept.path),
            "relation": removal.relation.label,
            "why": removal.why,
            "bytes": removal.size,
            "target": os.fsdecode(removal.target) or None,
        }
    )


def removal_text(removal: Removal, how: DedupePlan | DedupeOptions) -> str:
    kept = show_path(removal.kept.path)
    return f"{_action(how)}  {show_path(removal.source)}  (kept: {kept}; {removal.relation.label}, {removal.why})"


def left_json(left: Left) -> str:
    return json_line({"event": "left", "source": os.fsdecode(left.source), "why": left.why})


def left_text(left: Left) -> str:
    return f"left  {show_path(left.source)}  because {show_text(left.why)}"


def plan_summary_json(plan: DedupePlan) -> str:
    return json_line(
        {
            "event": "summary",
            "groups": plan.groups,
            "removed": len(plan.removals),
            "bytes": plan.bytes,
            "left": len(plan.left),
            "applied": False,
            "batch": None,
        }
    )


def plan_summary_text(plan: DedupePlan) -> str:
    if not plan.removals:
        return f"No copy can be removed.{_left_text(plan)}"
    what = f"{show_count(len(plan.removals), 'copy', 'copies')} of {show_count(plan.groups, 'group')}"
    return (
        f"Would move {what} ({show_bytes(plan.bytes)}) to {_place(plan)}{_link_text(plan)}.{_left_text(plan)} "
        "Nothing was changed; --apply carries out the plan."
    )


def deduped_json(done: Deduped) -> str:
    plan, outcome = done.plan, done.outcome
    return json_line(
        {
            "event": "summary",
            "groups": plan.groups,
            "removed": len(done.removed),
            "bytes": done.bytes,
            "left": len(plan.left),
            "applied": True,
            "batch": outcome.batch,
            "refused": len(outcome.refused),
            "stopped": outcome.stopped,
        }
    )


def deduped_text(done: Deduped) -> str:
    plan, outcome = done.plan, done.outcome
    if outcome.batch is None:
        return f"No copy can be removed.{_left_text(plan)}"
    what = f"{show_count(len(done.removed), 'copy', 'copies')} ({show_bytes(done.bytes)})"
    return (
        f"Moved {what} to {_place(plan)}{_link_text(plan)} (batch {outcome.batch}).{_left_text(plan)} "
        "Undo: hashindex undo"
    )


def _action(how: DedupePlan | DedupeOptions) -> str:
    if how.link is not None:
        return "link"
    return "trash" if how.to is None else "move"


def _place(plan: DedupePlan) -> str:
    return "the trash" if plan.to is None else show_path(plan.to)


def _link_text(plan: DedupePlan) -> str:
    return "" if plan.link is None else f", with {_LINKS[plan.link]} in the place of each"


def _left_text(plan: DedupePlan) -> str:
    return (
        f" {show_count(len(plan.left), 'copy is', 'copies are')} left (hashindex dedupe lists why)."
        if plan.left
        else ""
    )
