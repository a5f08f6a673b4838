"""hashindex forget."""

from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.output.text.forget import ForgottenJson, forgotten_json, forgotten_text


@command(
    "hashindex forget ~/Downloads",
    "hashindex forget ~/QQ/Pic/old.gif",
    lines=(ForgottenJson,),
)
def forget(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A file or a folder; it need not exist any more.")],
) -> None:
    """Forget a file or a folder; your files stay."""
    session = session_of(ctx)
    forgotten = session.index.forget(path)
    session.sum_up(forgotten_json(forgotten), forgotten_text(forgotten))
