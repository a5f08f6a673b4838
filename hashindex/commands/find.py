"""hashindex find."""

from typing import Annotated

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.session import session_of
from hashindex.output import progress
from hashindex.output.text import find as text


@command(
    "hashindex find 收到请回复",
    "hashindex find good morning --limit 5",
    "hashindex find cat --under ~/Stickers --copies",
    "hashindex find cat --json | jq -r .path",
    lines=(text.FoundJson,),
)
def find(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Words of the picture, or parts of words.")],
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Most pictures to show; 0 shows all.")] = 20,
    under: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Only pictures with a file below this folder.")
    ] = None,
    copies: Annotated[bool, typer.Option("--copies", help="Also show the copies of each picture, below it.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the first picture with your viewer.")] = False,
) -> None:
    """Find pictures by words: the text in them, their tags and their file names, the best first.

    All words must match; if no picture has all of them, those with some are shown. Width, case, punctuation, and
    traditional or simplified Chinese do not count. One wrong letter is forgiven in words of five letters or four
    Chinese characters and more. Each picture is shown once, however many copies there are.
    """
    session = session_of(ctx)
    with progress.counted(session.progress, progress.INDEXING) as on_indexed:
        found = session.index.find(" ".join(words), limit=limit or None, under=under, on_indexed=on_indexed)
    path_text = session.path_text()
    for picture in found:
        shown = text.found_text(picture, path_text, session.out, copies=copies)
        session.show(text.found_json(picture) if session.json else shown, hang=4)
    if not found:
        for note in text.nothing_found_notes(session.index.word_counts()):
            session.say(note)
        raise typer.Exit(NOTHING_FOUND)
    if not any(picture.is_exact for picture in found):
        session.say(text.nearest_text())
    if open_:
        # Imported late: formats of pictures, which few calls need.
        from hashindex.commands.viewer import open_picture

        open_picture(found[0].file.path_bytes)
