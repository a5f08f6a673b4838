"""Plans and batches: what organize and undo print."""

import os
from collections.abc import Iterator

from hashindex.clients.layouts import WHAT_IT_DOES
from hashindex.core.organizing import Action, Outcome, Plan, Refusal, Step
from hashindex.output.text.common import json_line, show_count, show_path, show_text


def step_json(step: Step) -> str:
    return json_line(
        {
            "action": step.action,
            "source": os.fsdecode(step.source),
            "target": os.fsdecode(step.target),
            "number": step.number,
            "copy": step.copy,
        }
    )


def step_text(step: Step) -> str:
    return f"{step.action}  {show_path(step.source)}  ->  {show_path(step.target)}"


def plan_summary_json(plan: Plan) -> str:
    return json_line({"event": "summary", **_plan_counts(plan), "applied": False, "batch": None})


def plan_summary_text(plan: Plan) -> str:
    would = f"Would {plan.action} {show_count(len(plan.steps), 'file')} to {show_path(plan.dest)}"
    return f"{would}. {_counts_text(plan)}. Nothing was changed; --apply carries out the plan."


_PLACED = {
    Action.COPY: "Copied",
    Action.MOVE: "Moved",
    Action.HARDLINK: "Hard-linked",
    Action.SYMLINK: "Symlinked",
}


def plan_notes(plan: Plan) -> Iterator[str]:
    """Notes to print after the steps."""
    for owner, count in plan.from_clients:
        what = show_count(count, "file is", "files are")
        yield f"{what} in the folders of {owner}, moved only with --from-client-cache: {WHAT_IT_DOES[owner]}."
    if plan.twice:
        yield (
            f"{show_count(plan.twice, 'file')} to be moved "
            f"{'is' if plan.twice == 1 else 'are'} in {show_path(plan.dest)} already, with the same bytes, and will be "
            "there twice. If an earlier run copied them: first remove the copies with hashindex undo, then move."
        )
    if plan.masked:
        yield (
            f"{show_count(plan.masked, 'picture')} masked by WeChat (.dat) skipped: "
            "only --mode copy places them, without the mask."
        )
    for numbers in plan.joined:
        shown = ", ".join(f"{number:05d}" for number in numbers)
        yield f"A new picture belongs to {shown}: it goes to {numbers[0]:05d}, and all groups keep their numbers."
    for number, near in plan.neighbours:
        yield f"{number:05d} is a variant of the groups placed before: {', '.join(f'{other:05d}' for other in near)}."
    if plan.withheld:
        yield (
            f"{show_count(plan.withheld, 'picture')} placed before and since deleted, moved or renamed there "
            f"{'is' if plan.withheld == 1 else 'are'} not placed again (--again places them)."
        )


def organized_json(plan: Plan, outcome: Outcome) -> str:
    summary = {"event": "summary", **_plan_counts(plan), "applied": True, "batch": outcome.batch}
    return json_line({**summary, "placed": outcome.done, "refused": len(outcome.refused), "stopped": outcome.stopped})


def organized_text(plan: Plan, outcome: Outcome) -> str:
    if outcome.batch is None:
        return f"Nothing new to place. {_counts_text(plan)}."
    placed = f"{_PLACED[plan.action]} {show_count(outcome.done, 'file')} to {show_path(plan.dest)}"
    return f"{placed} (batch {outcome.batch}). {_counts_text(plan)}. Undo: hashindex undo"


def stopped_text(outcome: Outcome) -> str:
    return f"stopped early, after {show_count(outcome.done, 'file')}: {outcome.stopped}. Work done so far is kept."


def refusal_json(refusal: Refusal) -> str:
    return json_line({"event": "refused", "path": os.fsdecode(refusal.path), "reason": refusal.reason})


def refusal_text(refusal: Refusal) -> str:
    return f"{show_path(refusal.path)}: {show_text(refusal.reason)}"


def undone_json(outcome: Outcome) -> str:
    return json_line(
        {
            "event": "summary",
            "batch": outcome.batch,
            "undone": outcome.done,
            "refused": len(outcome.refused),
            "stopped": outcome.stopped,
        }
    )


def undone_text(outcome: Outcome) -> str:
    left = f"; {show_count(len(outcome.refused), 'file')} left unchanged" if outcome.refused else ""
    return f"Undid {show_count(outcome.done, 'file')} of batch {outcome.batch}{left}."


def _counts_text(plan: Plan) -> str:
    groups = f"{plan.grouped:,} in {show_count(plan.groups, 'group')}"
    return f"{show_count(plan.pictures, 'picture')}: {groups}, {plan.remaining:,} in no group"


def _plan_counts(plan: Plan) -> dict[str, int]:
    return {
        "pictures": plan.pictures,
        "groups": plan.groups,
        "grouped": plan.grouped,
        "remaining": plan.remaining,
    }
