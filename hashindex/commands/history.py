"""hashindex history."""

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.core.language import sentence
from hashindex.output.text.history import BatchJson, batch_json, batch_text


@command(
    "hashindex history",
    "hashindex history --json",
    lines=(BatchJson,),
)
def history(ctx: typer.Context) -> None:
    """List every dedupe --apply and organize --apply, oldest first: time, folder, number of files, state."""
    session = session_of(ctx)
    batches = session.index.history()
    for batch in batches:
        session.show(batch_json(batch) if session.json else batch_text(batch), hang=24)
    if not batches:
        session.say(sentence("Nothing has been removed or organized yet."))
