"""From the catalogue to groups and plans: which contents hang together, which files they have, which numbers they got.

Reads the catalogue and the names in a destination; changes nothing, but says which verdicts it had to find out.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress, count
from typing import NamedTuple

from hashindex.disk import files
from hashindex.errors import UsageError
from hashindex.finding import hashes
from hashindex.finding.groups import Cluster, Engine, Key, UnionFind, alike, clusters, make_group, order
from hashindex.finding.neighbours import links_of
from hashindex.judgement.levels import RULES, Pair, Split, guarded, parted, with_copies
from hashindex.judgement.levels import Rule as LevelRule
from hashindex.judgement.relate import Answers
from hashindex.judgement.words import decisions_of
from hashindex.model import (
    SEARCHED,
    Action,
    File,
    Group,
    Keep,
    Level,
    Limits,
    Member,
    Placed,
    Plan,
    Relation,
    Verdict,
    WeakLink,
)
from hashindex.organizing.journal import Journal, merged
from hashindex.organizing.plan import Alike, make_plan
from hashindex.pictures.solo import Solo
from hashindex.store.catalogue import Catalogue

DEFAULT_HASH = "phash256"
GROUP_RADIUS = {"phash": 4, "dhash": 2, "ahash": 0, "whash": 0, "phash256": 24, "dhash256": 12}
"""Bits within which groups are made where a hash is asked for; what each gives on labelled pictures: docs/design.md."""


class Rule(NamedTuple):
    """How groups are made: by verdicts at a level, or by neighbours within each radius of radii in turn.

    recipe: the hash whose distances are shown, and by whose radii neighbours are found at Level.RADIUS.
    """

    level: Level
    recipe: hashes.Recipe
    radii: tuple[int, ...] = ()
    engine: Engine = Engine.AUTO
    turns: tuple[int, ...] = (0,)
    """Numbers of signature.TURNS in which pictures are compared at the other levels."""


def rule_of(
    level: str | None = None,
    hash: str | None = None,
    radius: int | None = None,
    passes: Sequence[int] = (),
    engine: str = Engine.AUTO,
    turns: tuple[int, ...] = (0,),
) -> Rule:
    """The rule that these arguments of HashIndex.groups ask for. UsageError as there."""
    by_radius = hash is not None or radius is not None or bool(passes)
    try:
        chosen_level = Level(level or (Level.RADIUS if by_radius else Level.COPIES))
    except ValueError:
        raise UsageError(f'There is no level called "{level}"; choose one of {", ".join(Level)}.') from None
    recipe = hashes.recipe_named(hash or DEFAULT_HASH)
    if chosen_level is not Level.RADIUS:
        if by_radius:
            raise UsageError(
                f"The level {chosen_level} is found by the judge, not by a hash: leave out the level, or else hash, "
                "radius and passes."
            )
        return Rule(chosen_level, recipe, turns=turns)
    if turns != (0,):
        raise UsageError("Mirrored and rotated pictures are found by the judge: leave out hash, radius and passes.")
    if passes and radius is not None:
        raise UsageError("A radius and passes exclude each other: passes are radii.")
    radii = tuple(passes) or (GROUP_RADIUS[recipe.name] if radius is None else radius,)
    try:
        chosen = Engine(engine)
    except ValueError:
        raise UsageError(f'There is no engine called "{engine}"; choose one of {", ".join(Engine)}.') from None
    return Rule(chosen_level, recipe, tuple(radius_in_range(radius, recipe) for radius in radii), chosen)


def radius_in_range(radius: int, recipe: hashes.Recipe) -> int:
    """The radius, if the hash has so many bits; else UsageError."""
    if not 0 <= radius <= recipe.bits:
        raise UsageError(
            f"The radius {radius} is out of range: {recipe.name} has {recipe.bits} bits, so 0 to {recipe.bits}."
        )
    return radius


class Grouped(NamedTuple):
    groups: list[Group]
    new: list[Verdict]
    """Verdicts that were found out on the way and are worth keeping."""


def groups_of(catalogue: Catalogue, rule: Rule, keep: Keep, limits: Limits = Limits()) -> Grouped:  # noqa: B008 - frozen
    """Groups of two or more present files outside destinations, by their lowest path."""
    with Solo(limits) as alone:
        return _groups_of(_how(catalogue, rule, alone), catalogue, rule, keep)


def _groups_of(how: "_Keyed | _Judged", catalogue: Catalogue, rule: Rule, keep: Keep) -> Grouped:
    contents = how.contents()
    files: dict[int, list[File]] = {}
    while True:
        found = list(how.clusters(contents))
        new = {id for cluster in found for id in cluster.contents}.difference(files)
        files |= catalogue.files_of(new)
        absent = new.difference(files)
        if not absent:
            break
        # Only now is it known that these have no present file; a chain must not go through them.
        contents -= absent
    files |= catalogue.files_of(set(catalogue.repeated_contents()).difference(files))
    clustered = {content for cluster in found for content in cluster.contents}
    found += [Cluster(0, (id,)) for id in files if id not in clustered and len(files[id]) > 1]
    key_of = how.keys_of(files).get
    groups = []
    for cluster in found:
        members = [file for id in cluster.contents for file in files[id]]
        group = make_group(members, key_of, keep, level=rule.level, hash=rule.recipe.name, radius=cluster.radius)
        groups.append(how.explained(group, files))
    # By path, not by id: ids depend on which worker was faster, and the same folder should get the same numbers.
    return Grouped(sorted(groups, key=lambda group: min(member.file.path for member in group.members)), how.new)


def _how(catalogue: Catalogue, rule: Rule, alone: Solo) -> "_Keyed | _Judged":
    return _Keyed(catalogue, rule) if rule.level is Level.RADIUS else _Judged(catalogue, rule, alone)


_IS_SEARCHED = bytes(state in SEARCHED for state in range(256))
"""By the state of a key: a million states at once take a third of the time."""


class _Shown:
    """The keys of a hash, by which distances are shown."""

    def __init__(self, catalogue: Catalogue, rule: Rule) -> None:
        self._plain = catalogue.plain_contents()
        self._lesser = catalogue.lesser_contents()
        self._versions = catalogue.keys.versions(rule.recipe.name)
        self._images = [catalogue.keys.image(version) for version in self._versions]

    def keys_of(self, contents: Collection[int]) -> dict[int, Key]:
        """The keys of these contents, but for those that have none; a call for each of them takes twice as long."""
        found: dict[int, Key] = {id: self._plain[id] for id in contents if id in self._plain}
        for image in self._images:
            found |= image.keys_of(contents)
        return found


class _Keyed(_Shown):
    """By a radius: compares the keys of every version of a hash, and the pixels of what has too little detail."""

    def __init__(self, catalogue: Catalogue, rule: Rule) -> None:
        super().__init__(catalogue, rule)
        self._rule = rule
        self.new: list[Verdict] = []
        # Version by version: keys of two recipes are not comparable, and each content has one of them.
        self._links = [alike(self._plain)]
        for version, image in zip(self._versions, self._images, strict=True):
            self._links.append(links_of(catalogue, version, image, max(rule.radii), rule.engine))

    def contents(self) -> set[int]:
        """Everything that can be compared, whether it has a file or not, but for what only lesser files have."""
        found = set(self._plain)
        for image in self._images:
            found.update(compress(count(), image.states.translate(_IS_SEARCHED)))
        found -= self._lesser
        return found

    def clusters(self, contents: Collection[int]) -> Iterator[Cluster]:
        """Those of these contents that belong together, two or more each."""
        return clusters(contents, self._rule.radii, self._links)

    def copies_among(self, contents: Sequence[int]) -> list[Sequence[int]]:
        return [contents]

    def explained(self, group: Group, files: dict[int, list[File]]) -> Group:
        """The group with what else is known of its members."""
        return group


class _Judged(_Shown):
    """By verdicts: pairs that were judged alike, a guard against chains, and a person's words before both."""

    def __init__(self, catalogue: Catalogue, rule: Rule, alone: Solo) -> None:
        super().__init__(catalogue, rule)
        self._catalogue = catalogue
        self._level = rule.level
        self._turns = rule.turns
        self._answers = Answers(catalogue, alone, rule.turns)
        self._decisions = decisions_of(catalogue)
        self._equal = set(alike(self._plain)(self._plain, 0))
        self._areas: dict[int, int] = {}
        self._kept: dict[Relation, list[Pair]] = {}
        self._splits: list[Split] = []
        self._copies: dict[int, int] = {}

    @property
    def new(self) -> list[Verdict]:
        return self._answers.new

    def contents(self) -> set[int]:
        pairs = {*self._alike(RULES[self._level]), *self._equal}
        return {id for pair in pairs for id in pair}.union(self._decisions.contents) - self._lesser

    def clusters(self, contents: Collection[int]) -> list[Cluster]:
        """Until no verdict is missing: what the guard has judged is a link too, as it will be the next time."""
        while True:
            asked = len(self.new)
            found = self._clusters(contents)
            if len(self.new) == asked:
                return found

    def _clusters(self, contents: Collection[int]) -> list[Cluster]:
        self._splits.clear()
        copies = self._groups(contents, Level.COPIES)
        self._copies = {id: number for number, group in enumerate(copies) for id in group}
        found = copies
        if self._level is Level.SIMILAR:
            self._splits.clear()
            alike = self._within(self._alike(RULES[Level.SIMILAR]), contents)
            found = [
                part
                for group in with_copies(self._groups(contents, Level.SIMILAR), copies)
                for part in parted(
                    group, alike, self._decisions.separate_among(group), self._judge, RULES[Level.SIMILAR]
                )
            ]
        return [Cluster(0, tuple(sorted(group))) for group in found if len(group) > 1]

    def copies_among(self, contents: Sequence[int]) -> list[Sequence[int]]:
        """A cluster in parts that are copies of one picture each."""
        parts: dict[int, list[int]] = {}
        for content in contents:
            parts.setdefault(self._copies_of(content), []).append(content)
        return list(parts.values())

    def _copies_of(self, content: int) -> int:
        """A number that all copies of it share; of one without copies its own, below zero."""
        return self._copies.get(content, -content - 1)

    def explained(self, group: Group, files: dict[int, list[File]]) -> Group:
        keeper = group.keeper.file.content.id
        ids = {member.file.content.id for member in group.members}
        members = [
            Member(file, distance, self._relation(keeper, file.content.id)) for file, distance, _ in group.members
        ]
        links = []
        for a, b, chance in self._splits:
            for one, other in ((a, b), (b, a)):
                if one in ids and other not in ids and other in files:
                    links.append(WeakLink(files[one][0].path, files[other][0].path, round(chance, 3)))
        return group._replace(members=tuple(members), weak_links=tuple(sorted(links)))

    def _relation(self, keeper: int, content: int) -> str:
        if content == keeper:
            return Relation.IDENTICAL.label
        pair = _ordered(keeper, content)
        if self._decisions.are_same(*pair):
            return Relation.COPY.label
        if self._plain.get(keeper) is not None and self._plain.get(keeper) == self._plain.get(content):
            return Relation.IDENTICAL.label
        found = self._answers.known(*pair)
        if found is not None and found.relation is Relation.IDENTICAL:
            return Relation.IDENTICAL.label
        return (Relation.COPY if self._copies_of(keeper) == self._copies_of(content) else Relation.VARIANT).label

    def _groups(self, contents: Collection[int], level: Level) -> list[list[int]]:
        """Groups at one level, two or more each."""
        rule = RULES[level]
        said = self._decisions.same_among(contents)
        alike = self._within([*self._alike(rule), *self._equal, *said], contents)
        alike += self._bridged(contents, rule)
        sets = UnionFind()
        sets.join_all(alike)
        found = sets.sets()
        self._read({id for group in found if len(group) > 2 for id in group})
        of_group: dict[int, list[Pair]] = {}
        for pair in alike:
            of_group.setdefault(sets.find(pair[0]), []).append(pair)
        groups: list[list[int]] = []
        for members in found:
            pairs = of_group[members[0]]
            nearest = partial(self._catalogue.verdicts.candidates_among, members, self._turns)
            split = guarded(members, pairs, nearest, self._judge, self._area, rule)
            self._splits += split.splits
            for group in split.groups:
                groups += parted(group, pairs, self._decisions.separate_among(group), self._judge, rule)
        return [group for group in groups if len(group) > 1]

    def _alike(self, rule: LevelRule) -> list[Pair]:
        if rule.joins not in self._kept:
            self._kept[rule.joins] = self._catalogue.verdicts.alike(rule.joins, self._turns)
        return self._kept[rule.joins] + [(found.a, found.b) for found in self.new if found.relation >= rule.joins]

    def _within(self, pairs: Iterable[Pair], contents: Collection[int]) -> list[Pair]:
        separate = self._decisions.separate
        return [pair for pair in pairs if pair[0] in contents and pair[1] in contents and pair not in separate]

    def _bridged(self, contents: Collection[int], rule: LevelRule) -> list[Pair]:
        """Pairs of these contents that hang together by way of others only, and are alike themselves too."""
        every = self._alike(rule)
        if all(a in contents and b in contents for a, b in every):
            return []
        whole, here = UnionFind(), UnionFind()
        whole.join_all(every)
        here.join_all((a, b) for a, b in every if a in contents and b in contents)
        away = {whole.find(id) for pair in every for id in pair if id not in contents}
        found = []
        for members in whole.sets():
            present = [id for id in members if id in contents]
            if whole.find(members[0]) not in away or len(present) < 2:
                continue
            self._read(present)
            for a, b in self._catalogue.verdicts.candidates_among(present, self._turns):
                if here.find(a) != here.find(b) and self._judge(a, b).relation >= rule.joins:
                    here.join_all([(a, b)])
                    found.append((a, b))
        return found

    def _read(self, contents: Collection[int]) -> None:
        self._answers.read(contents)
        self._areas |= self._catalogue.areas_of([id for id in contents if id not in self._areas])

    def _area(self, content: int) -> int:
        return self._areas.get(content, 0)

    def _judge(self, a: int, b: int) -> Verdict:
        pair = _ordered(a, b)
        if self._decisions.are_separate(*pair):
            return Verdict(*pair, 0, Relation.DIFFERENT, 0.0, 0.0, False)
        if self._decisions.are_same(*pair) or (a in self._plain and self._plain[a] == self._plain.get(b)):
            return Verdict(*pair, 0, Relation.IDENTICAL, 1.0, 1.0, False)
        return self._answers.between(*pair)


