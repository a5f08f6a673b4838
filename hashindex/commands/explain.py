"""hashindex explain."""

import os
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.output.text.common import show_path
from hashindex.output.text.explain import explanation_json, explanation_text


@command(
    "hashindex explain cat.png cat.jpg",
    "hashindex explain cat.png cat-with-words.png --picture why.png",
    "hashindex explain cat.png mirrored-cat.png --mirrored --json",
    limits=True,
)
def explain(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A picture, in the catalogue or not.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    mirrored: Annotated[bool, typer.Option("--mirrored", help="Also compare a mirror image of A.")] = False,
    rotated: Annotated[
        bool, typer.Option("--rotated", help="Also compare A rotated by 90, 180 and 270 degrees.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Also draw both pictures, one over the other, and their differences."),
    ] = None,
) -> None:
    """Explain whether two pictures are identical, copies, variants or different.

    Shows the distance of each hash, how the pictures overlap, where they differ, and how certain the judge is. No
    catalogue is needed; if there is one, your decisions count. For a file that is gone, the data in the catalogue is
    used.
    """
    # Imported late: Pillow would slow the start of every other command.
    from hashindex.output.explain_picture import check_picture, write_picture

    session = session_of(ctx)
    limits = session.limits()
    if picture is not None:
        check_picture(picture)
    found = session.index.explain(a, b, mirrored=mirrored, rotated=rotated, limits=limits)
    session.show(explanation_json(found) if session.json else explanation_text(found))
    if picture is not None:
        write_picture(found, picture)
        session.say(f"Wrote {show_path(os.fsencode(picture))}.")
