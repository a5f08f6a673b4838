"""From the catalogue to a plan: which files organize would place where, by groups and by files placed before.

Reads the catalogue and the names in a destination; changes nothing. New verdicts are returned, so that the caller can
store them.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.keep_rules import KeepRules
from hashindex.core.messages import Placed, Verdict
from hashindex.core.model import File, Progress
from hashindex.core.organizing import Action, Plan
from hashindex.disk import files
from hashindex.index.grouping import Grouping
from hashindex.index.groups import BestCopies, HashClusters, JudgedClusters, clusters_by
from hashindex.index.keep_order import order
from hashindex.organize.plan import Alike, make_plan
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal, merged
from hashindex.store.standings import Standing


class Planned(NamedTuple):
    plan: Plan
    new: list[Verdict]
    """Verdicts that were not stored yet."""
    standings: list[Standing]
    """Standings (which copy is best) that were not stored yet."""


def plan_for(
    catalogue: Catalogue, dest: bytes, action: Action, grouping: Grouping, *, rest: bool, again: bool,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Planned:  # fmt: skip
    """The plan for organize, from clusters of present files and files placed in dest before; see plan.make_plan.

    on_progress: see groups_of.
    """
    with IsolatedWorker(grouping.limits) as worker:
        how = clusters_by(catalogue, grouping, worker, on_progress)
        best = BestCopies(catalogue, how, grouping, on_progress)
        return _plan_for(how, best, catalogue, dest, action, grouping.keep_rules, rest=rest, again=again)


def _plan_for(
    how: HashClusters | JudgedClusters,
    best: BestCopies,
    catalogue: Catalogue,
    dest: bytes,
    action: Action,
    keep: KeepRules,
    *,
    rest: bool,
    again: bool,
) -> Planned:
    manifest, taken = _manifest_and_names(dest)
    placed = merged(Journal(catalogue).placed(dest), manifest)
    numbers: dict[int, set[int]] = {}
    for entry in placed:
        content = catalogue.content_with(entry.digest)
        if content is not None:
            numbers.setdefault(content, set()).add(entry.number)
    own_files: dict[int, list[File]] = {}
    for file in catalogue.present_pictures():
        # dest may lie inside a root without being marked as a destination yet.
        if not files.is_within(file.path, dest):
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
            members = order(files_here, keep, best.ranks(present, own_files))
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
    sets = [alike for lot in lots_of_sets for alike in lot]
    plan = make_plan(sets, dest, action, placed=placed, taken=taken, again=again, rest=rest)
    return Planned(plan, how.new, best.new)


def _manifest_and_names(dest: bytes) -> tuple[list[Placed], list[bytes]]:
    """The manifest entries of a destination and the names in it. UsageError if it cannot be read."""
    try:
        return files.read_manifest(dest), files.names_in(dest)
    except OSError as error:
        raise UsageError(f"{os.fsdecode(dest)}: {files.reason_of(error, 'folder')}.") from error


def _lowest_path(alike: Alike) -> bytes:
    return min(file.path for file in alike.files)
