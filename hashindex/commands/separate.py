"""hashindex separate."""

import typer

from hashindex.commands.command import command
from hashindex.commands.decisions import PicturesArgument, UndoOption, decide
from hashindex.commands.session import session_of
from hashindex.output.text.decisions import DecisionSummaryJson


@command(
    "hashindex separate cat1.gif cat2.gif",
    "hashindex separate cat1.gif cat2.gif --undo",
    lines=(DecisionSummaryJson,),
)
def separate(ctx: typer.Context, pictures: PicturesArgument, undo: UndoOption = False) -> None:
    """Mark pictures as separate: from now on no two of them are in one group.

    At most 100 pictures at a time. Your decision overrides the judge in groups, organize and query. It belongs to the
    contents of the files, so it stays when a file is renamed or moved.
    """
    decide(session_of(ctx), pictures, undo, same=False)
