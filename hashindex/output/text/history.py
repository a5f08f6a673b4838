"""Batches of the journal: what history and recover print."""

import os

from hashindex.core.dates import iso, local_minute
from hashindex.core.organizing import Action, Batch, BatchCommand, BatchState
from hashindex.output.text.common import json_line, show_path, show_text

_WIDEST_ACTION = max(map(len, Action))


def batch_json(batch: Batch) -> str:
    return json_line(
        {
            "batch": batch.id,
            "command": batch.command,
            "dest": os.fsdecode(batch.dest) or None,
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
    placed = "placed" if batch.command is BatchCommand.ORGANIZE else "done"
    counts = {placed: batch.done, "skipped": batch.skipped, "taken back": batch.undone, "kept": batch.kept}
    shown = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number) or f"nothing {placed}"
    when = local_minute(batch.started_ns)
    was_interrupted = batch.state is BatchState.APPLIED and batch.unreached > 0
    state = "interrupted" if was_interrupted else batch.state
    dest = show_path(batch.dest) or "trash"
    how = batch.action if batch.command is BatchCommand.ORGANIZE else batch.command
    return f"{batch.id:4}  {when}  {how:<{_WIDEST_ACTION}}  {dest}  {shown} ({state})"


def recovered_text(batch: Batch) -> str:
    if batch.trouble is not None:
        return f"Batch {batch.id} was interrupted and stays open: {show_text(batch.trouble)}."
    return f"Repaired batch {batch.id}, which was interrupted: {batch_text(batch).strip()}"
