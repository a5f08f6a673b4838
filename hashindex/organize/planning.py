"""From the catalogue to a plan: which files organize would place where, by groups and by files placed before.

Reads the catalogue and the names in a destination; changes nothing. New verdicts are returned, so that the caller can
store them.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.keep_rules import KeepRules
from hashindex.core.language import Message
from hashindex.core.messages import Placed, Verdict
from hashindex.core.model import File, Progress
from hashindex.core.name_template import Naming
from hashindex.core.organizing import Action, PlaceOptions, Plan
from hashindex.disk import files
from hashindex.disk.files import FolderNames
from hashindex.index.grouping import Grouping
from hashindex.index.groups import BestCopies, HashClusters, JudgedClusters, clusters_by
from hashindex.index.keep_order import order
from hashindex.index.words import words_of_sets
from hashindex.organize.plan import Alike, make_plan
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal, merged
from hashindex.store.standings import Standing


class Planned(NamedTuple):
    plan: Plan
    new: list[Verdict]
    """Verdicts that were not stored yet."""
    standings: list[Standing]
    """Standings (which copy is best) that were not stored yet."""


DATES_READ: Final = 32
"""Pictures whose dates the worker reads in one call."""


def plan_for(
    catalogue: Catalogue, dest: bytes, action: Action, grouping: Grouping, options: PlaceOptions,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Planned:  # fmt: skip
    """The plan for organize, from clusters of present files and files placed in dest before; see plan.make_plan.

    on_progress: see groups_of.
    """
    with IsolatedWorker(grouping.limits) as worker:
        how = clusters_by(catalogue, grouping, worker, on_progress)
        best = BestCopies(catalogue, how, grouping, worker, on_progress)
        sets, placed, taken = _sets_for(how, best, catalogue, dest, grouping.keep_rules, options.naming)
        plan = make_plan(
            sets, dest, action, options,
            placed=placed, taken=taken, dates_taken=lambda pictures: _dates_taken(pictures, worker),
            words=words_of_sets(catalogue, [alike.files for alike in sets]) if options.naming.uses_words else {},
        )  # fmt: skip
        return Planned(plan, how.new, best.new)


def _sets_for(
    how: HashClusters | JudgedClusters,
    best: BestCopies,
    catalogue: Catalogue,
    dest: bytes,
    keep: KeepRules,
    naming: Naming,
) -> tuple[list[Alike], list[Placed], FolderNames]:
    """The sets of alike files, what was placed in dest before, and the names there."""
    placed, taken = _placed_and_names(catalogue, dest, naming)
    numbers: dict[int, set[int]] = {}
    for entry in placed:
        content = catalogue.content_with(entry.digest)
        if content is not None:
            numbers.setdefault(content, set()).add(entry.number)
    own_files: dict[int, list[File]] = {}
    for file in catalogue.present_pictures():
        # dest may lie inside a root without being marked as a destination yet.
        if not files.is_within(file.path_bytes, dest):
            own_files.setdefault(file.content.id, []).append(file)
    together = [cluster.contents for cluster in how.clusters(own_files.keys() | numbers.keys())]
    clustered = {content for contents in together for content in contents}
    together += [(content,) for content in own_files if content not in clustered]
    best.compare([[content for content in contents if content in own_files] for contents in together], own_files)
    lots_of_sets = []
    for contents in together:
        sets = []
        for copies in how.copies_among(contents):
            present = [content for content in copies if content in own_files]
            files_here = [file for content in present for file in own_files[content]]
            members = order(files_here, keep, best.ranks(present, own_files), best.chosen)
            if members:
                before = sorted({number for content in copies for number in numbers.get(content, ())})
                others = sum(content not in own_files for content in contents)
                near = {number for content in contents for number in numbers.get(content, ())}.difference(before)
                is_group = len(contents) - len(copies) + len(members) + others > 1
                sets.append(Alike(tuple(members), tuple(before), is_group, tuple(sorted(near))))
        if sets:
            # Variants get consecutive numbers.
            lots_of_sets.append(sorted(sets, key=_lowest_path))
    lots_of_sets.sort(key=lambda sets: _lowest_path(sets[0]))
    return [alike for lot in lots_of_sets for alike in lot], placed, taken


def _placed_and_names(catalogue: Catalogue, dest: bytes, naming: Naming) -> tuple[list[Placed], FolderNames]:
    """What was placed in a destination by journal and manifest, and the names in it. UsageError if it cannot be read.

    The names below its subfolders are read only if the template or an earlier one has folders.
    """
    try:
        placed = merged(Journal(catalogue).placed(dest), files.read_manifest(dest))
        below = bool(naming.folder) or any(b"/" in entry.name for entry in placed)
        return placed, files.folder_names(dest, below=below)
    except OSError as error:
        raise UsageError(
            Message("{path}: {reason}.", path=os.fsdecode(dest), reason=files.reason_of(error, "folder"))
        ) from error


def _dates_taken(pictures: Sequence[File], worker: IsolatedWorker) -> list[datetime | None]:
    """When each picture was taken, by its EXIF; None if it does not say or ended the worker."""
    from hashindex.pictures.date_taken import dates_taken

    known = [(file.path_bytes, file.content.digest) for file in pictures]
    found: list[datetime | None] = []
    for start in range(0, len(known), DATES_READ):
        chunk = known[start : start + DATES_READ]
        try:
            found += worker.run(dates_taken, chunk, worker.limits)
        except WorkerDied:
            for one in chunk:
                try:
                    found += worker.run(dates_taken, [one], worker.limits)
                except WorkerDied:
                    found.append(None)
    return found


def _lowest_path(alike: Alike) -> bytes:
    return min(file.path_bytes for file in alike.files)
