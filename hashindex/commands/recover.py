"""hashindex recover."""

import typer

from hashindex.commands.command import HAD_PROBLEMS, command
from hashindex.commands.session import session_of
from hashindex.core.language import sentence
from hashindex.output.text.history import BatchJson, batch_json, recovered_text


@command(
    "hashindex recover",
    lines=(BatchJson,),
)
def recover(ctx: typer.Context) -> None:
    """Repair the history after dedupe, organize or undo was killed.

    These commands do this by themselves. Afterwards each picture is in one place, and the history matches the disk. If
    the disk cannot show what happened to a picture, because a drive is missing or a file cannot be read, the batch
    stays open, with the reason.
    """
    session = session_of(ctx)
    batches = session.index.recover()
    for batch in batches:
        session.show(batch_json(batch) if session.json else recovered_text(batch))
    if not batches:
        session.say(sentence("No batch is open."))
    if any(batch.trouble is not None for batch in batches):
        raise typer.Exit(HAD_PROBLEMS)
