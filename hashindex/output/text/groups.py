"""Groups of pictures that belong together."""

import os
from collections.abc import Iterable, Iterator

from hashindex.core.model import Group, Member
from hashindex.core.options import Level
from hashindex.output.text.common import json_line, picture_facts, show_count, show_path


def group_json(group: Group) -> str:
    return json_line(
        {
            "id": group.id,
            "level": group.level,
            "hash": group.hash,
            "radius": group.radius,
            "widest": group.widest,
            "why": group.why,
            "agreed": group.agreed,
            **({} if group.doubt is None else {"doubt": group.doubt}),
            "members": [_member(member, member is group.keeper) for member in group.members],
            "weak_links": [
                {"path": os.fsdecode(link.path), "other": os.fsdecode(link.other), "chance": link.chance}
                for link in group.weak_links
            ],
        }
    )


def _member(member: Member, keep: bool) -> dict[str, object]:
    content = member.file.content
    return {
        "path": os.fsdecode(member.file.path),
        "keep": keep,
        "bytes": member.file.size,
        "width": content.width,
        "height": content.height,
        "frames": content.frames,
        "format": content.format,
        "distance": member.distance,
        **({} if member.relation is None else {"relation": member.relation.label}),
        **({"faults": list(member.faults)} if member.faults else {}),
    }


def group_text(group: Group) -> str:
    count = f"Group {group.id}: {len(group.members)} pictures"
    lines = [
        f"{count}, at most {show_count(group.widest, 'bit')} apart ({group.hash})"
        if group.level is Level.RADIUS
        else count
    ]
    marks = ["keep", *map(_mark, group.members[1:])]
    wide = max(8, *map(len, marks))
    for mark, member in zip(marks, group.members, strict=True):
        file = member.file
        lines.append(f"  {mark.rjust(wide)}  {show_path(file.path)}  ({picture_facts(file)})")
    if group.why:
        lines.append(f"  {group.why}")
    if group.doubt is not None:
        lines.append(f"  look first: {group.doubt}")
    for link in group.weak_links:
        lines.append(f"  {'not with':>{wide}}  {show_path(link.other)}, though {show_path(link.path)} is similar to it")
    return "\n".join(lines)


def _mark(member: Member) -> str:
    """How a member is related to the keeper."""
    if member.relation is not None:
        return member.relation.label
    return "-" if member.distance is None else show_count(member.distance, "bit")


def groups_text(groups: Iterable[Group]) -> Iterator[str]:
    """One paragraph per group, separated by empty lines."""
    for number, group in enumerate(groups):
        yield ("\n" if number else "") + group_text(group)


def nothing_found_text(pictures: int, level: Level) -> str:
    """pictures: present ones."""
    more = "" if level is not Level.COPIES else " Variants: --level similar"
    return f"No duplicates found among {show_count(pictures, 'picture')}.{more}"


def organized_note(pictures: int) -> str:
    """Explains missing groups: pictures in a destination of organize are not grouped."""
    what = show_count(pictures, "picture is", "pictures are")
    return f"{what} organized already and in no group (hashindex status shows where)."
