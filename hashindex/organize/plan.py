"""(sets of alike files, what was placed, names taken) -> which file goes where under which number.

Pure: a plan is data; printing it and carrying it out are interpreters of it. Collisions are solved here.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hashindex.clients.layouts import owner_of
from hashindex.core.messages import Placed
from hashindex.core.model import File
from hashindex.core.organizing import Action, Plan, Step
from hashindex.pictures.formats import FORMATS, may_be_masked

DIGITS = 5
"""00012.gif, as the notebook named them; more pictures than that get more digits."""
_NUMBERED = re.compile(rb"(\d{5,7})(?:_(\d{1,7}))?(?:\.[^.]*)?")
# More digits are no numbers of ours but times: clients call files 1567512000999.jpg.


@dataclass(frozen=True, slots=True)
class Alike:
    """Files that belong under one number, in the order of their keep rule.

    before: the numbers of pictures placed earlier that they belong to, ascending. is_group: together with those they
    are more than one; a single file that is not is one of the rest. near: numbers placed earlier of variants of them.
    """

    files: tuple[File, ...]
    before: tuple[int, ...] = ()
    is_group: bool = True
    near: tuple[int, ...] = ()


def make_plan(
    sets: Sequence[Alike],
    dest: bytes,
    action: Action,
    *,
    placed: Sequence[Placed],
    taken: Collection[bytes],
    again: bool = False,
    rest: bool = False,
) -> Plan:
    """A number a group, its keeper bare and the others _1, _2, ...; then, if rest, a number a file of the rest.

    placed: what was placed in dest before; taken: the names that are there now. A content that was placed is not
    placed again, unless `again` and its file is not there any more. Newcomers to numbers placed before go to the
    lowest of them, as its next copies; other numbers go on after the highest ever used, so no target can be taken,
    whatever its case or suffix. Action.MOVE takes every file but those of a content whose placed file is gone; the
    others place one file of each content of a set: a second would be the same bytes again. A masked picture of
    WeChat's (formats.mask_of) is only ever copied: a link would lead to bytes that nobody can open.
    """
    placed_names: dict[bytes, set[bytes]] = {}
    for entry in placed:
        placed_names.setdefault(entry.digest, set()).add(entry.name)
    withheld = masked = twice = 0
    kept: list[tuple[Alike, list[File]]] = []
    for alike in sets:
        wanted = []
        twice_here = 0
        takes = _takeable(alike.files, action)
        if alike.is_group or alike.before or rest:
            left = {file.content.digest for file in alike.files} - {file.content.digest for file in takes}
            masked += len(left - placed_names.keys())
        for file in takes if action is Action.MOVE else _one_per_content(takes):
            names = placed_names.get(file.content.digest)
            there = names is not None and not names.isdisjoint(taken)
            if names is None or (again and not there) or (there and action is Action.MOVE):
                wanted.append(file)
                twice_here += there and action is Action.MOVE
            else:
                withheld += not there
        if wanted and (alike.is_group or alike.before or rest):
            kept.append((alike, wanted))
            twice += twice_here
    next_copy = _copies(placed, taken)
    number = max(next_copy, default=0) + 1
    steps: list[Step] = []
    neighbours: list[tuple[int, tuple[int, ...]]] = []
    for alike, wanted in sorted(kept, key=lambda one: not one[0].is_group):
        if alike.before:
            own = alike.before[0]
        else:
            own, number = number, number + 1
            if alike.near:
                neighbours.append((own, alike.near))
        for file in wanted:
            copy = next_copy.get(own, 0)
            next_copy[own] = copy + 1
            target = os.path.join(dest, name_of(own, copy, file))
            steps.append(Step(action, file.path, target, own, copy, file.content.digest, file.size, file.mtime_ns))
    groups = [alike for alike in sets if alike.is_group]
    grouped = sum(len(alike.files) for alike in groups)
    return Plan(
        dest,
        action,
        tuple(steps),
        pictures=sum(len(alike.files) for alike in sets),
        groups=len(groups),
        grouped=grouped,
        remaining=sum(len(alike.files) for alike in sets) - grouped,
        joined=tuple(alike.before for alike, _ in kept if len(alike.before) > 1),
        withheld=withheld,
        neighbours=tuple(neighbours),
        masked=masked,
        twice=twice,
        from_clients=_from_clients(steps) if action is Action.MOVE else (),
    )


def _takeable(files: Sequence[File], action: Action) -> Sequence[File]:
    return files if action is Action.COPY else [file for file in files if not may_be_masked(file.path)]


def _from_clients(steps: Iterable[Step]) -> tuple[tuple[str, int], ...]:
    owners = Counter(owner_of(os.path.dirname(step.source)) for step in steps)
    return tuple(sorted((owner, count) for owner, count in owners.items() if owner is not None))


def _copies(placed: Iterable[Placed], taken: Iterable[bytes]) -> dict[int, int]:
    """The next copy of every number that was ever used in a destination, by us or by anybody."""
    used = [(entry.number, entry.copy) for entry in placed]
    used += [(int(match[1]), int(match[2] or 0)) for name in taken if (match := _NUMBERED.fullmatch(name))]
    next_copy: dict[int, int] = {}
    for number, copy in used:
        next_copy[number] = max(next_copy.get(number, 0), copy + 1)
    return next_copy


def name_of(number: int, copy: int, file: File) -> bytes:
    """00012.gif, 00012_1.jpg: the suffix is the true one by content, whatever the file was called."""
    suffix = FORMATS[file.content.format].extension
    return f"{number:0{DIGITS}d}{f'_{copy}' if copy else ''}{suffix}".encode()


def _one_per_content(files: Iterable[File]) -> Iterator[File]:
    met: set[int] = set()
    for file in files:
        if file.content.id not in met:
            met.add(file.content.id)
            yield file
