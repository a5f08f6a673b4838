"""Batches of the journal: what history and recover print."""

import os

from hashindex.core.dates import iso, local_minute
from hashindex.core.language import N_, N_plural, local, plural, sentence
from hashindex.core.organizing import Action, Batch, BatchCommand, BatchState
from hashindex.output.text.common import json_line, listed, show_message, show_path

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


def batch_json(batch: Batch) -> str:
    return json_line(
        {
            "batch": batch.id,
            "command": batch.command,
            "dest": os.fsdecode(batch.dest_bytes) or None,
            "mode": batch.action,
            "state": batch.state,
            "started": iso(batch.started_ns),
            "finished": iso(batch.finished_ns),
            "placed": batch.done,
            "skipped": batch.skipped,
            "undone": batch.undone,
            "kept": batch.kept,
            "unreached": batch.unreached,
            **({} if batch.trouble is None else {"trouble": batch.trouble}),
        }
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
