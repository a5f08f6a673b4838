"""What `hashindex` without a command shows: the state of the catalogue, and what to do next."""

import typer

from hashindex.commands.session import session_of, settings_path_of
from hashindex.core.errors import CatalogueMissing
from hashindex.core.model import Status
from hashindex.output.text.first_steps import first_steps_text
from hashindex.output.text.status import FIELD, status_json, status_text


def show_first_steps(ctx: typer.Context) -> None:
    """Prints one screen; with --json the status. Raises CatalogueMissing only with --json."""
    session = session_of(ctx)
    status: Status | None = None
    try:
        status = session.index.status()
    except CatalogueMissing:
        if session.json:
            raise
    settings = settings_path_of(ctx)
    if session.json and status is not None:
        session.show(status_json(status, settings))
        return
    if status is not None:
        session.show(f"{status_text(status, settings, session.out)}\n", hang=FIELD)
    session.show(first_steps_text(has_pictures=status is not None and status.present > 0), hang=4)
