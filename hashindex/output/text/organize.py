"""Plans and batches: what organize and undo print."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypedDict

from hashindex.clients.layouts import WHAT_IT_DOES
from hashindex.core.language import N_, N_plural, local, plural, sentence
from hashindex.core.organizing import Action, Outcome, Plan, Refusal, Step
from hashindex.output.text.common import (
    JsonPath,
    in_one_line,
    json_line,
    listed,
    show_message,
    show_path,
    show_pictures,
)


class StepJson(TypedDict):
    """A file that is placed, or would be with --apply."""

    event: Literal["step"]
    action: Action
    """How it is placed."""
    source: JsonPath
    """The picture."""
    target: JsonPath
    """Its name in the destination."""
    number: int
    """The number of its group, or its own."""
    copy: int
    """0 for the first picture of its number, n for NUMBER_n."""


class OrganizeSummaryJson(TypedDict):
    """What organize placed, or would place with --apply."""

    event: Literal["summary"]
    pictures: int
    """Pictures that are in no destination yet: grouped and remaining ones."""
    groups: int
    """Groups of these pictures."""
    grouped: int
    """Pictures in a group."""
    remaining: int
    """Pictures in no group."""
    applied: bool
    """Whether anything was changed."""
    batch: int | None
    """For undo; null if nothing was changed."""
    placed: int
    """Files placed; 0 without --apply."""
    refused: int
    """Files that could not be placed."""
    stopped: str | None
    """Why it ended early, if it did."""


class RefusedJson(TypedDict):
    """A file that organize, dedupe or undo left where it was."""

    event: Literal["refused"]
    path: JsonPath
    """The file."""
    reason: str
    """A clause."""


class UndoSummaryJson(TypedDict):
    """What undo reversed."""

    event: Literal["summary"]
    batch: int | None
    """The batch that was reversed."""
    undone: int
    """Files."""
    refused: int
    """Files left unchanged."""
    stopped: str | None
    """Why it ended early, if it did."""


def step_json(step: Step) -> str:
    return json_line(
        StepJson(
            event="step",
            action=step.action,
            source=step.source,
            target=step.target,
            number=step.number,
            copy=step.copy,
        )
    )


def step_text(step: Step) -> str:
    return sentence(_STEPS[step.action], source=show_path(step.source_bytes), target=show_path(step.target_bytes))


def plan_summary_json(plan: Plan) -> str:
    return json_line(_summary_json(plan, None))


_WOULD = {
    Action.COPY: N_plural("Would copy {count} file to {dest}.", "Would copy {count} files to {dest}."),
    Action.MOVE: N_plural("Would move {count} file to {dest}.", "Would move {count} files to {dest}."),
    Action.HARDLINK: N_plural("Would hard-link {count} file to {dest}.", "Would hard-link {count} files to {dest}."),
    Action.SYMLINK: N_plural("Would symlink {count} file to {dest}.", "Would symlink {count} files to {dest}."),
}
_DONE = {
    Action.COPY: N_plural(
        "Copied {count} file to {dest} (batch {batch}).", "Copied {count} files to {dest} (batch {batch})."
    ),
    Action.MOVE: N_plural(
        "Moved {count} file to {dest} (batch {batch}).", "Moved {count} files to {dest} (batch {batch})."
    ),
    Action.HARDLINK: N_plural(
        "Hard-linked {count} file to {dest} (batch {batch}).", "Hard-linked {count} files to {dest} (batch {batch})."
    ),
    Action.SYMLINK: N_plural(
        "Symlinked {count} file to {dest} (batch {batch}).", "Symlinked {count} files to {dest} (batch {batch})."
    ),
}
_STEPS = {
    Action.COPY: N_("copy  {source}  ->  {target}"),
    Action.MOVE: N_("move  {source}  ->  {target}"),
    Action.HARDLINK: N_("hardlink  {source}  ->  {target}"),
    Action.SYMLINK: N_("symlink  {source}  ->  {target}"),
}


def plan_summary_text(plan: Plan, *, rest: bool) -> str:
    """rest: whether the plan places pictures that are in no group."""
    would = plural(len(plan.steps), *_WOULD[plan.action], dest=show_path(plan.dest_bytes))
    end = sentence("Nothing was changed; --apply carries out the plan.")
    return in_one_line([would, *_counts(plan, rest=rest), end])


def plan_notes(plan: Plan) -> Iterator[str]:
    """Notes to print after the steps."""
    for owner, count in plan.from_clients:
        yield plural(
            count,
            "{count} file is in the folders of {client}, moved only with --from-client-cache: {effect}.",
            "{count} files are in the folders of {client}, moved only with --from-client-cache: {effect}.",
            client=local(owner),
            effect=local(WHAT_IT_DOES[owner]),
        )
    if plan.twice:
        yield plural(
            plan.twice,
            "{count} file to be moved is in {dest} already, with the same bytes, and will be there twice. If an "
            "earlier run copied it: first remove the copy with hashindex undo, then move.",
            "{count} files to be moved are in {dest} already, with the same bytes, and will be there twice. If an "
            "earlier run copied them: first remove the copies with hashindex undo, then move.",
            dest=show_path(plan.dest_bytes),
        )
    if plan.masked:
        yield plural(
            plan.masked,
            "{count} picture masked by WeChat (.dat) skipped: only --mode copy places it, without the mask.",
            "{count} pictures masked by WeChat (.dat) skipped: only --mode copy places them, without the mask.",
        )
    for numbers in plan.joined:
        yield sentence(
            "A new picture belongs to {numbers}: it goes to {first}, and all groups keep their numbers.",
            numbers=_numbers(numbers),
            first=_numbers(numbers[:1]),
        )
    for number, near in plan.neighbours:
        yield sentence(
            "{number} is a variant of the groups placed before: {others}.",
            number=_numbers([number]),
            others=_numbers(near),
        )
    if plan.withheld:
        yield plural(
            plan.withheld,
            "{count} picture placed before and since deleted, moved or renamed there is not placed again "
            "(--again places it).",
            "{count} pictures placed before and since deleted, moved or renamed there are not placed again "
            "(--again places them).",
        )


def _numbers(numbers: Iterable[int]) -> str:
    return listed(f"{number:05d}" for number in numbers)


def organized_json(plan: Plan, outcome: Outcome) -> str:
    return json_line(_summary_json(plan, outcome))


def organized_text(plan: Plan, outcome: Outcome, *, rest: bool) -> str:
    """rest: whether the plan places pictures that are in no group."""
    counts = _counts(plan, rest=rest)
    if outcome.batch is None:
        return in_one_line([sentence("Nothing new to place."), *counts])
    done = plural(outcome.done, *_DONE[plan.action], dest=show_path(plan.dest_bytes), batch=outcome.batch)
    return in_one_line([done, *counts, sentence("Undo: hashindex undo")])


def stopped_text(outcome: Outcome) -> str:
    return plural(
        outcome.done,
        "stopped early, after {count} file: {reason}. Work done so far is kept.",
        "stopped early, after {count} files: {reason}. Work done so far is kept.",
        reason=show_message(outcome.stopped or ""),
    )


def refusal_json(refusal: Refusal) -> str:
    return json_line(RefusedJson(event="refused", path=refusal.path, reason=refusal.reason))


def refusal_text(refusal: Refusal) -> str:
    return sentence("{path}: {reason}", path=show_path(refusal.path_bytes), reason=show_message(refusal.reason))


def undone_json(outcome: Outcome) -> str:
    return json_line(
        UndoSummaryJson(
            event="summary",
            batch=outcome.batch,
            undone=outcome.done,
            refused=len(outcome.refused),
            stopped=outcome.stopped,
        )
    )


def undone_text(outcome: Outcome) -> str:
    undone = plural(
        outcome.done,
        "Undid {count} file of batch {batch}.",
        "Undid {count} files of batch {batch}.",
        batch=outcome.batch,
    )
    if not outcome.refused:
        return undone
    left = plural(len(outcome.refused), "{count} file left unchanged.", "{count} files left unchanged.")
    return in_one_line([undone, left])


def _counts(plan: Plan, *, rest: bool) -> Iterator[str]:
    """What is in groups, and how to place what is not."""
    if plan.groups:
        yield plural(
            plan.groups,
            "{count} group holds {grouped} of {pictures}.",
            "{count} groups hold {grouped} of {pictures}.",
            grouped=f"{plan.grouped:,}",
            pictures=show_pictures(plan.pictures),
        )
    elif rest or not plan.pictures:
        yield sentence("No groups.")
    if plan.remaining and not rest:
        yield plural(
            plan.remaining,
            "{count} picture is in no group (--rest takes it).",
            "{count} pictures are in no group (--rest takes them).",
        )


def _summary_json(plan: Plan, outcome: Outcome | None) -> OrganizeSummaryJson:
    """outcome: None if the plan was not carried out."""
    return OrganizeSummaryJson(
        event="summary",
        pictures=plan.pictures,
        groups=plan.groups,
        grouped=plan.grouped,
        remaining=plan.remaining,
        applied=outcome is not None,
        batch=None if outcome is None else outcome.batch,
        placed=0 if outcome is None else outcome.done,
        refused=0 if outcome is None else len(outcome.refused),
        stopped=None if outcome is None else outcome.stopped,
    )