def _ordered(a: int, b: int) -> Pair:
    return (a, b) if a < b else (b, a)


class Planned(NamedTuple):
    plan: Plan
    new: list[Verdict]
    """Verdicts that were found out on the way and are worth keeping."""


def plan_for(
    catalogue: Catalogue, dest: bytes, action: Action, rule: Rule, keep: Keep, *, rest: bool, again: bool,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Planned:  # fmt: skip
    """What organize would do: clusters of present files and of what was placed in dest before; see plan.make_plan."""
    with Solo(limits) as alone:
        return _plan_for(_how(catalogue, rule, alone), catalogue, dest, action, keep, rest=rest, again=again)


def _plan_for(
    how: "_Keyed | _Judged", catalogue: Catalogue, dest: bytes, action: Action, keep: Keep, *, rest: bool, again: bool
) -> Planned:
    manifest, taken = _there(dest)
    placed = merged(Journal(catalogue).placed(dest), manifest)
    numbers: dict[int, set[int]] = {}
    for entry in placed:
        content = catalogue.content_with(entry.digest)
        if content is not None:
            numbers.setdefault(content, set()).add(entry.number)
    own: dict[int, list[File]] = {}
    for file in catalogue.present_pictures():
        # dest may lie inside a root and not be marked yet.
        if not files.is_within(file.path, dest):
            own.setdefault(file.content.id, []).append(file)
    together = [cluster.contents for cluster in how.clusters(own.keys() | numbers.keys())]
    clustered = {content for contents in together for content in contents}
    together += [(content,) for content in own if content not in clustered]
    lots = []
    for contents in together:
        sets = []
        for copies in how.copies_among(contents):
            members = order([file for content in copies for file in own.get(content, ())], keep)
            if members:
                before = sorted({number for content in copies for number in numbers.get(content, ())})
                others = sum(content not in own for content in contents)
                near = {number for content in contents for number in numbers.get(content, ())}.difference(before)
                is_group = len(contents) - len(copies) + len(members) + others > 1
                sets.append(Alike(tuple(members), tuple(before), is_group, tuple(sorted(near))))
        if sets:
            # Variants get numbers next to each other.
            lots.append(sorted(sets, key=_lowest_path))
    lots.sort(key=lambda sets: _lowest_path(sets[0]))
    sets = [alike for lot in lots for alike in lot]
    plan = make_plan(sets, dest, action, placed=placed, taken=taken, again=again, rest=rest)
    return Planned(plan, how.new)


def _there(dest: bytes) -> tuple[list[Placed], list[bytes]]:
    """What a destination's manifest says, and the names in it. UsageError where it cannot be read."""
    try:
        return files.read_manifest(dest), files.names_in(dest)
    except OSError as error:
        raise UsageError(f"{os.fsdecode(dest)}: {files.reason_of(error, 'folder')}.") from error


def _lowest_path(alike: Alike) -> bytes:
    return min(file.path for file in alike.files)
