"""From the catalogue to groups: which contents belong together, and which files they have.

Reads the catalogue and changes nothing. New verdicts and standings are returned, so that the caller can store them.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations, compress, count
from typing import NamedTuple

from hashindex.core.keep_rules import KeepRule
from hashindex.core.language import Message
from hashindex.core.messages import SEARCHED, Objection, Verdict
from hashindex.core.model import File, Group, Progress, Relation, Totals, WeakLink
from hashindex.core.options import Keep, Level
from hashindex.hashing.unionfind import UnionFind
from hashindex.index.clusters import Cluster, Key, alike, clusters, make_group, searched
from hashindex.index.decisions import decisions_of
from hashindex.index.grouping import Grouping
from hashindex.index.judge_new import Answers, in_order
from hashindex.index.keep_order import deciding_rule
from hashindex.index.keeping import Keepers
from hashindex.judge.faults import WORDS, Ranked, sentence
from hashindex.judge.levels import (
    RULES,
    ContentPair,
    Guarded,
    LevelThresholds,
    Split,
    finer,
    guarded,
    parted,
    shows_less,
    with_copies,
    with_keeper_first,
)
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing

_GROUPING = Progress(0, 0, 0, walking=False, comparing=True, grouping=True)
COMPARED_ANIMATIONS = 6
"""At most this many animations of one group are all compared with each other, about 50 ms a pair, once."""


class Grouped(NamedTuple):
    groups: list[Group]
    new: list[Verdict]
    """Verdicts that were not stored yet."""
    standings: list[Standing]
    """Standings (which copy is best) that were not stored yet."""


def groups_of(
    catalogue: Catalogue, grouping: Grouping, on_progress: Callable[[Progress], None] = lambda progress: None
) -> Grouped:
    """Groups of two or more present files outside destinations, sorted and numbered by their lowest path.

    on_progress: called after each newly judged pair, and after each choice of a best copy.
    """
    with IsolatedWorker(grouping.limits) as worker:
        how = clusters_by(catalogue, grouping, worker, on_progress)
        return groups_among(how, catalogue, grouping, BestCopies(catalogue, how, grouping, worker, on_progress))


def groups_among(
    how: "HashClusters | JudgedClusters", catalogue: Catalogue, grouping: Grouping, best: "BestCopies"
) -> Grouped:
    """As groups_of. how, best: answer further questions about the groups afterwards."""
    found, files = _clusters_with_files(how, catalogue)
    key_of = how.keys_of(files).get
    best.compare([cluster.contents for cluster in found], files)
    # By path, not by content id: content ids depend on the speed of workers, but group numbers must not. The files of a
    # content are in the order of their paths.
    found.sort(key=lambda cluster: min([files[id][0].path_bytes for id in cluster.contents]))
    groups = []
    for number, cluster in enumerate(found, 1):
        members = [file for id in cluster.contents for file in files[id]]
        ranks = best.ranks(cluster.contents, files)
        group = make_group(
            members,
            key_of,
            grouping.keep_rules,
            number=number,
            level=grouping.at_level,
            hash=grouping.recipe.name,
            radius=cluster.radius,
            ranks=ranks,
            chosen=best.chosen,
        )
        groups.append(best.explained(how.explained(group, files), ranks))
    return Grouped(groups, how.new, best.new)


def _clusters_with_files(
    how: "HashClusters | JudgedClusters", catalogue: Catalogue
) -> tuple[list[Cluster], dict[int, list[File]]]:
    """The clusters with two or more present files, and the files of their contents."""
    contents = how.contents()
    files: dict[int, list[File]] = {}
    while True:
        found = list(how.clusters(contents))
        new = {id for cluster in found for id in cluster.contents}.difference(files)
        files |= catalogue.files_of(new)
        absent = new.difference(files)
        if not absent:
            break
        # These contents turned out to have no present file; a chain must not go through them.
        contents -= absent
    files |= catalogue.files_of(set(catalogue.repeated_contents(how.among)).difference(files))
    clustered = {content for cluster in found for content in cluster.contents}
    found += [Cluster(0, (id,)) for id in files if id not in clustered and len(files[id]) > 1]
    return found, files


def totals_of(
    catalogue: Catalogue, grouping: Grouping, on_progress: Callable[[Progress], None] = lambda progress: None
) -> tuple[Totals, list[Verdict]]:
    """What the groups of groups_of come to, and the verdicts that were not stored yet.

    The best copies, which groups_of finds by opening files, are not needed.
    """
    with IsolatedWorker(grouping.limits) as worker:
        how = clusters_by(catalogue, grouping, worker, on_progress)
        found, files = _clusters_with_files(how, catalogue)
    sizes = [[file.size for id in cluster.contents for file in files[id]] for cluster in found]
    extra = sum(map(len, sizes)) - len(sizes)
    return Totals(len(sizes), extra, sum(sum(each) - max(each) for each in sizes)), how.new


class BestCopies:
    """Finds the best copies, if the rules ask for them and the judge has found copies."""

    def __init__(
        self,
        catalogue: Catalogue,
        how: "HashClusters | JudgedClusters",
        grouping: Grouping,
        worker: IsolatedWorker,
        on_progress: Callable[[Progress], None],
    ) -> None:
        """worker: compares the copies of a few groups."""
        # Members within a radius need not show the same picture, so their quality cannot be compared.
        self._wants_best = Keep.BEST in grouping.keep_rules and grouping.by_verdicts
        self._how = how
        self._keep = grouping.keep_rules
        self.chosen = catalogue.reviews.keepers()
        """The user's decisions on keepers, by digest."""

        def on_chosen(done: int, total: int) -> None:
            on_progress(_GROUPING._replace(grouping=False, choosing=True, judged=done, to_judge=total))

        self._keepers = Keepers(catalogue, worker, grouping.workers, on_chosen)

    @property
    def new(self) -> list[Standing]:
        return self._keepers.new

    def compare(self, clusters: Iterable[Sequence[int]], held: Mapping[int, Sequence[File]]) -> None:
        """Finds the best among the copies in each of these clusters."""
        if self._wants_best:
            parts = [part for contents in clusters for part in self._how.copies_among(contents)]
            self._keepers.compare([part for part in parts if len(part) > 1], held)

    def ranks(self, contents: Sequence[int], held: Mapping[int, Sequence[File]]) -> dict[int, int]:
        """Content -> rank, 0 for the best. Larger sets of copies come first, then sets with larger files."""
        if not self._wants_best:
            return {}

        def weight(part: Sequence[int]) -> tuple[int, int]:
            return -len(part), -max(file.size for id in part for file in held[id])

        found: dict[int, int] = {}
        for part in sorted(self._how.copies_among(contents), key=weight):
            next_rank = 1 + max(found.values(), default=-1)
            found |= {id: next_rank + ranked.rank for id, ranked in self._keepers.of(part).items()}
        return found

    def explained(self, group: Group, ranks: Mapping[int, int]) -> Group:
        """Adds the reason for the keeper and the faults of the other members to the group."""
        held = [member.file for member in group.members]
        decision = self.chosen.get(held[0].content.digest)
        if len({file.content.id for file in held}) == 1:
            rule = _why_of_equal(deciding_rule(held, self._keep)) if decision is None else _DECIDED
            return group._replace(why=Message("kept: {rule}; all have the same bytes", rule=rule))
        if decision is not None:
            group = self._explained_by_rules(group, held, ranks)._replace(why=Message("kept: {rule}", rule=_DECIDED))
            others = {file.content.digest for file in held} - {decision.digest}
            return group._replace(doubt=None) if decision.over.issuperset(others) else group
        return self._explained_by_rules(group, held, ranks)

    def _explained_by_rules(self, group: Group, held: Sequence[File], ranks: Mapping[int, int]) -> Group:
        rule = deciding_rule(held, self._keep, ranks)
        if not self._wants_best:
            # Without ranks, Keep.BEST falls back to the order for ties.
            known = Keep.BEST if rule is None and Keep.BEST in self._keep else rule
            return group._replace(why=Message("kept: {rule}", rule=_why(known)))
        standing = self.standing(held)
        members = tuple(
            member._replace(faults=tuple(WORDS[fault] for fault in standing[member.file.content.id].faults))
            for member in group.members
        )
        doubts = [self._keepers.doubt(part) for part in self._parts(held)]
        doubt = next((doubt for doubt in doubts if doubt), None)
        keeper_id = held[0].content.id
        others = [standing[file.content.id].faults for file in held if file.content.id != keeper_id]
        why = (
            sentence(standing[keeper_id].faults, others)
            if rule in (None, Keep.BEST)
            else Message("kept: {rule}", rule=_why(rule))
        )
        return group._replace(members=members, why=why, doubt=doubt)

    def standing(self, held: Sequence[File]) -> dict[int, Ranked]:
        """Content -> its rank and faults among the copies of one picture. held: the files of one group."""
        return {id: ranked for part in self._parts(held) for id, ranked in self._keepers.of(part).items()}

    def _parts(self, held: Sequence[File]) -> list[Sequence[int]]:
        return self._how.copies_among(sorted({file.content.id for file in held}))


