"""hashindex caches."""

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.session import session_of
from hashindex.core.language import sentence
from hashindex.output.text.caches import CacheJson, cache_json, caches_text


@command(
    "hashindex caches",
    "hashindex caches --json | jq -r '.pictures[]'",
    lines=(CacheJson,),
)
def caches(ctx: typer.Context) -> None:
    """Show where chat clients keep pictures on this computer, about how many, and what cannot be read.

    Finds QQ NT, old QQ and TIM, WeChat, Discord and Telegram by the layout of their folders. Changes nothing and scans
    nothing; to scan the folders: `hashindex scan --client NAME`.
    """
    session = session_of(ctx)
    caches = session.index.caches()
    for text in map(cache_json, caches) if session.json else caches_text(caches):
        session.show(text)
    if not caches:
        session.say(
            sentence("No picture folders of chat clients were found in the usual places; docs/clients.md lists these.")
        )
        raise typer.Exit(NOTHING_FOUND)
