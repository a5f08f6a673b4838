"""One review: the groups in memory, and what the person does with them, by way of HashIndex. Knows nothing of HTTP."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hashindex.core.deduping import Deduped, DedupeOptions, Left, Removal
from hashindex.core.errors import HashIndexError, UsageError
from hashindex.core.explanation import Explanation
from hashindex.core.language import Message
from hashindex.core.model import Answer, Group
from hashindex.core.options import Level
from hashindex.core.organizing import Batch, BatchCommand, Outcome, Refusal
from hashindex.core.paths import PathLike
from hashindex.core.reviewing import GroupDetail, ReviewChange, ReviewKind
from hashindex.core.words import FoundPicture, PictureWords
from hashindex.disk import files
from hashindex.index.grouping import Grouping
from hashindex.index.reviews import kind_of
from hashindex.index.selection import Selection, condition_of
from hashindex.pictures.isolated_worker import Result
from hashindex.review.group_store import (
    GroupQuery,
    GroupStore,
    HeldGroup,
    IdenticalCounts,
    Only,
    Order,
    ReviewCounts,
    has_member_below,
    held,
    identical_counts,
    weakest_of,
)
from hashindex.review.picture_ids import PictureIds, UnknownId, picture_id
from hashindex.service import HashIndex

LEVELS = (Level.COPIES, Level.SIMILAR)
DETAILED = 200
"""Groups of which one call asks for details at most."""
AHEAD = 4
"""Groups of a page whose details one task in the background asks for: the judge may have to compare them first."""
NEW_DAYS = 7
"""A picture is new for this many days after a scan has first seen it."""
POLL_S = 0.5
"""How often the review looks whether another process has changed the catalogue."""
QUIET_S = 10.0
"""Beside a change of this process, one of another process may go unseen: the groups are loaded again after this."""
LOAD_SHARE = 5.0
"""After the groups were loaded, they are loaded again only after this many times the duration of that."""


class StaleGroup(HashIndexError):
    """The group is no longer as the person saw it, and nothing was done. now: the group in its place, or None."""

    def __init__(self, now: HeldGroup | None) -> None:
        super().__init__(Message("This group has changed meanwhile, so nothing was done; here it is as it is now."))
        self.now = now


class GroupPage(NamedTuple):
    """Some groups of a query. total: how many groups the query has."""

    groups: tuple[HeldGroup, ...]
    total: int
    start: int


class RemovalPreview(NamedTuple):
    """What a removal would do. changed: how many groups are no longer as they were."""

    removals: tuple[Removal, ...]
    left: tuple[Left, ...]
    groups: int
    changed: int


class RemovalDone(NamedTuple):
    """What a removal did. refused: files that could not be removed just then."""

    batch: int | None
    removals: tuple[Removal, ...]
    left: tuple[Left, ...]
    refused: tuple[Refusal, ...]
    groups: int
    changed: int
    stopped: str | None


@dataclass(slots=True)
class MadeDecision:
    """A decision of this review."""

    number: int
    kind: ReviewKind
    when_ns: int
    key: str
    """The group that it was made on."""
    paths: tuple[bytes, ...]
    change: ReviewChange
    digests: frozenset[bytes]
    undone: bool = False


@dataclass(slots=True)
class MadeBatch:
    """A removal of this review."""

    batch: int
    size: int
    """Bytes of all removed files."""
    digests: frozenset[bytes]
    """Of the removed pictures and those that were kept for them."""
    finished: frozenset[str]
    """The groups of which only the keeper was left."""
    undone: bool = False


@dataclass(slots=True)
class _State:
    """What changes in a review, under its lock."""

    stores: dict[Level, GroupStore] = field(default_factory=dict)
    decisions: list[MadeDecision] = field(default_factory=list)
    batches: list[MadeBatch] = field(default_factory=list)
    new_paths: set[bytes] | None = None
    found: tuple[str, frozenset[bytes]] = ("", frozenset())
    """The words that were last asked for, and the paths of the pictures with these words."""
    own_change_s: float = 0.0
    """When this process last may have changed the catalogue, by time.monotonic; 0 for never since the last load."""
    stamp: int = 1


class Sitting:
    """The groups of a catalogue and all that a review does with them. Thread-safe; its methods block.

    Groups are kept in memory. Before each decision and removal, the groups around it are read from the catalogue again,
    so that none is made on a group that another page, command or the daemon has changed: StaleGroup tells what it is
    now. watch_catalogue loads all groups again when another process changes the catalogue.
    """

    def __init__(
        self,
        index: HashIndex,
        grouping: Grouping,
        *,
        folders: Sequence[PathLike] = (),
        selection: Selection = Selection(),  # noqa: B008 - frozen
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """grouping: its level is the one that the page shows first; by verdicts. folders, selection: which groups are
        reviewed at all, and their first order. on_change: called, in any thread, after other processes have changed
        the groups.
        """
        if not grouping.by_verdicts:
            raise UsageError(
                Message("review shows groups that the judge has made: leave out hash, radius, passes and engine.")
            )
        self.index = index
        self.ids = PictureIds()
        self.level = grouping.at_level
        self.order = Order(selection.sort)
        self._on_change = on_change
        self._grouping = grouping
        self._folders = tuple(files.real_path(folder) for folder in folders)
        self._limit = selection.limit
        self._is_selected = condition_of(selection)
        self._state = _State()
        self._lock = threading.RLock()
        self._ahead = ThreadPoolExecutor(1, "details ahead")
        self._changing = threading.Lock()
        """Held while a decision or a batch of this process is under way: one after the other."""

    def load_ahead(self) -> None:
        """Loads the first level in the background, while the browser starts."""
        self._ahead.submit(self.counts, self.level)

    def close(self) -> None:
        """Ends the work in the background."""
        self._ahead.shutdown(wait=True, cancel_futures=True)

    # What is shown

    @property
    def stamp(self) -> int:
        """A number that changes with the groups."""
        return self._state.stamp

    @property
    def is_changing(self) -> bool:
        """Whether a batch or a decision is under way."""
        return self._changing.locked()

    def folders(self) -> list[bytes]:
        """The scanned folders by which groups can be filtered; their places in the list are their ids."""
        return [os.fsencode(root) for root in self.index.roots()]

    def page(self, level: Level, query: GroupQuery, start: int, count: int) -> GroupPage:
        """Some groups of a query. The details of those that have none follow, see group.

        The first page of a level takes as long as hashindex groups.
        """
        with self._lock:
            shown = self._shown(level, query)
            wanted = shown[start : start + count]
        self._add_words(wanted)
        missing = [one for one in wanted if one.detail is None]
        for few in _parts(missing, AHEAD):
            self._ahead.submit(self._add_details, level, few)
        for one in wanted:
            self.ids.add(member.file for member in one.group.members)
        return GroupPage(tuple(wanted), len(shown), start)

    def group(self, key: str) -> HeldGroup:
        """A group with its details. UnknownId if there is none, StaleGroup if it is another one now."""
        with self._lock:
            level, one = self._find(key)
        self._add_details(level, [one])
        self._add_words([one])
        self.ids.add(member.file for member in one.group.members)
        return one

    def paths_with(self, words: str, *, again: bool) -> frozenset[bytes]:
        """The files of the pictures with these words, see HashIndex.find. again: also if they were the last asked for.

        UsageError if there is no word.
        """
        last, paths = self._state.found
        if again or words != last:
            paths = frozenset(
                file.path_bytes for picture in self.index.find(words, limit=None) for file in picture.files
            )
            self._state.found = words, paths
        return paths

    def number(self, one: HeldGroup) -> int:
        with self._lock:
            return self._store(one.group.level).number(one)

    def counts(self, level: Level) -> ReviewCounts:
        """How far the review is. Groups of which a removal of this review left one picture count as reviewed."""
        with self._lock:
            store = self._store(level)
            finished = sum(
                store.get(key) is None for made in self._state.batches if not made.undone for key in made.finished
            )
            counts = store.counts()
        return counts._replace(groups=counts.groups + finished, reviewed=counts.reviewed + finished)

    def bytes_freed(self) -> int:
        """Bytes of what this review has removed."""
        with self._lock:
            return sum(made.size for made in self._state.batches if not made.undone)

    def identical(self) -> IdenticalCounts:
        """The groups of files with the same bytes that a bulk removal would go through."""
        with self._lock:
            return identical_counts(self._identical())

    # Decisions

    def decide(self, key: str, kind: ReviewKind, pictures: Sequence[str]) -> HeldGroup | None:
        """Records a decision on a group and returns the group in which its keeper, or else the others, are then.

        pictures: ids of members; none for all. StaleGroup if the group has changed, UnknownId for other ids.
        """
        with self._changing:
            one = self._as_it_is(key)
            members = [member.file for member in one.group.members]
            by_id = {picture_id(file): file for file in members}
            if not set(pictures) <= by_id.keys():
                raise UnknownId(Message("There is no such picture in this group."))
            chosen = [by_id[picture] for picture in pictures] or members
            change = self._writing(lambda: self.index.review(one.group.level, members, kind, chosen))
            with self._lock:
                number = len(self._state.decisions) + 1
                paths = tuple(file.path_bytes for file in chosen)
                made = MadeDecision(number, kind, time.time_ns(), key, paths, change, one.digests)
                self._state.decisions.append(made)
            if kind is ReviewKind.SKIPPED:
                return self._as_reviewed(one, kind)
            self._refresh_levels(one.digests)
            rest = [file for file in members if file not in chosen] if kind is ReviewKind.SEPARATE else []
            with self._lock:
                return self._store(one.group.level).with_any([(rest or members)[0].content.digest])

    def undo_decision(self, key: str | None = None, number: int | None = None) -> HeldGroup | None:
        """Undoes a decision of this review: that of this number, or else the last one on this group, or else the last.

        UnknownId if there is none; UsageError if a later decision changed it.
        """
        with self._changing:
            with self._lock:
                made = next(
                    (
                        each
                        for each in reversed(self._state.decisions)
                        if not each.undone and (each.number == number if number is not None else self._is_on(each, key))
                    ),
                    None,
                )
            if made is None:
                raise UnknownId(Message("There is no decision of this review to undo."))
            self._writing(lambda: self.index.undo_review(made.change))
            made.undone = True
            self._refresh_levels(made.digests)
            with self._lock:
                return self._store(made.change.level).with_any(made.digests)

    # Removals

    def preview(self, keys: Sequence[str]) -> RemovalPreview:
        """What remove would do with these groups."""
        found, changed = self._as_they_are(keys)
        details = [one.detail for one in found if one.detail is not None]
        removals = tuple(removal for detail in details for removal in detail.removals)
        left = tuple(left for detail in details for left in detail.left)
        self.ids.add(member.file for one in found for member in one.group.members)
        return RemovalPreview(removals, left, sum(bool(detail.removals) for detail in details), changed)

    def remove(self, keys: Sequence[str], *, stop: Callable[[], bool]) -> RemovalDone:
        """Removes the copies in these groups as dedupe does, as one batch. Groups that have changed are left out.

        StaleGroup if there is one group only, and it has changed.
        """
        with self._changing:
            found, changed = self._as_they_are(keys)
            options = DedupeOptions(groups=[one.group for one in found])
            grouping = self._grouping_at(Level.COPIES)
            self.ids.add(member.file for one in found for member in one.group.members)
            deduped = self._writing(lambda: self.index.dedupe(options, grouping=grouping, stop=stop))
            self._note_batch(found, deduped)
        return RemovalDone(
            deduped.outcome.batch,
            deduped.removed,
            deduped.plan.left,
            deduped.outcome.refused,
            len({removal.kept.path_bytes for removal in deduped.removed}),
            changed,
            deduped.outcome.stopped,
        )

    def undo(self, batch: int | None, *, stop: Callable[[], bool]) -> Outcome:
        """Puts the files of a removal back: of this batch, else of the last one of this review, else of dedupe.

        UsageError if there is nothing to undo.
        """
        with self._changing:
            with self._lock:
                mine = [made for made in self._state.batches if not made.undone]
            if batch is None:
                batch = mine[-1].batch if mine else self._last_removal()
            outcome = self._writing(lambda: self.index.undo(batch, stop=stop))
            made = next((made for made in mine if made.batch == batch), None)
            if made is None:
                self.load_again()
            else:
                made.undone = True
                self._refresh_levels(made.digests)
        return outcome

    def done(self) -> tuple[list[Batch], dict[int, MadeBatch], list[MadeDecision]]:
        """The batches of dedupe, the last first; those of this review by number; its decisions, the last first."""
        batches = [batch for batch in self.index.history() if batch.command is BatchCommand.DEDUPE]
        with self._lock:
            mine = {made.batch: made for made in self._state.batches}
            return batches[::-1], mine, self._state.decisions[::-1]

    def search(self, data: bytes | None, address: str | None) -> tuple[Answer, dict[int, PictureWords]]:
        """Files that look like a picture, and their words. By its bytes, or by its path here. See HashIndex.query."""
        found = self.index.query(address, data=data, limits=self._grouping.limits)
        self.ids.add(hit.file for hit in found.hits)
        return found, self.index.words_of(hit.file for hit in found.hits)

    def find(self, words: str) -> list[FoundPicture]:
        """The best pictures with these words. See HashIndex.find."""
        found = self.index.find(words)
        self.ids.add(picture.file for picture in found)
        return found

    def explain(self, first: bytes, second: bytes) -> Explanation:
        """What two pictures are to each other. See HashIndex.explain."""
        return self.index.explain(first, second, limits=self._grouping.limits)

    # Beside other processes

    def watch_catalogue(self, stop: threading.Event) -> None:
        """Loads the groups again whenever another process has changed the catalogue. Returns after stop is set."""
        versions = self.index.versions()
        before = next(versions)
        not_before_s = 0.0
        is_changed = False
        while not stop.wait(POLL_S):
            now = next(versions)
            own_s = self._state.own_change_s
            if now != before and time.monotonic() - own_s > 2 * POLL_S:
                is_changed = True
            before = now
            is_unsure = own_s > 0 and time.monotonic() - own_s > QUIET_S
            if (is_changed or is_unsure) and time.monotonic() >= not_before_s and not self.is_changing:
                started = time.monotonic()
                # Errors are told where a page asks.
                with suppress(HashIndexError):
                    self.load_again()
                before = next(versions)
                is_changed = False
                not_before_s = time.monotonic() + LOAD_SHARE * (time.monotonic() - started)

    def load_again(self) -> None:
        """Loads the groups of all levels that were shown, and calls on_change if they are not as they were."""
        with self._lock:
            levels = list(self._state.stores)
            stamp = self._state.stamp
            self._state.own_change_s = 0.0
        is_other = False
        for level in levels:
            loaded = self._loaded(level)
            with self._lock:
                if self._state.stamp != stamp:
                    # A decision was made meanwhile, so what was read may be older. It is read again later.
                    self._state.own_change_s = time.monotonic()
                    return
                before = self._state.stores[level]
                is_other = is_other or {one.key for one in loaded} != {one.key for one in before.all()}
                self._state.stores[level] = GroupStore(loaded, before)
                self._state.new_paths = None
        with self._lock:
            self._state.stamp += is_other
        if is_other:
            self._on_change()

    # Parts of these

    def _grouping_at(self, level: Level) -> Grouping:
        return replace(self._grouping, level=level, hash=None)

    def _loaded(self, level: Level) -> list[HeldGroup]:
        groups = self.index.groups(self._grouping_at(level))
        reviewed = self.index.reviewed(level)
        return [held(group, kind_of(group, reviewed)) for group in groups]

    def _store(self, level: Level) -> GroupStore:
        """The groups of a level, loaded at the first call. Under the lock, so that they are loaded once."""
        store = self._state.stores.get(level)
        if store is None:
            store = self._state.stores[level] = GroupStore(self._loaded(level))
        return store

    def _shown(self, level: Level, query: GroupQuery) -> list[HeldGroup]:
        store = self._store(level)
        if query.order is Order.WEAKEST:
            unknown = [one for one in store.all() if one.weakest is None]
            for one, chances in zip(unknown, self.index.chances([one.group for one in unknown]), strict=True):
                one.weakest = weakest_of(chances)
        if query.only is Only.NEW and self._state.new_paths is None:
            self._state.new_paths = self.index.seen_since(time.time_ns() - NEW_DAYS * 24 * 3600 * 10**9)
        return store.shown(query, self._is_wanted, self._is_new)[: self._limit]

    def _is_wanted(self, group: Group) -> bool:
        """Whether the group is part of this review at all."""
        if self._folders and not any(has_member_below(group, folder) for folder in self._folders):
            return False
        return self._is_selected(group)

    def _is_new(self, group: Group) -> bool:
        return any(member.file.path_bytes in (self._state.new_paths or ()) for member in group.members)

    def _identical(self) -> list[HeldGroup]:
        return [one for one in self._store(Level.COPIES).identical() if self._is_wanted(one.group)]

    def _find(self, key: str) -> tuple[Level, HeldGroup]:
        """A group as it is in memory. StaleGroup if there was one, UnknownId if there never was."""
        for level, store in self._state.stores.items():
            one = store.get(key)
            if one is not None:
                return level, one
        for store in self._state.stores.values():
            digests = store.former(key)
            if digests is not None:
                raise StaleGroup(store.with_any(digests))
        raise UnknownId(Message("There is no such group in this review."))

    def _as_it_is(self, key: str) -> HeldGroup:
        """The group, read from the catalogue again. StaleGroup if it is another one now."""
        with self._lock:
            level, one = self._find(key)
        self._refresh(level, one.digests)
        with self._lock:
            store = self._store(level)
            now = store.get(key)
            if now is None:
                raise StaleGroup(store.with_any(one.digests))
        return now

    def _as_they_are(self, keys: Sequence[str]) -> tuple[list[HeldGroup], int]:
        """Groups of copies, read again, without those that have changed; and how many these are."""
        if len(keys) == 1:
            one = self._as_it_is(keys[0])
            if one.group.level is not Level.COPIES:
                raise UsageError(Message("Only copies are removed; choose the level copies."))
            return [one], 0
        with self._lock:
            before = [one for one in map(self._store(Level.COPIES).get, keys) if one is not None]
        for few in _parts(before, DETAILED):
            self._refresh(Level.COPIES, {digest for one in few for digest in one.digests})
        with self._lock:
            found = [one for one in map(self._store(Level.COPIES).get, keys) if one is not None]
        return found, len(keys) - len(found)

    def _add_details(self, level: Level, groups: Sequence[HeldGroup]) -> None:
        """Asks for the details of those of these groups that have none: dedupe's plan, and chances of the judge."""
        missing = [one for one in groups if one.detail is None]
        for few in _parts(missing, DETAILED):
            by_key = {one.key: one for one in few}
            for detail in self._details(level, [next(iter(one.digests)) for one in few]):
                one = by_key.get(detail.group.key)
                if one is not None:
                    one.detail, one.weakest = detail, weakest_of(detail.chances)

    def _add_words(self, groups: Sequence[HeldGroup]) -> None:
        """Reads the words of these groups, which may have changed since they were last shown."""
        words = self.index.words_of(member.file for one in groups for member in one.group.members)
        for one in groups:
            one.words = words

    def _details(self, level: Level, digests: Sequence[bytes]) -> list[GroupDetail]:
        # New verdicts are stored.
        return self._writing(lambda: self.index.group_details(digests, self._grouping_at(level)))

    def _refresh_levels(self, digests: Iterable[bytes]) -> None:
        for level in LEVELS:
            self._refresh(level, digests)

    def _refresh(self, level: Level, digests: Iterable[bytes]) -> None:
        """Reads the groups around these contents from the catalogue again, if those of the level are in memory."""
        with self._lock:
            if level not in self._state.stores:
                return
        found = [held(each.group, each.kind, each) for each in self._details(level, list(digests))]
        self._add_words(found)
        with self._lock:
            self._state.stores[level].replace(digests, found)
            self._state.stamp += 1

    def _as_reviewed(self, one: HeldGroup, kind: ReviewKind) -> HeldGroup:
        """The group, after a decision that changed nothing else of it."""
        with self._lock:
            store = self._store(one.group.level)
            now = store.get(one.key) or one
            now.kind = kind
            store.changed()
            self._state.stamp += 1
        return now

    def _is_on(self, made: MadeDecision, key: str | None) -> bool:
        """Whether a decision was made on this group, or on one that had a picture of it; of None: on any."""
        if key in (None, made.key):
            return True
        now = self._state.stores[made.change.level].get(key or "")
        return now is not None and not made.digests.isdisjoint(now.digests)

    def _note_batch(self, found: Sequence[HeldGroup], deduped: Deduped) -> None:
        digests = frozenset(digest for one in found for digest in one.digests)
        self._refresh_levels(digests)
        if deduped.outcome.batch is None:
            return
        with self._lock:
            store = self._store(Level.COPIES)
            finished = frozenset(one.key for one in found if store.with_any(one.digests) is None)
            self._state.batches.append(MadeBatch(deduped.outcome.batch, deduped.bytes, digests, finished))

    def _last_removal(self) -> int | None:
        batches = [
            batch.id
            for batch in self.index.history()
            if batch.command is BatchCommand.DEDUPE and (batch.done or batch.kept)
        ]
        if not batches:
            raise UsageError(Message("There is no removal to undo."))
        return batches[-1]

    def _writing(self, act: Callable[[], Result]) -> Result:
        """Calls what may change the catalogue, and notes when."""
        self._state.own_change_s = time.monotonic()
        try:
            return act()
        finally:
            self._state.own_change_s = time.monotonic()


def _parts(groups: Sequence[HeldGroup], most: int) -> Iterator[Sequence[HeldGroup]]:
    return (groups[start : start + most] for start in range(0, len(groups), most))
