"""hashindex status."""

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of, settings_path_of
from hashindex.output.text.status import StatusJson, status_json, status_text


@command(
    "hashindex status",
    "hashindex status --json",
    lines=(StatusJson,),
)
def status(ctx: typer.Context) -> None:
    """Show what the catalogue holds, where it is, and whether hashindex watch keeps it up to date.

    Counts files by state and format, lists the folders with the time of their last scan, and shows the activity, the
    queue and the last error of hashindex watch.
    """
    session = session_of(ctx)
    status = session.index.status()
    settings = settings_path_of(ctx)
    session.show(status_json(status, settings) if session.json else status_text(status, settings), hang=11)
