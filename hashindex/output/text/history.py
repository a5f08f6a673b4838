"""Batches of the journal: what history and recover print."""

from typing import Literal, TypedDict

from hashindex.core.dates import iso, local_minute
from hashindex.core.language import N_, N_plural, local, plural, sentence
from hashindex.core.organizing import Action, Batch, BatchCommand, BatchState
from hashindex.output.text.common import JsonPath, JsonTime, json_line, listed, show_message, show_path

_HOW = {
    Action.COPY: N_("copy      {dest}"),
    Action.HARDLINK: N_("hardlink  {dest}"),
    Action.SYMLINK: N_("symlink   {dest}"),
    Action.MOVE: N_("move      {dest}"),
}
"""What organize did. The blanks make a column."""
_DEDUPE = N_("dedupe    {dest}")
_STATES = {
    BatchState.APPLYING: N_("applying"),
    BatchState.APPLIED: N_("applied"),
    BatchState.UNDOING: N_("undoing"),
    BatchState.UNDONE: N_("undone"),
}


class BatchJson(TypedDict):
    """One run of organize --apply or dedupe --apply."""

    event: Literal["batch"]
    batch: int
    """Its number, for undo."""
    command: BatchCommand
    """What ran."""
    dest: JsonPath | None
    """The folder into which it placed files; null for the trash."""
    mode: Action
    """How files were placed."""
    state: BatchState
    """"applying" or "undoing" if it was killed: recover completes it."""
    started_at: JsonTime
    """When it began."""
    finished_at: JsonTime | None
    """When it ended; null if it was killed."""
    placed: int
    """Steps that were carried out and not undone."""
    skipped: int
    """Steps that were not carried out."""
    undone: int
    """Steps that undo reversed."""
    kept: int
    """Steps that undo left as they were."""
    unreached: int
    """Of the skipped steps, those that were not tried because the run was interrupted."""
    trouble: str | None
    """Why recover could not complete it."""


def batch_json(batch: Batch) -> str:
    return json_line(
        BatchJson(
            event="batch",
            batch=batch.id,
            command=batch.command,
            dest=batch.dest or None,
            mode=batch.action,
            state=batch.state,
            started_at=iso(batch.started_ns),
            finished_at=iso(batch.finished_ns),
            placed=batch.done,
            skipped=batch.skipped,
            undone=batch.undone,
            kept=batch.kept,
            unreached=batch.unreached,
            trouble=batch.trouble,
        )
    )


def batch_text(batch: Batch) -> str:
    was_interrupted = batch.state is BatchState.APPLIED and batch.unreached > 0
    state = sentence("interrupted") if was_interrupted else local(_STATES[batch.state])
    how = _HOW[batch.action] if batch.command is BatchCommand.ORGANIZE else _DEDUPE
    what = sentence(how, dest=show_path(batch.dest_bytes) or sentence("trash"))
    return f"{batch.id:4}  {local_minute(batch.started_ns)}  {what}  {_counts_text(batch)} ({state})"


def _counts_text(batch: Batch) -> str:
    counts = []
    is_organize = batch.command is BatchCommand.ORGANIZE
    if batch.done:
        done = N_plural("{count} placed", "{count} placed") if is_organize else N_plural("{count} done", "{count} done")
        counts.append(plural(batch.done, *done))
    if batch.skipped:
        counts.append(plural(batch.skipped, "{count} skipped", "{count} skipped"))
    if batch.undone:
        counts.append(plural(batch.undone, "{count} taken back", "{count} taken back"))
    if batch.kept:
        counts.append(plural(batch.kept, "{count} kept", "{count} kept"))
    if counts:
        return listed(counts)
    return sentence("nothing placed") if is_organize else sentence("nothing done")


def recovered_text(batch: Batch) -> str:
    if batch.trouble is not None:
        return sentence(
            "Batch {batch} was interrupted and stays open: {reason}.",
            batch=batch.id,
            reason=show_message(batch.trouble),
        )
    return sentence(
        "Repaired batch {batch}, which was interrupted: {result}", batch=batch.id, result=batch_text(batch).strip()
    )
