"""The commands that find pictures which belong together: groups, query, report."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.options import (
    EngineOption,
    HashOption,
    KeepOption,
    LevelOption,
    MirroredOption,
    PassesOption,
    RadiusOption,
    RotatedOption,
    WorkersOption,
    grouping_of,
    session_of,
)
from hashindex.core.errors import UsageError
from hashindex.index.grouping import DEFAULT_HASH
from hashindex.output import progress, render


@command(
    "hashindex groups                       # copies of one picture",
    "hashindex groups --level similar       # and other captions, colours, crops",
    "hashindex groups --mirrored --rotated --json > groups.jsonl",
    "hashindex groups --hash dhash --radius 2",
    limits=True,
)
def groups(
    ctx: typer.Context,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
    mirrored: MirroredOption = False,
    rotated: RotatedOption = False,
    workers: WorkersOption = None,
) -> None:
    """Show pictures that belong together, a paragraph a group, the keeper first.

    copies are one picture to a person: saved again, resized, recoloured a little, cropped or bordered a little. similar
    adds variants: other words, another colour, something drawn in, a larger crop, a still of an animation. With --hash,
    --radius or --passes pictures go together by the distance of their hashes alone, whatever they show. A picture with
    hardly any detail is grouped only with equal pixels. What hashindex same and separate said goes before everything.
    """
    session = session_of(ctx)
    grouping = grouping_of(
        session,
        level=level,
        hash=hash,
        radius=radius,
        passes=passes,
        keep=keep,
        engine=engine,
        mirrored=mirrored,
        rotated=rotated,
        workers=workers,
    )
    with progress.comparing(session.quiet) as on_progress:
        groups = session.index.groups(grouping, on_progress=on_progress)
    for text in map(render.group_json, groups) if session.json else render.groups_text(groups):
        print(text)
    if not groups:
        session.say("No two pictures belong together.")
        if not session.quiet:
            organized = sum(pictures for _, pictures in session.index.status().destinations)
            if organized:
                session.say(render.organized_note(organized))
        raise typer.Exit(NOTHING_FOUND)


@command(
    "hashindex query ~/Desktop/cat.jpg",
    "hashindex query ~/Desktop/cat.jpg --radius 16 --limit 50 --json",
    "curl -s https://example.org/cat.gif | hashindex query -",
    limits=True,
)
def query(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="A picture, in the catalogue or not; - is standard input.")
    ],
    hash: HashOption = None,
    radius: RadiusOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Most files to show; 0 shows all.")] = 10,
    mirrored: MirroredOption = False,
    rotated: RotatedOption = False,
    family: Annotated[
        bool, typer.Option("--family", help="Also thumbnails and unfinished downloads of pictures that are there.")
    ] = False,
) -> None:
    """Find the files that look like a picture, the most alike first, and say what each is to it.

    identical, a copy of the same picture, a variant of it, or different, though its hash is near. Also files that are
    gone by now. The asked file itself is not shown.
    """
    session = session_of(ctx)
    name = hash or session.settings.hash or DEFAULT_HASH
    limits = session.limits()
    if image != "-" and not os.path.lexists(image) and not os.path.splitext(image)[1] and os.sep not in image:
        raise UsageError(
            f"{image}: there is no such file. query looks for pictures by a picture, not by words; name a picture."
        )
    given: dict[str, Any] = {"data": sys.stdin.buffer.read(limits.bytes + 1)} if image == "-" else {"image": image}
    answer = session.index.query(
        **given,
        hash=name,
        radius=radius,
        limit=limit or None,
        limits=limits,
        mirrored=mirrored,
        rotated=rotated,
        family=family,
    )
    for hit in answer.hits:
        print(render.hit_json(hit) if session.json else render.hit_text(hit, name))
    for note in render.answer_notes(answer):
        session.say(note)
    if not answer.hits:
        session.say("Nothing in the catalogue looks like it.")
        raise typer.Exit(NOTHING_FOUND)


@command(
    "hashindex report report.html",
    "hashindex report ~/report.html --contact-sheet ~/sheet.png --hash dhash --radius 2",
    limits=True,
)
def report(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The page to write, as report.html.")],
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", metavar="PNG", help="Also draw the groups into one picture.")
    ] = None,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
) -> None:
    """Write the groups as one page to look at, with thumbnails.

    It opens from disk, needs no network, and speaks English or Chinese. An earlier report is replaced; any other file
    of that name is left alone.
    """
    session = session_of(ctx)
    grouping = grouping_of(
        session, level=level, hash=hash, radius=radius, passes=passes, keep=keep, engine=engine, workers=workers
    )
    with progress.comparing_then_counted(session.quiet, "thumbnails") as (on_progress, on_thumbnail):
        written = session.index.report(
            file,
            contact_sheet=sheet,
            grouping=grouping,
            on_progress=on_progress,
            on_thumbnail=on_thumbnail,
        )
    for summary in written:
        session.sum_up(render.report_json(summary), render.report_text(summary))
