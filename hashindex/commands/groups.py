"""hashindex groups."""

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
)
from hashindex.commands.session import session_of
from hashindex.output import progress
from hashindex.output.text.groups import group_json, groups_text, nothing_found_text, organized_note


@command(
    "hashindex groups                       # copies of one picture",
    "hashindex groups --level similar       # also other captions, colours, crops",
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
    """Show groups of duplicate pictures, one paragraph per group, the keeper first.

    The level copies finds the same picture saved again, resized, or slightly recoloured, cropped or bordered. The level
    similar also finds variants: another caption or colour, something drawn in, a larger crop, a still of an animation.
    With --hash, --radius or --passes only the distance of the hashes decides. A picture with hardly any detail is
    grouped only with pictures of equal pixels. Your decisions (hashindex same, hashindex separate) override all this.
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
    with progress.comparing(session.quiet, color=session.err.has_color) as on_progress:
        groups = session.index.groups(grouping, on_progress=on_progress)
    for text in map(group_json, groups) if session.json else groups_text(groups, session.path_text(), session.out):
        session.show(text)
    if not groups:
        if not session.quiet:
            status = session.index.status()
            session.say(nothing_found_text(status.present, grouping.at_level))
            organized = sum(pictures for _, pictures in status.destinations)
            if organized:
                session.say(organized_note(organized))
        raise typer.Exit(NOTHING_FOUND)