_DECIDED = Message("your decision")
_WHY: Mapping[Keep, str] = {
    Keep.BEST: Message("the largest file"),
    Keep.LARGEST: Message("the largest file"),
    Keep.PIXELS: Message("the most pixels"),
    Keep.OLDEST: Message("the oldest file"),
    Keep.NEWEST: Message("the newest file"),
}


def _why(rule: KeepRule | None) -> str:
    """The property of the keeper by which this rule chose it."""
    if rule is None:
        return Message("the first by size, age and path, because all members tie under the rules")
    return _WHY[rule] if isinstance(rule, Keep) else Message("the file below {folder}", folder=os.fsdecode(rule.folder))


def _why_of_equal(rule: KeepRule | None) -> str:
    return Message("the oldest file") if rule in (None, Keep.BEST) else _why(rule)


def clusters_by(
    catalogue: Catalogue,
    grouping: Grouping,
    worker: IsolatedWorker,
    on_progress: Callable[[Progress], None],
    among: Collection[int] | None = None,
) -> "HashClusters | JudgedClusters":
    """The cluster finder for this grouping. worker: opens pictures that must be judged now. among: see around."""
    on_progress(_GROUPING)
    if grouping.by_verdicts:
        return JudgedClusters(
            catalogue, grouping, worker, lambda count: on_progress(_GROUPING._replace(judged=count)), among
        )
    return HashClusters(catalogue, grouping)


