"""Groups of pictures that belong together."""

import os
from collections.abc import Iterable, Iterator, Sequence

from hashindex.core.model import File, Group, Member, State
from hashindex.core.options import Level
from hashindex.index.selection import Selection
from hashindex.output.text.common import json_line, picture_facts, show_bytes, show_count, show_path, show_text


def group_json(group: Group) -> str:
    return json_line(
        {
            "id": group.id,
            "level": group.level,
            "hash": group.hash,
            "radius": group.radius,
            "widest": group.widest,
            "extra_bytes": group.extra_bytes,
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


def totals_json(shown: Sequence[Group], matching: int) -> str:
    """matching: how many groups there were before the limit.

    Has members like the line of a group, but none, for programs that read the members of every line.
    """
    totals = {"groups": len(shown), "matching": matching, "extra": _extra(shown), "extra_bytes": _extra_bytes(shown)}
    return json_line({"event": "summary", **totals, "members": []})


def totals_text(shown: Sequence[Group], matching: int) -> str:
    """matching: how many groups there were before the limit."""
    groups = show_count(matching, "group")
    if len(shown) < matching:
        groups = f"The first {len(shown):,} of {groups}"
    are_copies = all(group.level is Level.COPIES for group in shown)
    extra = show_count(_extra(shown), *(("extra copy", "extra copies") if are_copies else ("extra picture",)))
    return f"{groups}: {extra}, {show_bytes(_extra_bytes(shown))} that could be freed."


def _extra(groups: Iterable[Group]) -> int:
    return sum(len(group.members) - 1 for group in groups)


def _extra_bytes(groups: Iterable[Group]) -> int:
    return sum(group.extra_bytes for group in groups)


def nothing_found_text(pictures: int, level: Level) -> str:
    """pictures: present ones."""
    more = "" if level is not Level.COPIES else " Variants: --level similar"
    return f"No duplicates found among {show_count(pictures, 'picture')}.{more}"


def organized_note(pictures: int) -> str:
    """Explains missing groups: pictures in a destination of organize are not grouped."""
    what = show_count(pictures, "picture is", "pictures are")
    return f"{what} organized already and in no group (hashindex status shows where)."


def none_matching_text(groups: int, selection: Selection) -> str:
    """Why none of this many groups is shown."""
    conditions = []
    if selection.pictures:
        conditions.append("one of these pictures")
    if selection.under is not None:
        conditions.append(f"a picture below {_shown(selection.under)}")
    if selection.between is not None:
        one, other = map(_shown, selection.between)
        conditions.append(f"a picture below {one} and another below {other}")
    if selection.min_bytes:
        conditions.append(f"{show_bytes(selection.min_bytes)} or more beside the keeper")
    return f"Of {show_count(groups, 'group')} none has {' and '.join(conditions)}."


def in_no_group_text(path: str, file: File | None, level: Level, *, is_organized: bool) -> str:
    """Why this picture is in no group. file: what the catalogue knows of it."""
    shown = show_text(path)
    if file is None:
        return f"{shown} is not in the catalogue; check its name, scan its folder, or search by it: hashindex query"
    if file.state is State.MISSING:
        return f"{shown} is gone, and groups hold only files that are there."
    if is_organized:
        return f"{shown} is organized already and in no group."
    more = "" if level is not Level.COPIES else " Variants: --level similar"
    return f"{shown} is in no group.{more}"


def _shown(path: str | bytes | os.PathLike[str]) -> str:
    return show_path(os.fsencode(path))
