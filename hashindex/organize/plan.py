"""(sets of alike files, files placed before, existing names) -> which file gets which number and name.

Pure: a plan is data; other modules print it or carry it out. free_names.py resolves collisions of names.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from hashindex.clients.layouts import owner_of
from hashindex.core.dates import local_time
from hashindex.core.messages import Placed
from hashindex.core.model import File
from hashindex.core.name_template import NameFields
from hashindex.core.organizing import Action, PlaceOptions, Plan, Step
from hashindex.disk.files import FolderNames
from hashindex.organize.free_names import FreeNames, key_of
from hashindex.pictures.formats import FORMATS, may_be_masked

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
    options: PlaceOptions,
    *,
    placed: Sequence[Placed],
    taken: FolderNames,
    dates_taken: Callable[[Sequence[File]], Sequence[datetime | None]] = lambda files: [None] * len(files),
) -> Plan:
    """Gives each group a number, and each picture of it the next copy: the keeper 0, the others 1, 2, ...

    placed: files placed in dest before; taken: the names in dest now. A placed content is not placed again, unless
    options.again is set and its file is gone. New copies of placed pictures get the lowest of their numbers and the
    next copy. Other numbers start after the highest one ever used. No target exists yet, whatever its case. The names
    of pictures placed before never change: a template counts for new pictures only.

    Action.MOVE moves every file, except those of a content whose placed file is gone; other actions place one file per
    content of a set, because a second one has the same bytes. options.keepers places the keeper alone, and nothing in a
    set that has a picture in dest. options.rest numbers single files too. A masked WeChat picture (formats.mask_of) can
    only be copied: no viewer could open the target of a link.

    dates_taken: reads when the pictures were taken; called once, if a template needs it.
    """
    selected = _select(sets, action, options, placed, taken)
    next_copy = _next_copies(placed, taken)
    numbered, neighbours = _number(selected.chosen, next_copy)
    naming = options.naming
    dates = dates_taken([one.file for one in numbered]) if naming.uses_date_taken else [None] * len(numbered)
    names = FreeNames(taken, (entry.name for entry in placed))
    steps = []
    for one, taken_at in zip(numbered, dates, strict=True):
        file, fields = one.file, _fields_of(one, taken_at)
        extension = FORMATS[file.content.format].extension
        name = names.take(naming.folders_of(fields), naming.stem_of(fields), extension)
        target = os.path.join(dest, *name.split(b"/"))
        steps.append(
            Step(action, file.path_bytes, target, one.number, one.copy, file.content.digest, file.size, file.mtime_ns)
        )
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
        joined=tuple(alike.before for alike, _ in selected.chosen if len(alike.before) > 1),
        withheld=selected.withheld,
        neighbours=tuple(neighbours),
        masked=selected.masked,
        twice=selected.twice,
        from_clients=_from_clients(steps) if action is Action.MOVE else (),
    )


class _Selected(NamedTuple):
    """The files to place, and counts as in Plan."""

    chosen: list[tuple[Alike, list[File]]]
    withheld: int
    masked: int
    twice: int


def _select(
    sets: Sequence[Alike], action: Action, options: PlaceOptions, placed: Sequence[Placed], taken: FolderNames
) -> _Selected:
    taken_keys = {key_of(name) for name in taken.others}
    there = {entry for entry in placed if key_of(entry.name) in taken_keys}
    digests, digests_there = {entry.digest for entry in placed}, {entry.digest for entry in there}
    numbers_there = {entry.number for entry in there}
    withheld = masked = twice = 0
    chosen = []
    for alike in sets:
        is_wanted = alike.is_group or bool(alike.before) or options.rest
        if options.keepers and alike.before:
            is_there = not numbers_there.isdisjoint(alike.before)
            if is_there or not options.again:
                withheld += not is_there
                continue
        placeable = _placeable(alike.files, action)
        if is_wanted:
            left = {file.content.digest for file in alike.files} - {file.content.digest for file in placeable}
            masked += len(left - digests)
        if options.keepers:
            placeable = placeable[:1]
        wanted = []
        twice_here = 0
        for file in placeable if action is Action.MOVE else _one_per_content(placeable):
            exists = file.content.digest in digests_there
            is_new = file.content.digest not in digests
            if is_new or (options.again and not exists) or (exists and action is Action.MOVE):
                wanted.append(file)
                twice_here += exists and action is Action.MOVE
            else:
                withheld += not exists
        if wanted and is_wanted:
            chosen.append((alike, wanted))
            twice += twice_here
    return _Selected(chosen, withheld, masked, twice)


class _Numbered(NamedTuple):
    """A file to place, with its number."""

    file: File
    number: int
    copy: int
    is_group: bool


def _number(
    chosen: list[tuple[Alike, list[File]]], next_copy: dict[int, int]
) -> tuple[list[_Numbered], list[tuple[int, tuple[int, ...]]]]:
    """Numbers the files, groups first; also returns Plan.neighbours. next_copy: see _next_copies; it is changed."""
    number = max(next_copy, default=0) + 1
    numbered = []
    neighbours = []
    for alike, wanted in sorted(chosen, key=lambda one: not one[0].is_group):
        if alike.before:
            own = alike.before[0]
        else:
            own, number = number, number + 1
            if alike.near:
                neighbours.append((own, alike.near))
        for file in wanted:
            copy = next_copy.get(own, 0)
            next_copy[own] = copy + 1
            numbered.append(_Numbered(file, own, copy, alike.is_group))
    return numbered, neighbours


def _fields_of(one: _Numbered, taken_at: datetime | None) -> NameFields:
    content = one.file.content
    stem = os.path.splitext(os.path.basename(one.file.path_bytes))[0]
    return NameFields(
        number=one.number,
        copy=one.copy,
        stem=stem.decode("utf-8", "surrogateescape"),
        modified=local_time(one.file.mtime_ns),
        taken=taken_at,
        # The frames of a TIFF are pages.
        kind="animated" if content.frames > 1 and content.format != "tiff" else "still",
        is_group=one.is_group,
        width=content.width,
        height=content.height,
    )


def _placeable(files: Sequence[File], action: Action) -> Sequence[File]:
    return files if action is Action.COPY else [file for file in files if not may_be_masked(file.path_bytes)]


def _from_clients(steps: Iterable[Step]) -> tuple[tuple[str, int], ...]:
    owners = Counter(owner_of(os.path.dirname(step.source_bytes)) for step in steps)
    return tuple(sorted((owner, count) for owner, count in owners.items() if owner is not None))


def _next_copies(placed: Sequence[Placed], taken: FolderNames) -> dict[int, int]:
    """Number -> its next copy, for every number in a destination or its manifest.

    The numbers of placed pictures are those of the manifest, and their names and folders are not read as numbers.
    """
    known = {entry.name for entry in placed}
    used = [(entry.number, entry.copy) for entry in placed]
    known |= {above for name in known for above in _folders_above(name)}
    names = [name for name in taken.folders if b"/" not in name] + taken.others
    for name in names:
        match = None if name in known else _NUMBERED.fullmatch(name.rpartition(b"/")[2])
        if match:
            used.append((int(match[1]), int(match[2] or 0)))
    next_copy: dict[int, int] = {}
    for number, copy in used:
        next_copy[number] = max(next_copy.get(number, 0), copy + 1)
    return next_copy


def _folders_above(name: bytes) -> Iterator[bytes]:
    while above := name.rpartition(b"/")[0]:
        yield above
        name = above


def _one_per_content(files: Iterable[File]) -> Iterator[File]:
    seen_contents: set[int] = set()
    for file in files:
        if file.content.id not in seen_contents:
            seen_contents.add(file.content.id)
            yield file
