"""hashindex query."""

import os
import sys
from typing import Annotated, Any

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.options import HashOption, MirroredOption, RadiusOption, RotatedOption
from hashindex.commands.session import session_of
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.options import DEFAULT_HASH
from hashindex.output.text.query import HitJson, answer_notes, hit_json, hit_text, nothing_found_text


@command(
    "hashindex query ~/Desktop/cat.jpg",
    "hashindex query ~/Desktop/cat.jpg --radius 16 --limit 50 --json",
    "curl -s https://example.org/cat.gif | hashindex query -",
    lines=(HitJson,),
    limits=True,
)
def query(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="A picture, in the catalogue or not; - reads standard input.")
    ],
    hash: HashOption = None,
    radius: RadiusOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Most files to show; 0 shows all.")] = 10,
    mirrored: MirroredOption = False,
    rotated: RotatedOption = False,
    family: Annotated[
        bool,
        typer.Option("--family", help="Also show thumbnails and unfinished downloads of pictures that are present."),
    ] = False,
) -> None:
    """Find files that look like a picture, the most similar first.

    Each is identical, a copy, a variant, or different with a near hash. Files that are gone are shown too. The picture
    itself is not.
    """
    session = session_of(ctx)
    hash_name = hash or session.settings.hash or DEFAULT_HASH
    limits = session.limits()
    if image != "-" and not os.path.lexists(image) and not os.path.splitext(image)[1] and os.sep not in image:
        raise UsageError(
            Message(
                "{path}: there is no such file. hashindex query searches by a picture; to search by words, run: "
                "hashindex find {path}",
                path=image,
            )
        )
    source: dict[str, Any] = {"data": sys.stdin.buffer.read(limits.bytes + 1)} if image == "-" else {"image": image}
    answer = session.index.query(
        **source,
        hash=hash_name,
        radius=radius,
        limit=limit or None,
        limits=limits,
        mirrored=mirrored,
        rotated=rotated,
        family=family,
    )
    path_text = session.path_text()
    for hit in answer.hits:
        text = hit_json(hit) if session.json else hit_text(hit, hash_name, path_text, session.out)
        session.show(text, hang=25)
    for note in answer_notes(answer):
        session.say(note)
    if not answer.hits:
        if not session.quiet:
            session.say(nothing_found_text(session.index.status().present))
        raise typer.Exit(NOTHING_FOUND)
