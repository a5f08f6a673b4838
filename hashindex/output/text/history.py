"""Batches of the journal: what history and recover print."""

import os

from hashindex.core.dates import iso, local_minute
from hashindex.core.organizing import Action, Batch, BatchState
from hashindex.output.text.common import json_line, show_path, show_text

_WIDEST_ACTION = max(map(len, Action))


def batch_json(batch: Batch) -> str:
    return json_line(
        {
            "batch": batch.id,
            "dest": os.fsdecode(batch.dest),
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
    counts = {"placed": batch.done, "skipped": batch.skipped, "taken back": batch.undone, "kept": batch.kept}
    shown = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number) or "nothing placed"
    when = local_minute(batch.started_ns)
    was_interrupted = batch.state is BatchState.APPLIED and batch.unreached > 0
    state = "interrupted" if was_interrupted else batch.state
    return f"{batch.id:4}  {when}  {batch.action:<{_WIDEST_ACTION}}  {show_path(batch.dest)}  {shown} ({state})"


def recovered_text(batch: Batch) -> str:
    if batch.trouble is not None:
        return f"Batch {batch.id} was interrupted and stays open: {show_text(batch.trouble)}."
    return f"Repaired batch {batch.id}, which was interrupted: {batch_text(batch).strip()}"
