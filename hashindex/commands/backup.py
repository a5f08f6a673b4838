"""hashindex backup."""

from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.output.text.backup import BackupJson, backup_json, backup_text


@command(
    "hashindex backup ~/catalogue-2026-11.db",
    lines=(BackupJson,),
)
def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; an existing file is never replaced.")],
) -> None:
    """Copy the catalogue into a file, even while hashindex watch or another command writes to it.

    To restore the copy: stop hashindex watch, move the catalogue and the files beside it (NAME-wal, NAME-shm) away, and
    put the copy in its place. The copy contains no pictures.
    """
    session = session_of(ctx)
    written = session.index.backup(file)
    session.sum_up(backup_json(file, written), backup_text(file, written))
