"""Groups of pictures that belong together."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypedDict

from hashindex.core.language import plural, sentence
from hashindex.core.model import File, Group, Member, State
from hashindex.core.options import Level
from hashindex.core.paths import PathLike
from hashindex.index.selection import Selection
from hashindex.output.text.common import (
    JsonPath,
    JsonRelation,
    PathText,
    PictureJson,
    in_one_line,
    json_line,
    picture_facts,
    picture_json,
    relation_json,
    relation_name,
    relation_styles,
    show_bytes,
    show_groups,
    show_message,
    show_path,
    show_pictures,
    show_text,
)
from hashindex.output.text.terminal import PLAIN, Terminal, columns_of, padded_left


class MemberJson(PictureJson):
    """A file in a group."""

    keep: bool
    """Whether it is the keeper."""
    distance: int | None
    """Bits between its hash and that of the keeper; null if either has no hash."""
    relation: JsonRelation | None
    """To the keeper; null if groups are made by a radius."""
    faults: list[str]
    """What it lacks that another member has, the worst first: "cropped", "resized", ...; only with the rule best."""


class WeakLinkJson(TypedDict):
    """Two pictures that were judged alike but are in different groups."""

    path: JsonPath
    """The picture in this group."""
    other: JsonPath
    """The picture in the other group."""
    chance: float
    """That they belong together."""


class GroupJson(TypedDict):
    """A group of pictures that belong together."""

    event: Literal["group"]
    id: int
    """Its number: all groups are counted from 1 by their lowest path."""
    level: Level
    """What makes a group."""
    hash: str
    """The hash of which distances are bits."""
    radius: int | None
    """Within which the group was found; null unless level is "radius"."""
    widest: int
    """Largest distance between two members."""
    extra_bytes: int
    """Size of the members beside the keeper."""
    why: str
    """Why the keeper was chosen: a sentence without its full stop, or ""."""
    agreed: bool
    """Whether one member is best in everything. If not, look before any is removed."""
    doubt: str | None
    """Why no member is best in everything."""
    members: list[MemberJson]
    """The keeper first, then in the order in which organize numbers them."""
    weak_links: list[WeakLinkJson]
    """Pictures of other groups that were judged alike to a member, although most pairs are not alike."""


class GroupsSummaryJson(TypedDict):
    """The groups before this line, in numbers."""

    event: Literal["summary"]
    groups: int
    """Groups before this line."""
    matching: int
    """Groups that there would be without --limit."""
    extra: int
    """Members beside the keepers."""
    extra_bytes: int
    """Size of these members."""
    members: list[MemberJson]
    """Always empty, for programs that read the members of every line."""


def group_json(group: Group) -> str:
    return json_line(
        GroupJson(
            event="group",
            id=group.id,
            level=group.level,
            hash=group.hash,
            radius=group.radius if group.level is Level.RADIUS else None,
            widest=group.widest,
            extra_bytes=group.extra_bytes,
            why=group.why,
            agreed=group.agreed,
            doubt=group.doubt,
            members=[_member_json(member, member is group.keeper) for member in group.members],
            weak_links=[
                WeakLinkJson(path=link.path, other=link.other, chance=link.chance) for link in group.weak_links
            ],
        )
    )


def _member_json(member: Member, keep: bool) -> MemberJson:
    return {
        **picture_json(member.file),
        "keep": keep,
        "distance": member.distance,
        "relation": None if member.relation is None else relation_json(member.relation),
        "faults": list(member.faults),
    }


def group_text(group: Group, show: PathText = show_path, terminal: Terminal = PLAIN) -> str:
    """A paragraph: the keeper, bold on a terminal, the other members, and why the keeper was chosen."""
    marks = [_mark(member, is_keeper=number == 0) for number, member in enumerate(group.members)]
    wide = max(8, *map(columns_of, marks))
    hang = wide + 4
    lines = [terminal.style(_title(group), "bold")]
    for mark, member in zip(marks, group.members, strict=True):
        is_keeper = member is group.keeper
        shown = terminal.style(
            padded_left(mark, wide), *(("bold", "green") if is_keeper else relation_styles(member.relation))
        )
        path = terminal.style(show(member.file.path_bytes), *(("bold",) if is_keeper else ()))
        facts = terminal.style(f"({picture_facts(member.file)})", "dim")
        lines.append(terminal.wrapped(f"  {shown}  {path}  {facts}", hang))
    if group.why:
        lines.append(f"  {show_message(group.why)}")
    if group.doubt is not None:
        lines.append("  " + sentence("look first: {doubt}", doubt=show_message(group.doubt)))
    for link in group.weak_links:
        mark = padded_left(sentence("not with"), wide)
        link_text = sentence(
            "{other}, though {path} is similar to it", other=show(link.other_bytes), path=show(link.path_bytes)
        )
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
        return relation_name(member.relation)
    return "-" if member.distance is None else plural(member.distance, "{count} bit", "{count} bits")


def groups_text(groups: Iterable[Group], show: PathText = show_path, terminal: Terminal = PLAIN) -> Iterator[str]:
    """One paragraph per group, separated by empty lines."""
    for number, group in enumerate(groups):
        yield ("\n" if number else "") + group_text(group, show, terminal)


def totals_json(shown: Sequence[Group], matching: int) -> str:
    """matching: how many groups there were before the limit."""
    return json_line(
        GroupsSummaryJson(
            event="summary",
            groups=len(shown),
            matching=matching,
            extra=_extra(shown),
            extra_bytes=_extra_bytes(shown),
            members=[],
        )
    )


def totals_text(shown: Sequence[Group], matching: int) -> str:
    """matching: how many groups there were before the limit."""
    groups = show_groups(matching)
    if len(shown) < matching:
        groups = sentence("The first {number} of {groups}", number=f"{len(shown):,}", groups=groups)
    if all(group.level is Level.COPIES for group in shown):
        extra = plural(_extra(shown), "{count} extra copy", "{count} extra copies")
    else:
        extra = plural(_extra(shown), "{count} extra picture", "{count} extra pictures")
    size = show_bytes(_extra_bytes(shown))
    return sentence("{groups}: {extra}, {size} that could be freed.", groups=groups, extra=extra, size=size)


def _extra(groups: Iterable[Group]) -> int:
    return sum(len(group.members) - 1 for group in groups)


def _extra_bytes(groups: Iterable[Group]) -> int:
    return sum(group.extra_bytes for group in groups)


def nothing_found_text(pictures: int, level: Level) -> str:
    """pictures: present ones."""
    nothing = sentence("No duplicates found among {pictures}.", pictures=show_pictures(pictures))
    return in_one_line([nothing, *_way_to_variants(level)])


def organized_note(pictures: int) -> str:
    """Explains missing groups: pictures in a destination of organize are not grouped."""
    return plural(
        pictures,
        "{count} picture is organized already and in no group (hashindex status shows where).",
        "{count} pictures are organized already and in no group (hashindex status shows where).",
    )


def none_matching_text(groups: int, selection: Selection) -> str:
    """Why none of this many groups is shown."""
    conditions = []
    if selection.pictures:
        conditions.append(sentence("one of these pictures"))
    if selection.under is not None:
        conditions.append(sentence("a picture below {folder}", folder=_shown(selection.under)))
    if selection.between is not None:
        one, other = map(_shown, selection.between)
        conditions.append(sentence("a picture below {one} and another below {other}", one=one, other=other))
    if selection.min_bytes:
        conditions.append(sentence("{size} or more beside the keeper", size=show_bytes(selection.min_bytes)))
    has = sentence(" and ").join(conditions)
    return plural(groups, "Of {count} group none has {what}.", "Of {count} groups none has {what}.", what=has)


def in_no_group_text(path: str, file: File | None, level: Level, *, is_organized: bool) -> str:
    """Why this picture is in no group. file: what the catalogue knows of it."""
    shown = show_text(path)
    if file is None:
        return sentence(
            "{path} is not in the catalogue; check its name, scan its folder, or search by it: hashindex query",
            path=shown,
        )
    if file.state is State.MISSING:
        return sentence("{path} is gone, and groups hold only files that are there.", path=shown)
    if is_organized:
        return sentence("{path} is organized already and in no group.", path=shown)
    return in_one_line([sentence("{path} is in no group.", path=shown), *_way_to_variants(level)])


def _way_to_variants(level: Level) -> Iterator[str]:
    if level is Level.COPIES:
        yield sentence("Variants: --level similar")


def _shown(path: PathLike) -> str:
    return show_path(os.fsencode(path))
