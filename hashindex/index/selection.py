"""Which groups to show, in which order, and how many. No SQL; only links in the paths of a Selection are looked up."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hashindex.core.arguments import Options, at_least
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import Group
from hashindex.core.options import Sort
from hashindex.core.paths import PathLike, Paths, paths_bytes
from hashindex.disk import files


@dataclass(frozen=True, slots=True, repr=False)
class Selection(Options):
    """Which groups to show: those that meet all of these conditions.

    under: a member is below this folder. between: one member is below the first folder, and another member is below the
    second. min_bytes: the members other than the keeper have this many bytes or more together. pictures: a member is
    this file or one of these files.

    sort: "space" (most bytes beside the keepers first), "members" (most members first) or "path" (lowest path first);
    ties by lowest path. limit: most groups to show, the first ones; None for all.

    A folder or file need not exist. Links in paths are resolved when the value is created. UsageError for values that
    are unknown or out of range.
    """

    under: PathLike | None = None
    between: tuple[PathLike, PathLike] | None = None
    min_bytes: int = 0
    pictures: Paths = ()
    sort: Sort = Sort.SPACE
    limit: int | None = None

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(0, min_bytes=self.min_bytes)
        at_least(1, limit=self.limit)
        if self.under is not None:
            self._set("under", files.real_path(self.under))
        if self.between is not None:
            if len(self.between) != 2:
                raise UsageError(Message("between takes two folders, not {between!r}.", between=self.between))
            self._set("between", tuple(map(files.real_path, self.between)))
        self._set("pictures", paths_bytes(self.pictures))

    @property
    def pictures_bytes(self) -> tuple[bytes, ...]:
        return paths_bytes(self.pictures)


def selected(groups: Iterable[Group], selection: Selection) -> list[Group]:
    """The groups to show, in the order to show them."""
    return matching(groups, selection)[: selection.limit]


def matching(groups: Iterable[Group], selection: Selection) -> list[Group]:
    """As selected, but without the limit. O(members)."""
    return sorted(filter(condition_of(selection), groups), key=_ORDERS[selection.sort])


def condition_of(selection: Selection) -> Callable[[Group], bool]:
    """Whether a group meets all conditions of a selection, as a function."""
    conditions = list(_conditions(selection))
    return lambda group: all(condition(group) for condition in conditions)


def in_no_group(pictures: Iterable[PathLike], groups: Iterable[Group]) -> list[PathLike]:
    """Those of these pictures that are in none of these groups."""
    grouped = {member.file.path_bytes for group in groups for member in group.members}
    return [picture for picture in pictures if grouped.isdisjoint(paths_of(picture))]


def paths_of(picture: PathLike) -> tuple[bytes, ...]:
    """The paths that a file may have in the catalogue: a scan records a link as a link, or the target of the link."""
    return tuple(dict.fromkeys((files.absolute(picture), files.real_path(picture))))


def _conditions(selection: Selection) -> Iterator[Callable[[Group], bool]]:
    # The cheapest first.
    if selection.min_bytes:
        yield lambda group: group.extra_bytes >= selection.min_bytes
    if selection.pictures:
        wanted = {path for picture in selection.pictures_bytes for path in paths_of(picture)}
        yield lambda group: not wanted.isdisjoint(member.file.path_bytes for member in group.members)
    if selection.under is not None:
        under = os.fsencode(selection.under)
        yield lambda group: any(files.is_within(member.file.path_bytes, under) for member in group.members)
    if selection.between is not None:
        one, other = map(os.fsencode, selection.between)
        yield lambda group: _is_between(group, one, other)


def _is_between(group: Group, one: bytes, other: bytes) -> bool:
    """Whether two different members are below these folders, one each; the folders may contain each other."""
    below = [_paths_below(group, folder) for folder in (one, other)]
    return all(below) and len(set.union(*below)) > 1


def _paths_below(group: Group, folder: bytes) -> set[bytes]:
    return {member.file.path_bytes for member in group.members if files.is_within(member.file.path_bytes, folder)}


# Numbers of groups ascend with their lowest paths.
_ORDERS: Mapping[Sort, Callable[[Group], tuple[int, int]]] = {
    Sort.SPACE: lambda group: (-group.extra_bytes, group.id),
    Sort.MEMBERS: lambda group: (-len(group.members), group.id),
    Sort.PATH: lambda group: (0, group.id),
}
