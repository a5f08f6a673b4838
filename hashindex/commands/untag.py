"""hashindex untag."""

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.session import session_of
from hashindex.commands.tag import TaggedArgument, TagsArgument
from hashindex.core.tags import tags_named
from hashindex.output.text import tags as text


@command("hashindex untag cat a.gif b.gif", lines=(text.TagSummaryJson,), limits=True)
def untag(ctx: typer.Context, tags: TagsArgument, pictures: TaggedArgument) -> None:
    """Take a tag from pictures. No rule of the settings gives it to them again."""
    session = session_of(ctx)
    named = tags_named(tags)
    count = session.index.untag(named, pictures, limits=session.limits())
    session.sum_up(text.changed_json(named, count), text.untagged_text(named, pictures, count))
    if not count:
        raise typer.Exit(NOTHING_FOUND)