def around(catalogue: Catalogue, grouping: Grouping, contents: Collection[int]) -> set[int]:
    """All contents that can be in one group with these: the groups among them are those among all contents.

    grouping: by verdicts. Cost: by the number of contents that are found.
    """
    decisions = decisions_of(catalogue)
    found: set[int] = set()
    wider = set(contents)
    while wider != found:
        found = wider
        wider = catalogue.verdicts.linked_with(found, RULES[grouping.at_level].joins, grouping.turns)
        wider |= catalogue.with_equal_pixels(wider)
        wider = decisions.with_same(wider)
    return found


_IS_SEARCHED = bytes(state == SEARCHED for state in range(256))
"""A table for bytes.translate: a third of the time of a loop at a million keys."""


class _DisplayedKeys:
    """The keys of the hash whose distances are shown."""

    def __init__(self, catalogue: Catalogue, grouping: Grouping, among: Collection[int] | None = None) -> None:
        """among: the only contents that are asked for; None for all."""
        self.among = among
        self._low_detail = catalogue.low_detail_contents(among)
        self._superseded = catalogue.superseded_contents(among)
        self._keys = catalogue.keys
        self._versions = self._keys.versions(grouping.recipe.name)
        self._snapshots = [self._keys.snapshot(version) for version in self._versions if among is None]

    def keys_of(self, contents: Collection[int]) -> dict[int, Key]:
        """Content -> key; contents without a key are left out. One call per content would take twice as long."""
        found: dict[int, Key] = {id: self._low_detail[id] for id in contents if id in self._low_detail}
        for snapshot in self._snapshots:
            found |= snapshot.keys_of(contents)
        for version in self._versions if self.among is not None else ():
            found |= self._keys.searched_keys(version, contents)
        return found


