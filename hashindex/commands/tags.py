"""hashindex tags."""

import os
from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.core.language import sentence
from hashindex.output.text import tags as text


@command(
    "hashindex tags",
    "hashindex tags a.gif b.gif",
    "hashindex tags --json",
    lines=(text.TagJson, text.TaggedJson),
    limits=True,
)
def tags(
    ctx: typer.Context,
    pictures: Annotated[
        list[str] | None, typer.Argument(metavar="[PICTURE]...", help="Files whose tags to list. [default: all tags]")
    ] = None,
) -> None:
    """List all tags with the number of pictures that have them, or the tags of pictures."""
    session = session_of(ctx)
    if pictures:
        path_text = session.path_text()
        for picture, tags in zip(pictures, session.index.tags_of(pictures, limits=session.limits()), strict=True):
            path = os.path.abspath(os.fsencode(picture))
            session.show(text.tagged_json(path, tags) if session.json else text.picture_text(path, tags, path_text))
        return
    counts = session.index.tags()
    for count in counts:
        session.show(text.count_json(count) if session.json else text.count_text(count))
    if not counts:
        session.say(sentence("No tags yet; see hashindex tag."))
