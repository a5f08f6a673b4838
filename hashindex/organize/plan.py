"""(sets of alike files, files placed before, existing names) -> which file gets which number and name.

Pure: a plan is data; other modules print it or carry it out. Name collisions are resolved here.
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
"""As in 00012.gif. Larger numbers have more digits."""
_NUMBERED = re.compile(rb"(\d{5,7})(?:_(\d{1,7}))?(?:\.[^.]*)?")
# Names with more digits are timestamps of chat clients, such as 1567512000999.jpg.


@dataclass(frozen=True, slots=True)
class Alike:
    """Files that belong under one number, in the order of the keep rules.

    before: the numbers of their copies that were placed earlier, ascending. is_group: whether there is more than one
    file, counting those placed earlier; otherwise the file is one of the rest. near: the numbers of variants that were
    placed earlier.
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
    """Gives each group a number: the keeper has no suffix, the others _1, _2, ... rest: number single files too.

    placed: files placed in dest before; taken: the names in dest now. A placed content is not placed again, unless
    `again` is set and its file is gone. New copies of placed pictures get the lowest of their numbers and the next copy
    suffix. Other numbers start after the highest one ever used, so no target exists yet, whatever its case or
    extension. Action.MOVE moves every file, except those of a content whose placed file is gone; other actions place
    one file per content of a set, because a second one has the same bytes. A masked WeChat picture (formats.mask_of)
    can only be copied: no viewer could open the target of a link.
    """
    placed_names: dict[bytes, set[bytes]] = {}
    for entry in placed:
        placed_names.setdefault(entry.digest, set()).add(entry.name)
    withheld = masked = twice = 0
    selected: list[tuple[Alike, list[File]]] = []
    for alike in sets:
        wanted = []
        twice_here = 0
        placeable = _placeable(alike.files, action)
        if alike.is_group or alike.before or rest:
            left = {file.content.digest for file in alike.files} - {file.content.digest for file in placeable}
            masked += len(left - placed_names.keys())
        for file in placeable if action is Action.MOVE else _one_per_content(placeable):
            names = placed_names.get(file.content.digest)
            exists = names is not None and not names.isdisjoint(taken)
            if names is None or (again and not exists) or (exists and action is Action.MOVE):
                wanted.append(file)
                twice_here += exists and action is Action.MOVE
            else:
                withheld += not exists
        if wanted and (alike.is_group or alike.before or rest):
            selected.append((alike, wanted))
            twice += twice_here
    next_copy = _next_copies(placed, taken)
    number = max(next_copy, default=0) + 1
    steps: list[Step] = []
    neighbours: list[tuple[int, tuple[int, ...]]] = []
    for alike, wanted in sorted(selected, key=lambda one: not one[0].is_group):
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
        joined=tuple(alike.before for alike, _ in selected if len(alike.before) > 1),
        withheld=withheld,
        neighbours=tuple(neighbours),
        masked=masked,
        twice=twice,
        from_clients=_from_clients(steps) if action is Action.MOVE else (),
    )


def _placeable(files: Sequence[File], action: Action) -> Sequence[File]:
    return files if action is Action.COPY else [file for file in files if not may_be_masked(file.path)]


def _from_clients(steps: Iterable[Step]) -> tuple[tuple[str, int], ...]:
    owners = Counter(owner_of(os.path.dirname(step.source)) for step in steps)
    return tuple(sorted((owner, count) for owner, count in owners.items() if owner is not None))


def _next_copies(placed: Iterable[Placed], taken: Iterable[bytes]) -> dict[int, int]:
    """Number -> the next copy suffix, for every number in the names of a destination or its manifest."""
    used = [(entry.number, entry.copy) for entry in placed]
    used += [(int(match[1]), int(match[2] or 0)) for name in taken if (match := _NUMBERED.fullmatch(name))]
    next_copy: dict[int, int] = {}
    for number, copy in used:
        next_copy[number] = max(next_copy.get(number, 0), copy + 1)
    return next_copy


def name_of(number: int, copy: int, file: File) -> bytes:
    """As 00012.gif or 00012_1.jpg. The extension follows the detected format, not the old name."""
    suffix = FORMATS[file.content.format].extension
    return f"{number:0{DIGITS}d}{f'_{copy}' if copy else ''}{suffix}".encode()


def _one_per_content(files: Iterable[File]) -> Iterator[File]:
    seen_contents: set[int] = set()
    for file in files:
        if file.content.id not in seen_contents:
            seen_contents.add(file.content.id)
            yield file
