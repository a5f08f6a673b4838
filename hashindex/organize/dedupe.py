"""The operation dedupe: plans which copies are removed, and removes them as one batch that undo can reverse.

removals.py decides which copies go, trash.py where they go, and batch.py carries the steps out.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from hashindex.core.deduping import Deduped, DedupeOptions, DedupePlan, Kept, Left, Link, Removal
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, Shortened
from hashindex.core.messages import Verdict
from hashindex.core.model import File, Group, Progress
from hashindex.core.options import Keep, Level
from hashindex.core.organizing import Action, BatchCommand, Outcome, Refusal, Step
from hashindex.core.reviewing import GroupDetail
from hashindex.core.safe_names import MOST_BYTES, name_key
from hashindex.disk import files
from hashindex.disk.roots import existing_folder
from hashindex.index.catch_up import answered, answered_in
from hashindex.index.chances import chances_of
from hashindex.index.grouping import Grouping
from hashindex.index.groups import BestCopies, JudgedClusters, around, clusters_by, groups_among
from hashindex.index.reviews import kind_of
from hashindex.judge.faults import Ranked
from hashindex.judge.pair_judge import is_full_scale
from hashindex.organize import batch, moves
from hashindex.organize.organize import check_destination, destination
from hashindex.organize.removals import PairEvidence, removals_of
from hashindex.organize.step import GONE_OR_CHANGED, OTHER_BYTES
from hashindex.organize.trash import SUFFIX, SYSTEM_HAS_PLACES, Trash, record_of, trash_of
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.access import Access
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing

LINK_ACTIONS = {Link.HARD: Action.HARDLINK, Link.SYMBOLIC: Action.SYMLINK, Link.REFLINK: Action.REFLINK}


def plan(
    access: Access, options: DedupeOptions, grouping: Grouping, on_progress: Callable[[Progress], None]
) -> DedupePlan:
    """See HashIndex.plan_dedupe."""
    how = _for_copies(grouping)
    with access.reading() as catalogue:
        options = _checked(catalogue, options)

    def ask(catalogue: Catalogue) -> _Planned:
        return _plan(catalogue, options, how, on_progress)

    return answered(access, how, ask, on_progress)


def dedupe(
    access: Access,
    options: DedupeOptions,
    grouping: Grouping,
    *,
    stop: Callable[[], bool],
    on_removed: Callable[[Removal], None],
    on_progress: Callable[[Progress], None],
    on_step: Callable[[int, int], None],
) -> Deduped:
    """See HashIndex.dedupe."""
    how = _for_copies(grouping)
    waiting = Progress(0, 0, 0, walking=False, waiting=True)

    def run() -> Deduped:
        with access.batch_lock(), access.writing(on_wait=lambda: on_progress(waiting)) as catalogue:
            checked = _checked(catalogue, options)
            recovered = batch.recover(catalogue)
            batch.refuse_open(catalogue, checked.to_bytes or b"")
            found = answered_in(catalogue, how, lambda held: _plan(held, checked, how, on_progress), on_progress)
            work = _Removing(catalogue, found, on_removed)
            outcome = work.run(stop, on_step)
        return Deduped(found, tuple(work.removed), outcome, tuple(recovered))

    return access.with_recovery(run)


def details(
    access: Access,
    digests: Sequence[bytes],
    grouping: Grouping,
    worker: IsolatedWorker,
    on_progress: Callable[[Progress], None],
) -> list[GroupDetail]:
    """See HashIndex.group_details."""
    how = _for_copies(grouping) if grouping.at_level is Level.COPIES else grouping

    def ask(catalogue: Catalogue) -> tuple[list[GroupDetail], list[Verdict], list[Standing]]:
        among = _around(catalogue, how, digests)
        clusters = clusters_by(catalogue, how, worker, on_progress, among)
        assert isinstance(clusters, JudgedClusters)
        best = BestCopies(catalogue, clusters, how, worker, on_progress)
        groups = groups_among(clusters, catalogue, how, best).groups
        evidence = _CatalogueEvidence(clusters, best)
        reviewed = catalogue.reviews.reviewed(how.at_level, _digests_in(groups))
        plans = [_plan_for(group, evidence) for group in groups]
        chances = chances_of(catalogue, groups, how.turns, clusters.new)
        found = [
            GroupDetail(group, chance, *plan, kind_of(group, reviewed))
            for group, chance, plan in zip(groups, chances, plans, strict=True)
        ]
        return found, clusters.new, best.new

    return answered(access, how, ask, on_progress)


def _digests_in(groups: Iterable[Group]) -> set[bytes]:
    return {member.file.content.digest for group in groups for member in group.members}


def _plan_for(group: Group, evidence: "_CatalogueEvidence") -> tuple[tuple[Removal, ...], tuple[Left, ...]]:
    if group.level is not Level.COPIES:
        # Variants are not removed.
        return (), ()
    removals, left, _ = removals_of([group], DedupeOptions(), evidence)
    return tuple(removals), tuple(left)


def _for_copies(grouping: Grouping) -> Grouping:
    """The grouping with the rule "best" at the end, which finds what each copy lacks. UsageError for other levels."""
    if grouping.at_level is not Level.COPIES:
        raise UsageError(
            Message(
                "dedupe removes copies only, and the level {at_level} groups other pictures too; look at these "
                "with hashindex groups.",
                at_level=grouping.at_level,
            )
        )
    rules = grouping.keep_rules
    if Keep.BEST not in rules:
        rules = (*rules, Keep.BEST)
    return Grouping(Level.COPIES, keep=rules, limits=grouping.limits, workers=grouping.workers)


def _checked(catalogue: Catalogue, options: DedupeOptions) -> DedupeOptions:
    """The options with real paths. UsageError for folders that do not exist or are not scanned."""
    folders, only, protect = (
        tuple(existing_folder(folder) for folder in given)
        for given in (options.folders_bytes, options.only_bytes, options.protect_bytes)
    )
    for folder in (*folders, *only):
        if not catalogue.has_present_below(folder):
            raise UsageError(
                Message(
                    "The catalogue knows no picture below {folder}; first run: hashindex scan {folder}",
                    folder=os.fsdecode(folder),
                )
            )
    to = None if options.to is None else destination(options.to)
    if to is not None:
        check_destination(catalogue, to)
    return replace(options, folders=folders, only=only, protect=protect, to=to)


class _Planned(NamedTuple):
    plan: DedupePlan
    new: list[Verdict]
    """Verdicts that were not stored yet."""
    standings: list[Standing]
    """Standings that were not stored yet."""


def _plan(
    catalogue: Catalogue, options: DedupeOptions, how: Grouping, on_progress: Callable[[Progress], None]
) -> _Planned:
    among = None if options.groups is None else _around(catalogue, how, _digests_in(options.groups))
    with IsolatedWorker(how.limits) as worker:
        clusters = clusters_by(catalogue, how, worker, on_progress, among)
        assert isinstance(clusters, JudgedClusters)  # by the level copies
        best = BestCopies(catalogue, clusters, how, worker, on_progress)
        groups = groups_among(clusters, catalogue, how, best).groups
        if options.groups is not None:
            wanted = {group.paths_bytes for group in options.groups}
            groups = [group for group in groups if group.paths_bytes in wanted]
        removals, left, thinned = removals_of(groups, options, _CatalogueEvidence(clusters, best))
    targets = _Targets(options.to_bytes)
    going = []
    for removal in removals:
        try:
            going.append(removal._replace(target_bytes=targets.target_of(removal.source_bytes)))
        except _NoPlace as error:
            left.append(Left(removal.source_bytes, str(error)))
    plan = DedupePlan(tuple(going), tuple(left), thinned, options.to_bytes, options.link)
    return _Planned(plan, clusters.new, best.new)


def _around(catalogue: Catalogue, how: Grouping, digests: Iterable[bytes]) -> set[int]:
    """The contents with these digests, and all that can be in one group with them."""
    return around(catalogue, how, {id for id in map(catalogue.content_with, digests) if id is not None})


class _CatalogueEvidence:
    """See removals.GroupEvidence."""

    def __init__(self, clusters: JudgedClusters, best: BestCopies) -> None:
        self._clusters = clusters
        self._best = best

    def pair(self, a: File, b: File) -> PairEvidence:
        one, other = a.content, b.content
        verdict = self._clusters.verdict(one.id, other.id)
        is_decided = self._clusters.are_decided_same(one.id, other.id)
        return PairEvidence(verdict.relation, verdict.copy, is_full_scale(verdict.side, one, other), is_decided)

    def standing(self, group: Group) -> Mapping[int, Ranked]:
        return self._best.standing([member.file for member in group.members])

    def is_chosen(self, file: File) -> bool:
        return file.content.digest in self._best.chosen

    def is_chosen_over(self, file: File, other: File) -> bool:
        decision = self._best.chosen.get(file.content.digest)
        return decision is not None and other.content.digest in decision.over

    def is_as_scanned(self, file: File) -> bool:
        return files.has_size_and_mtime(file.path_bytes, file.size, file.mtime_ns)

    def why_one_file(self, a: File, b: File) -> str | None:
        return _why_one_file(a.path_bytes, b.path_bytes)


def _kept_changed(path: bytes) -> str:
    return Message(
        "{path}, which would be kept, is gone or has changed since it was scanned; scan and run again",
        path=os.fsdecode(path),
    )


def _why_one_file(source: bytes, kept: bytes) -> str | None:
    try:
        one, other = files.lstat_of(source), files.lstat_of(kept)
    except OSError as error:
        return Message("the disk cannot be read: {reason}", reason=files.system_reason(error))
    if one is None or other is None:
        return None
    if os.path.samestat(one, other):
        return Shortened(
            Message("it is a hard link to {kept}, so its removal would free nothing", kept=os.fsdecode(kept)),
            Message("it is a hard link to the picture that stays, so its removal would free nothing"),
        )
    # A network drive that is mounted twice has another device number at each place.
    facts = [(info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns) for info in (one, other)]
    if files.HAS_CTIME and facts[0] == facts[1]:
        return Shortened(
            Message("it may be the same file as {kept}, by another path", kept=os.fsdecode(kept)),
            Message("it may be the same file as the picture that stays, by another path"),
        )
    return None


class _NoPlace(Exception):
    """There is no place for a removed copy. The text is a clause."""


class _Targets:
    """Finds a free name for each removed copy."""

    def __init__(self, to: bytes | None) -> None:
        self._to = to
        self._taken: dict[bytes, set[str]] = {}

    def target_of(self, source: bytes) -> bytes:
        """Where the file goes; b"" if only the system knows. Raises _NoPlace."""
        if self._to is not None:
            return self._free_name(self._to, (), source)
        if not SYSTEM_HAS_PLACES:
            return b""
        trash = _trash_for(source)
        return self._free_name(trash.files, (trash.info,), source)

    def _free_name(self, folder: bytes, records: Collection[bytes], source: bytes) -> bytes:
        taken = self._taken.get(folder)
        if taken is None:
            try:
                taken = {_key(name) for name in files.names_in(folder)}
                for place in records:
                    taken |= {_key(name.removesuffix(SUFFIX)) for name in files.names_in(place)}
            except OSError as error:
                raise _NoPlace(
                    Message(
                        "{folder} cannot be read: {reason}",
                        folder=os.fsdecode(folder),
                        reason=files.system_reason(error),
                    )
                ) from error
            self._taken[folder] = taken
        name = next(each for each in _names_like(os.path.basename(source)) if _key(each) not in taken)
        taken.add(_key(name))
        return os.path.join(folder, name)


def _trash_for(source: bytes) -> Trash:
    try:
        trash = trash_of(source)
    except OSError as error:
        raise _NoPlace(Message("the disk cannot be read: {reason}", reason=files.system_reason(error))) from error
    if trash is None:
        raise _NoPlace(Message("there is no trash on its drive that can be written; name a folder with --to FOLDER"))
    return trash


def _names_like(name: bytes) -> Iterator[bytes]:
    """The name, then the same with a number: cat.png, cat 2.png, ... At most MOST_BYTES bytes with a record."""
    stem, suffix = os.path.splitext(name)
    for number in count(1):
        end = (b"" if number == 1 else b" %d" % number) + suffix
        # A name that was cut off within a character would be no text.
        room = MOST_BYTES - len(end) - len(SUFFIX)
        yield (stem if len(stem) <= room else stem[:room].decode("utf-8", "ignore").encode()) + end


def _key(name: bytes) -> str:
    return name_key(os.fsdecode(name))


_NOT_REMOVED = Message("its copy was not removed")
"""Why a link is not made. The reason why the copy was not removed is a refusal of its own."""


class _Removing:
    """One run. Looks at both files of each removal again, just before it."""

    def __init__(self, catalogue: Catalogue, plan: DedupePlan, on_removed: Callable[[Removal], None]) -> None:
        self.removed: list[Removal] = []
        self._catalogue = catalogue
        self._plan = plan
        self._on_removed = on_removed
        self._removals = {removal.source_bytes: removal for removal in plan.removals}
        self._read: dict[bytes, tuple[int, ...]] = {}
        """The identity of each kept file when its bytes were last read."""
        self._gone: set[bytes] = set()
        """Sources that were removed in this run."""

    def run(self, stop: Callable[[], bool], on_progress: Callable[[int, int], None]) -> Outcome:
        plan = self._plan
        action = Action.MOVE if plan.to_bytes is not None or SYSTEM_HAS_PLACES else Action.TRASH
        request = batch.Request(BatchCommand.DEDUPE, plan.to_bytes or b"", action, list(_steps(plan, action)))
        outcome = batch.apply(
            self._catalogue, request, look=self._look, stop=stop, on_step=self._note, on_progress=on_progress
        )
        refused = []
        for path, reason in outcome.refused:
            if path in self._gone:
                reason = Message(
                    "the link to the kept file could not be made, and the copy was put back: {reason}", reason=reason
                )
            if reason != _NOT_REMOVED:
                refused.append(Refusal(path, reason))
        return outcome._replace(refused=tuple(refused))

    def _note(self, step: Step) -> None:
        is_link = step.action in LINK_ACTIONS.values()
        source = step.target_bytes if is_link else step.source_bytes
        self._gone.add(source)
        if is_link or self._plan.link is None:
            self.removed.append(self._removals[source])
            self._on_removed(self._removals[source])

    def _look(self, step: Step) -> str | None:
        """Why a step must not be carried out. Makes the record of a file that may go to the trash."""
        if step.action in LINK_ACTIONS.values():
            return None if step.target_bytes in self._gone else _NOT_REMOVED
        removal = self._removals[step.source_bytes]
        try:
            reason = self._why_not_kept(removal.kept) or _why_one_file(step.source_bytes, removal.kept.path_bytes)
            if reason is None and not files.has_size_and_mtime(step.source_bytes, step.size, step.mtime_ns):
                reason = GONE_OR_CHANGED
            if reason is None and moves.digest_of(step.source_bytes) != step.digest:
                reason = OTHER_BYTES
            if reason is None and self._plan.to_bytes is None and step.target_bytes:
                self._make_trash(step)
            if reason is None:
                self._bequeath(removal)
        except OSError as error:
            reason = (
                Message("it cannot be put into the trash: {reason}", reason=files.system_reason(error))
                if self._plan.to_bytes is None
                else files.system_reason(error)
            )
        return reason

    def _bequeath(self, removal: Removal) -> None:
        """Gives the kept picture the tags and the words of the copy, before the copy goes, so that none are lost."""
        if removal.digest != removal.kept.digest and self._catalogue.words.has_any(removal.digest):
            with self._catalogue.atomic():
                self._catalogue.words.inherit(removal.kept.digest, removal.digest)

    def _why_not_kept(self, kept: Kept) -> str | None:
        """Why a kept file no longer holds the bytes that were judged."""
        if not files.has_size_and_mtime(kept.path_bytes, kept.size, kept.mtime_ns):
            return _kept_changed(kept.path_bytes)
        info = os.lstat(kept.path_bytes)
        identity = info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns
        if self._read.get(kept.path_bytes) != identity:
            if moves.digest_of(kept.path_bytes) != kept.digest:
                with self._catalogue.atomic():
                    self._catalogue.read_again(kept.path_bytes)
                return _kept_changed(kept.path_bytes)
            self._read[kept.path_bytes] = identity
        return None

    def _make_trash(self, step: Step) -> None:
        text = _trash_for(step.source_bytes).record(step.source_bytes, time.time())
        moves.make_trash(step.target_bytes, record_of(step.target_bytes), text)


def _steps(plan: DedupePlan, action: Action) -> Iterator[Step]:
    """The steps of a plan. A link follows the removal of the file whose name it gets."""
    for source, digest, size, mtime_ns, kept, _, _, target in plan.removals:
        yield Step(action, source, target, 0, 0, digest, size, mtime_ns)
        if plan.link is not None:
            how = LINK_ACTIONS[plan.link]
            yield Step(how, kept.path_bytes, source, 0, 0, kept.digest, kept.size, kept.mtime_ns)
