"""hashindex groups."""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.options import MirroredOption, RotatedOption, grouping_of, selection_of
from hashindex.commands.session import Session, session_of
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import Group
from hashindex.core.options import Level
from hashindex.disk import files
from hashindex.index.selection import Selection, in_no_group, matching
from hashindex.output import progress
from hashindex.output.text import groups as text


@command(
    "hashindex groups                       # copies of one picture, most space first",
    "hashindex groups --level similar       # also other captions, colours, crops",
    "hashindex groups cat.gif               # only the group of this picture",
    "hashindex groups --between ~/new ~/main --limit 20",
    "hashindex groups --mirrored --rotated --json > groups.jsonl",
    "hashindex groups --hash dhash --radius 2",
    lines=(text.GroupJson, text.GroupsSummaryJson),
    selection=True,
    grouping=True,
    limits=True,
)
def groups(
    ctx: typer.Context,
    pictures: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Show only the groups of these pictures.")
    ] = None,
    mirrored: MirroredOption = False,
    rotated: RotatedOption = False,
) -> None:
    """Show groups of duplicate pictures, one paragraph per group, the keeper first.

    The level copies finds the same picture saved again, resized, or slightly recoloured, cropped or bordered. The level
    similar also finds variants: another caption or colour, something drawn in, a larger crop, a still of an animation.
    With --hash, --radius or --passes only the distance of the hashes decides. A picture with hardly any detail is
    grouped only with pictures of equal pixels. Your decisions (hashindex same, hashindex separate) override all this.

    Groups are numbered by their lowest path, as organize numbers copies in a new folder. The last line counts the
    groups that are shown, the pictures in them beside the keepers, and the bytes of those pictures.
    """
    session = session_of(ctx)
    grouping = grouping_of(session, mirrored=mirrored, rotated=rotated)
    selection = selection_of(session, _checked(pictures or ()))
    with progress.comparing(session.progress) as on_progress:
        found = session.index.groups(grouping, on_progress=on_progress)
    fitting = matching(found, selection)
    shown = fitting[: selection.limit]
    lines = map(text.group_json, shown) if session.json else text.groups_text(shown, session.path_text(), session.out)
    for line in lines:
        session.show(line)
    if shown or session.json:
        session.sum_up(text.totals_json(shown, len(fitting)), f"\n{text.totals_text(shown, len(fitting))}")
    if not session.quiet:
        _say_what_is_missing(session, found, shown, selection, grouping.at_level)
    if not shown:
        raise typer.Exit(NOTHING_FOUND)


def _checked(pictures: Sequence[str]) -> Sequence[str]:
    """The pictures; UsageError if one is a folder."""
    for picture in pictures:
        if os.path.isdir(os.path.expanduser(picture)):
            raise UsageError(
                Message("{path} is a folder; for the groups with a picture below it: --under {path}", path=picture)
            )
    return pictures


def _say_what_is_missing(
    session: Session, found: Sequence[Group], shown: Sequence[Group], selection: Selection, level: Level
) -> None:
    """Says why a picture is in no group, or why no group is shown."""
    ungrouped = in_no_group(selection.pictures_bytes, found)
    if shown and not ungrouped:
        return
    status = session.index.status()
    for picture in map(os.fsdecode, ungrouped):
        file = session.index.file(picture)
        is_organized = file is not None and any(
            files.is_within(file.path_bytes, each.path_bytes) for each in status.destinations
        )
        session.say(text.in_no_group_text(picture, file, level, is_organized=is_organized))
    if shown or (ungrouped and len(ungrouped) == len(selection.pictures_bytes)):
        return
    if found:
        session.say(text.none_matching_text(len(found), selection))
        return
    session.say(text.nothing_found_text(status.present, level))
    organized = sum(each.pictures for each in status.destinations)
    if organized:
        session.say(text.organized_note(organized))
