"""hashindex explain."""

from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.session import session_of
from hashindex.core.model import Relation
from hashindex.output.text.common import wrote_text
from hashindex.output.text.explain import ExplanationJson, explanation_json, explanation_text


@command(
    "hashindex explain cat.png cat.jpg",
    "hashindex explain cat.png cat-with-words.png --picture why.png",
    "hashindex explain cat.png mirrored-cat.png --mirrored --json",
    "hashindex explain -q --exit-code cat.png cat.jpg && echo the same picture",
    lines=(ExplanationJson,),
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
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Also show where they differ, as a map; with --json as grids of numbers.")
    ] = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="Exit code 0 if they are identical or copies, 1 if not. With -q, print nothing else."
        ),
    ] = False,
) -> None:
    """Explain whether two pictures are identical, copies, variants or different.

    Shows the verdict and its reason, the distance of each hash, and how certain the judge is; -v adds how the pictures
    overlap, where they differ, and every feature. No catalogue is needed; if there is one, your decisions count. For a
    file that is gone, the data in the catalogue is used.
    """
    # Imported late: Pillow would slow the start of every other command.
    from hashindex.output.explain_picture import check_picture, write_picture

    session = session_of(ctx)
    limits = session.limits()
    if picture is not None:
        check_picture(picture)
    found = session.index.explain(a, b, mirrored=mirrored, rotated=rotated, limits=limits)
    if session.json:
        print(explanation_json(found, blocks=blocks))
    elif not (session.quiet and exit_code):
        session.show(explanation_text(found, verbose=session.verbose, blocks=blocks, terminal=session.out), hang=9)
    if picture is not None:
        write_picture(found, picture)
        session.say(wrote_text(picture))
    if exit_code and found.relation not in (Relation.IDENTICAL, Relation.COPY):
        raise typer.Exit(NOTHING_FOUND)
