"""hashindex review."""

from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.options import KeepOption, LevelOption, WorkersOption, grouping_of, selection_of
from hashindex.commands.session import session_of
from hashindex.core.language import is_english, sentence
from hashindex.output.text.history import recovered_text


@command(
    "hashindex review",
    "hashindex review ~/Pictures --sort members",
    "hashindex review --no-browser --port 8765",
    selection=True,
    limits=True,
)
def review(
    ctx: typer.Context,
    folder: Annotated[
        list[str] | None,
        typer.Argument(metavar="FOLDER", help="Only groups with a picture below one of these. [default: all]"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=65535, help="The port of the server. [default: a free one]")
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address of the page, and do not open it.")
    ] = False,
    level: LevelOption = None,
    keep: KeepOption = None,
    workers: WorkersOption = None,
) -> None:
    """Go through the groups in the browser: compare, decide, remove copies and undo.

    The page is served on this computer only, to the browser that opens its secret address. Decisions are kept at once.
    Removing copies moves them to the trash, as hashindex dedupe does. It ends when the page is closed, or by Ctrl-C.
    """
    # Imported late: --help needs no server.
    import webbrowser

    from hashindex.output.page import bundle
    from hashindex.review.server import ReviewServer

    session = session_of(ctx)
    if any(batch.is_open for batch in session.index.history()):
        for batch in session.index.recover():
            session.say(recovered_text(batch))
    server = ReviewServer(
        session.index,
        grouping_of(session, level=level, keep=keep, workers=workers),
        bundle,
        port=port or 0,
        folders=folder or (),
        selection=selection_of(session),
        lang="en" if is_english() else "zh",
    )

    def on_ready(address: str) -> None:
        session.show(address)
        session.say(sentence("The address is good for one visit. Close the page or press Ctrl-C to end."))
        if not no_browser:
            webbrowser.open(address)

    try:
        server.run(on_ready)
    except KeyboardInterrupt:
        # The usual way to end it.
        return
