"""hashindex tag, and what untag shares with it."""

from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.core.tags import tags_named
from hashindex.output.text import tags as text

TagsArgument = Annotated[str, typer.Argument(metavar="TAG,...", help="A tag, or several with commas between.")]
TaggedArgument = Annotated[list[str], typer.Argument(metavar="PICTURE...", help="One file or more.")]


@command("hashindex tag cat a.gif b.gif", "hashindex tag 猫,funny a.gif", lines=(text.TagSummaryJson,), limits=True)
def tag(ctx: typer.Context, tags: TagsArgument, pictures: TaggedArgument) -> None:
    """Give pictures a tag: hashindex find finds them by it.

    A tag belongs to the contents of the files, so it stays when a file is renamed, moved or organized. If dedupe
    removes a copy, the picture that is kept inherits its tags. Nothing is written into the files. The setting tags has
    rules that give tags by folder or by words with each scan.
    """
    session = session_of(ctx)
    named = tags_named(tags)
    count = session.index.tag(named, pictures, limits=session.limits())
    session.sum_up(text.changed_json(named, count), text.tagged_text(named, pictures, count))