class HashClusters(_DisplayedKeys):
    """Clusters by radius: compares keys of each version of a hash, and exact pixels of low-detail pictures."""

    def __init__(self, catalogue: Catalogue, grouping: Grouping) -> None:
        super().__init__(catalogue, grouping)
        self._radii = grouping.radii
        self.new: list[Verdict] = []
        # Version by version: keys of different versions are not comparable, and each content has a key of one version.
        self._links = [alike(self._low_detail)]
        self._links += [searched(snapshot, grouping.engine) for snapshot in self._snapshots]

    def contents(self) -> set[int]:
        """All comparable contents, with or without a file, except those that have superseded renditions only."""
        found = set(self._low_detail)
        for snapshot in self._snapshots:
            found.update(compress(count(), snapshot.states.translate(_IS_SEARCHED)))
        found -= self._superseded
        return found

    def clusters(self, contents: Collection[int]) -> Iterator[Cluster]:
        """Clusters of two or more of these contents."""
        return clusters(contents, self._radii, self._links)

    def copies_among(self, contents: Sequence[int]) -> list[Sequence[int]]:
        return [contents]

    def explained(self, group: Group, files: dict[int, list[File]]) -> Group:
        """The group; nothing more is known about its members."""
        return group


class JudgedClusters(_DisplayedKeys):
    """Clusters by verdicts on pairs, with a guard against chains. The user's decisions override both.

    The groups depend on the pictures and the decisions only: not on content ids, nor on which pairs a scan or an
    earlier query has judged. Contents are therefore numbered by Rank here.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        grouping: Grouping,
        worker: IsolatedWorker,
        on_judged: Callable[[int], None],
        among: Collection[int] | None = None,
    ) -> None:
        super().__init__(catalogue, grouping, among)
        self._catalogue = catalogue
        self._level = grouping.at_level
        self._turns = grouping.turns
        self._answers = Answers(catalogue, worker, grouping.turns, on_judged)
        self._decisions = decisions_of(catalogue)
        self._alike = catalogue.verdicts.alike(RULES[self._level].joins, self._turns, among)
        self._equal = set(alike(self._low_detail)(self._low_detail, 0))
        self._ranks = catalogue.ranks_of(self._linked())
        self._ids = sorted(self._ranks, key=lambda id: self._ranks[id])
        self._number = {id: number for number, id in enumerate(self._ids)}
        self._areas: dict[int, int] = {}
        self._relations: dict[ContentPair, Relation] = {}
        """Relations that were needed to form the groups, by pairs of numbers."""
        self._splits: list[Split] = []
        self._counted: set[ContentPair] = set()
        """Pairs of numbers whose verdicts count: those that an uninterrupted scan judges, and those that the guard asks
        for. Others are stored because of earlier questions, and their objections must not separate anything."""
        self._copies: dict[int, int] = {}

    def _linked(self) -> set[int]:
        pairs = [(one.a, one.b) for one in self._alike]
        linked = {id for pair in (*pairs, *self._equal) for id in pair}.union(self._decisions.contents)
        return linked if self.among is None else linked.intersection(self.among)

    @property
    def new(self) -> list[Verdict]:
        return self._answers.new

    def contents(self) -> set[int]:
        return self._linked() - self._superseded

    def clusters(self, contents: Collection[int]) -> list[Cluster]:
        here = [id for id in self._ids if id in contents]
        self._relations.clear()
        self._splits.clear()
        self._counted.clear()
        by_verdicts = self._joining(here)
        by_pixels = self._equal_among(here)
        same = [self._numbered(pair) for pair in self._decisions.same_among(set(here))]
        sure = [pair for pair in dict.fromkeys([*by_pixels, *same]) if not self._are_separate(*pair)]
        copies = self._groups(sure, by_verdicts, Level.COPIES)
        self._copies = {self._ids[one]: number for number, group in enumerate(copies) for one in group}
        found = copies
        if self._level is Level.SIMILAR:
            self._splits.clear()
            # Reuse the relations that the guard needed for copies.
            by_verdicts = list({**dict(by_verdicts), **self._relations}.items())
            pairs = [pair for pair, relation in by_verdicts if relation is not Relation.DIFFERENT]
            found = [
                part
                for group in with_copies(self._groups(sure, by_verdicts, Level.SIMILAR), copies)
                for part in parted(group, pairs, self._separate_among(group), self._judge, RULES[Level.SIMILAR])
            ]
        return [Cluster(0, tuple(sorted(self._ids[one] for one in group))) for group in found if len(group) > 1]

    def copies_among(self, contents: Sequence[int]) -> list[Sequence[int]]:
        """Splits a cluster into parts that are copies of one picture each."""
        parts: dict[int, list[int]] = {}
        for content in contents:
            parts.setdefault(self._copies_of(content), []).append(content)
        return list(parts.values())

    def _copies_of(self, content: int) -> int:
        """A number that all copies of a picture share; a negative number of its own if it has no copies."""
        return self._copies.get(content, -content - 1)

    def explained(self, group: Group, files: dict[int, list[File]]) -> Group:
        keeper = group.keeper.file.content.id
        ids = {member.file.content.id for member in group.members}
        members = [member._replace(relation=self._relation(keeper, member.file.content.id)) for member in group.members]
        links = []
        for a, b, chance in self._splits:
            for one, other in ((self._ids[a], self._ids[b]), (self._ids[b], self._ids[a])):
                if one in ids and other not in ids and other in files:
                    links.append(WeakLink(files[one][0].path_bytes, files[other][0].path_bytes, round(chance, 3)))
        return group._replace(members=tuple(members), weak_links=tuple(sorted(links)))

    def verdict(self, a: int, b: int) -> Verdict:
        """The verdict on two contents of one group, judged now if it is not known. The user's decisions override it."""
        return self._judge(self._number[a], self._number[b])

    def are_decided_same(self, a: int, b: int) -> bool:
        """Whether the user decided that two contents are one picture."""
        return self._decisions.are_same(*_ordered(a, b))

    def _relation(self, keeper: int, content: int) -> Relation:
        if content == keeper:
            return Relation.IDENTICAL
        pair = _ordered(keeper, content)
        if self._decisions.are_same(*pair):
            return Relation.COPY
        if self._low_detail.get(keeper) is not None and self._low_detail.get(keeper) == self._low_detail.get(content):
            return Relation.IDENTICAL
        if self._relations.get(self._numbered(pair)) is Relation.IDENTICAL:
            return Relation.IDENTICAL
        return Relation.COPY if self._copies_of(keeper) == self._copies_of(content) else Relation.VARIANT

    def _joining(self, here: Sequence[int]) -> list[tuple[ContentPair, Relation]]:
        """Candidate pairs of these contents that are copies or variants, in order, by their numbers.

        A pair is left out if earlier pairs already connect its contents as copies: an uninterrupted scan does not judge
        such a pair, so a verdict from another scan must not count. A pair that a scan skipped because of a content that
        is absent here, or because of a pair that is no candidate any more, is judged now.
        """
        present = set(here)
        connected = UnionFind()
        connected.join_all((one.a, one.b) for one in self._alike)
        sets = connected.sets()
        small = {members[0] for members in sets if len(members) == 2}
        candidates = {(one.a, one.b, one.turn): one for one in self._alike}
        several = [id for members in sets if len(members) > 2 for id in members if id in present]
        self._load(several)
        others = self._catalogue.verdicts.candidates_among(several, self._turns, variants=self._level is Level.SIMILAR)
        candidates |= {
            (one.a, one.b, one.turn): one
            for one in others
            if one.relation is None or one.b in self._answers.denied(one.a)
        }
        among = [
            one
            for one in candidates.values()
            if one.a in present and one.b in present and not self._decisions.are_separate(one.a, one.b)
        ]
        copies = UnionFind()
        found: dict[ContentPair, Relation] = {}
        for one in [*among] if not several else in_order(among, self._ranks):
            if connected.find(one.a) not in small and copies.find(one.a) == copies.find(one.b):
                continue
            pair = self._numbered((one.a, one.b))
            self._counted.add(pair)
            relation = one.relation
            if relation is None:
                relation = self._answers.in_turn(one.a, one.b, one.turn).relation
            if relation >= Relation.COPY:
                copies.join_all([(one.a, one.b)])
            if relation is not Relation.DIFFERENT:
                found[pair] = max(relation, found.get(pair, relation))
        self._relations |= found
        return list(found.items())

    def _equal_among(self, here: Sequence[int]) -> list[ContentPair]:
        """Links the first of several contents with equal pixels to each of the others, by numbers."""
        low_detail = {self._number[id]: self._low_detail[id] for id in here if id in self._low_detail}
        return list(alike(low_detail)(low_detail, 0))

    def _groups(
        self, sure: Sequence[ContentPair], by_verdicts: Sequence[tuple[ContentPair, Relation]], level: Level
    ) -> list[list[int]]:
        """Groups of two or more at one level, by numbers."""
        rule = RULES[level]
        pairs = [*(pair for pair, relation in by_verdicts if relation >= rule.joins), *sure]
        sets = UnionFind()
        sets.join_all(pairs)
        found = sets.sets()
        self._load({self._ids[one] for group in found if len(group) > 2 for one in group})
        pairs_by_set: dict[int, list[ContentPair]] = {}
        for pair in pairs:
            pairs_by_set.setdefault(sets.find(pair[0]), []).append(pair)
        groups: list[list[int]] = []
        for members in found:
            own_pairs = pairs_by_set[members[0]]
            split = self._guarded(members, own_pairs, rule)
            self._splits += split.splits
            for group in split.groups:
                groups += self._parted(group, own_pairs, rule)
        return [group for group in groups if len(group) > 1]

    def _parted(self, group: Sequence[int], pairs: list[ContentPair], rule: LevelThresholds) -> list[list[int]]:
        """Splits a group until it holds no two members that must not be together. Its keeper is first."""
        separate = [*self._separate_among(group), *self._denied(group, pairs, rule)]
        parts = parted(group, pairs, separate, self._judge, rule)
        if len(parts) == 1:
            return parts
        # Another keeper may see what the first one could not.
        return [
            each for part in parts for each in self._parted(with_keeper_first(part, pairs, self._area), pairs, rule)
        ]

    def _denied(self, group: Sequence[int], pairs: list[ContentPair], rule: LevelThresholds) -> list[ContentPair]:
        """Pairs of one group that are no copies of each other, as far as their verdicts count.

        Stills whose keeper, which comes first, is a copy of both are no such pair: a blurred picture and one with a
        strong watermark are no copies of each other, and both are copies of the one between them. But a keeper that is
        smaller than both says nothing about what only the larger ones show. Animations always are such a pair: a short
        or small one in between may lack the very frames in which two others differ. A few animations are all compared
        with each other.
        """
        if rule.joins < Relation.COPY or len(group) < 3:
            return []
        moving = self._catalogue.animations_among([self._ids[one] for one in group])
        if len(moving) <= COMPARED_ANIMATIONS:
            for pair in combinations([one for one in group if self._ids[one] in moving], 2):
                self._judge(*pair)
        larger = finer(group, pairs, self._judge, self._area, rule)
        within = set(group)
        objections = {
            _ordered(one, self._number[other]): objection
            for one in group
            for other, objection in self._answers.denied(self._ids[one]).items()
            if self._number.get(other) in within and _ordered(one, self._number[other]) in self._counted
        }
        involved = {id for pair in objections for id in pair}
        keepers = [group[0], *([larger.keeper] if larger else [])]
        close = {
            keeper: {id for id in involved if id == keeper or self._judge(keeper, id).relation >= rule.joins}
            for keeper in keepers
        }

        def is_between(keeper: int, pair: ContentPair) -> bool:
            return close[keeper].issuperset(pair) and not shows_less(keeper, *pair, self._area)

        denied = [
            pair
            for pair, objection in objections.items()
            if objection is Objection.FRAMES or not any(is_between(keeper, pair) for keeper in keepers)
        ]
        return [
            pair
            for pair in dict.fromkeys([*(larger.denied if larger else ()), *denied])
            if not self._decisions.are_same(self._ids[pair[0]], self._ids[pair[1]])
        ]

    def _guarded(self, members: Sequence[int], pairs: list[ContentPair], rule: LevelThresholds) -> Guarded:
        """Applies the guard to one set that is connected by pairs.

        The guard judges further pairs, and some of them are links too. They are added to pairs, and the guard runs
        again until it finds no new link.
        """
        known = set(pairs)
        candidates = partial(self._candidates, members)
        while True:
            judged: dict[ContentPair, Verdict] = {}

            def judge(one: int, other: int, judged: dict[ContentPair, Verdict] = judged) -> Verdict:
                found = judged[_ordered(one, other)] = self._judge(one, other)
                return found

            split = guarded(members, pairs, candidates, judge, self._area, rule)
            new = [pair for pair, found in judged.items() if found.relation >= rule.joins and pair not in known]
            if not new:
                return split
            known.update(new)
            pairs += new

    def _candidates(self, members: Collection[int]) -> list[ContentPair]:
        """Candidate pairs of these members, the nearest first, by numbers."""
        found = self._catalogue.verdicts.candidates_among([self._ids[one] for one in members], self._turns)
        ordered = in_order(found, self._ranks)
        return list(dict.fromkeys(self._numbered((one.a, one.b)) for one in ordered))

    def _numbered(self, pair: ContentPair) -> ContentPair:
        return _ordered(self._number[pair[0]], self._number[pair[1]])

    def _separate_among(self, members: Sequence[int]) -> list[ContentPair]:
        """Pairs of these members that the user has marked separate."""
        found = self._decisions.separate_among([self._ids[one] for one in members])
        return [self._numbered(pair) for pair in found]

    def _are_separate(self, one: int, other: int) -> bool:
        return self._decisions.are_separate(self._ids[one], self._ids[other])

    def _load(self, contents: Collection[int]) -> None:
        self._answers.read(contents)
        self._areas |= self._catalogue.areas_of([id for id in contents if id not in self._areas])

    def _area(self, one: int) -> int:
        return self._areas.get(self._ids[one], 0)

    def _judge(self, one: int, other: int) -> Verdict:
        pair = _ordered(self._ids[one], self._ids[other])
        a, b = pair
        if self._decisions.are_separate(a, b):
            return Verdict(*pair, 0, Relation.DIFFERENT, 0.0, 0.0, False)
        equal_pixels = a in self._low_detail and self._low_detail[a] == self._low_detail.get(b)
        if self._decisions.are_same(*pair) or equal_pixels:
            return Verdict(*pair, 0, Relation.IDENTICAL, 1.0, 1.0, False)
        found = self._answers.between(a, b)
        self._counted.add(_ordered(one, other))
        self._relations[_ordered(one, other)] = found.relation
        return found


def _ordered(a: int, b: int) -> ContentPair:
    return (a, b) if a < b else (b, a)
