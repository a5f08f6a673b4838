"""hashindex same."""

import typer

from hashindex.commands.command import command
from hashindex.commands.decisions import PicturesArgument, UndoOption, decide
from hashindex.commands.session import session_of
from hashindex.output.text.decisions import DecisionSummaryJson


@command(
    "hashindex same a.gif b.gif",
    "hashindex same a.gif b.gif --undo",
    lines=(DecisionSummaryJson,),
)
def same(ctx: typer.Context, pictures: PicturesArgument, undo: UndoOption = False) -> None:
    """Mark pictures as the same: from now on they are in one group.

    Your decision overrides the judge in groups, organize and query. It belongs to the contents of the files, so it
    stays when a file is renamed or moved. If A is the same as B and B is the same as C, then A is the same as C. With
    --undo the named pictures leave their set; the other pictures of that set stay the same.
    """
    decide(session_of(ctx), pictures, undo, same=True)
