"""Groups of pictures that belong together."""

import os
from collections.abc import Iterable, Iterator, Sequence

from hashindex.core.model import File, Group, Member, State
from hashindex.core.options import Level
from hashindex.index.selection import Selection
from hashindex.output.text.common import (
    PathText,
    json_line,
    picture_facts,
    plural,
    relation_styles,
    sentence,
    show_bytes,
    show_count,
    show_path,
    show_text,
)
from hashindex.output.text.terminal import PLAIN, Terminal


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


def group_text(group: Group, show: PathText = show_path, terminal: Terminal = PLAIN) -> str:
    """A paragraph: the keeper, bold on a terminal, the other members, and why the keeper was chosen."""
    marks = [_mark(member, is_keeper=number == 0) for number, member in enumerate(group.members)]
    wide = max(8, *map(len, marks))
    hang = wide + 4
    lines = [terminal.style(_title(group), "bold")]
    for mark, member in zip(marks, group.members, strict=True):
        is_keeper = member is group.keeper
        shown = terminal.style(
            mark.rjust(wide), *(("bold", "green") if is_keeper else relation_styles(member.relation))
        )
        path = terminal.style(show(member.file.path), *(("bold",) if is_keeper else ()))
        facts = terminal.style(f"({picture_facts(member.file)})", "dim")
        lines.append(terminal.wrapped(f"  {shown}  {path}  {facts}", hang))
    if group.why:
        lines.append(f"  {group.why}")
    if group.doubt is not None:
        lines.append(sentence("  look first: {doubt}", doubt=group.doubt))
    for link in group.weak_links:
        mark = sentence("not with").rjust(wide)
        link_text = sentence("{other}, though {path} is similar to it", other=show(link.other), path=show(link.path))
        lines.append(terminal.wrapped(f"  {mark}  {link_text}", hang))
    return terminal.wrapped("\n".join(lines))


def _title(group: Group) -> str:
    if group.level is not Level.RADIUS:
        return plural(len(group.members), "Group {id}: {count} picture", "Group {id}: {count} pictures", id=group.id)
    return plural(
        group.widest,
        "Group {id}: {pictures} pictures, at most {count} bit apart ({hash})",
        "Group {id}: {pictures} pictures, at most {count} bits apart ({hash})",
        id=group.id,
        pictures=f"{len(group.members):,}",
        hash=group.hash,
    )


def _mark(member: Member, *, is_keeper: bool) -> str:
    """What a member is: the keeper, or how it is related to it."""
    if is_keeper:
        return sentence("keep")
    if member.relation is not None:
        return member.relation.label
    return "-" if member.distance is None else plural(member.distance, "{count} bit", "{count} bits")


def groups_text(groups: Iterable[Group], show: PathText = show_path, terminal: Terminal = PLAIN) -> Iterator[str]:
    """One paragraph per group, separated by empty lines."""
    for number, group in enumerate(groups):
        yield ("\n" if number else "") + group_text(group, show, terminal)


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
