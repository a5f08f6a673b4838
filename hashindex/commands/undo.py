"""hashindex undo."""

from typing import Annotated

import typer

from hashindex.commands.batch import deferred_interrupt, end_batch, show_refusals
from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.output import progress
from hashindex.output.text.organize import RefusedJson, UndoSummaryJson, undone_json, undone_text


@command(
    "hashindex undo",
    "hashindex undo 3",
    lines=(RefusedJson, UndoSummaryJson),
)
def undo(
    ctx: typer.Context,
    batch: Annotated[
        int | None,
        typer.Argument(metavar="BATCH", help="The number of a batch in hashindex history. [default: the last]"),
    ] = None,
) -> None:
    """Reverse a dedupe --apply or organize --apply, last file first.

    Files that have changed since are kept and listed; all others are put back. A copy is kept if its original is gone.
    """
    session = session_of(ctx)
    shown = progress.counted(session.progress, progress.PUTTING_BACK)
    with deferred_interrupt() as stop, shown as on_progress:
        outcome = session.index.undo(batch, stop=stop, on_progress=on_progress)
    show_refusals(session, outcome)
    session.sum_up(undone_json(outcome), undone_text(outcome))
    end_batch(session, outcome)
