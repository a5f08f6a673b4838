"""From the catalogue to groups and plans: which contents hang together, which files they have, which numbers they got.

Reads the catalogue and the names in a destination; changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from hashindex import files, hashes
from hashindex.catalogue import Catalogue
from hashindex.errors import UsageError
from hashindex.groups import Cluster, Engine, Key, alike, clusters, make_group, order
from hashindex.journal import Journal, merged
from hashindex.model import SEARCHED, Action, File, Group, Keep, Plan
from hashindex.neighbours import links_of
from hashindex.plan import Alike, make_plan

DEFAULT_HASH = "phash256"
GROUP_RADIUS = {"phash": 4, "dhash": 2, "ahash": 0, "whash": 0, "phash256": 24, "dhash256": 12}
"""Bits within which groups are made by default; why, and what each gives on labelled pictures: docs/design.md."""


class Rule(NamedTuple):
    """How groups are made: neighbours within each radius of radii in turn; see groups.clusters."""

    recipe: hashes.Recipe
    radii: tuple[int, ...]
    engine: Engine = Engine.AUTO


def rule_of(hash: str, radius: int | None, passes: Sequence[int], engine: str = Engine.AUTO) -> Rule:
    """The rule that these arguments of HashIndex.groups ask for. UsageError as there."""
    recipe = hashes.recipe_named(hash)
    if passes and radius is not None:
        raise UsageError("A radius and passes exclude each other: passes are radii.")
    radii = tuple(passes) or (GROUP_RADIUS[hash] if radius is None else radius,)
    try:
        chosen = Engine(engine)
    except ValueError:
        raise UsageError(f'There is no engine called "{engine}"; choose one of {", ".join(Engine)}.') from None
    return Rule(recipe, tuple(radius_in_range(radius, recipe) for radius in radii), chosen)


def radius_in_range(radius: int, recipe: hashes.Recipe) -> int:
    """The radius, if the hash has so many bits; else UsageError."""
    if not 0 <= radius <= recipe.bits:
        raise UsageError(
            f"The radius {radius} is out of range: {recipe.name} has {recipe.bits} bits, so 0 to {recipe.bits}."
        )
    return radius


def groups_of(catalogue: Catalogue, rule: Rule, keep: Keep) -> list[Group]:
    """Groups of two or more present files outside destinations, by their lowest path."""
    keyed = _Keyed(catalogue, rule)
    contents = keyed.contents()
    files: dict[int, list[File]] = {}
    while True:
        found = list(keyed.clusters(contents))
        new = {id for cluster in found for id in cluster.contents}.difference(files)
        files |= catalogue.files_of(new)
        absent = new.difference(files)
        if not absent:
            break
        # Only now is it known that these have no present file; a chain must not go through them.
        contents -= absent
    files |= catalogue.files_of(set(catalogue.repeated_contents()).difference(files))
    clustered = {content for cluster in found for content in cluster.contents}
    found += [Cluster(rule.radii[0], (id,)) for id in files if id not in clustered and len(files[id]) > 1]
    groups = [
        make_group(
            [file for id in cluster.contents for file in files[id]],
            keyed.key_of,
            keep,
            hash=rule.recipe.name,
            radius=cluster.radius,
        )
        for cluster in found
    ]
    # By path, not by id: ids depend on which worker was faster, and the same folder should get the same numbers.
    return sorted(groups, key=lambda group: min(member.file.path for member in group.members))


class _Keyed:
    """What a rule compares: the keys of every version of its hash, and the pixels of what has too little detail."""

    def __init__(self, catalogue: Catalogue, rule: Rule) -> None:
        self._rule = rule
        self._plain = catalogue.plain_contents()
        versions = catalogue.keys.versions(rule.recipe.name)
        self._images = [catalogue.keys.image(version) for version in versions]
        # Version by version: keys of two recipes are not comparable, and each content has one of them.
        self._links = [alike(self._plain)]
        for version, image in zip(versions, self._images, strict=True):
            self._links.append(links_of(catalogue, version, image, max(rule.radii), rule.engine))

    def contents(self) -> set[int]:
        """Everything that can be compared, whether it has a file or not."""
        found = set(self._plain)
        for image in self._images:
            found.update(id for id, state in enumerate(image.states) if state in SEARCHED)
        return found

    def clusters(self, contents: Collection[int]) -> Iterator[Cluster]:
        return clusters(contents, self._rule.radii, self._links)

    def key_of(self, content: int) -> Key | None:
        for image in self._images:
            key = image.key(content)
            if key is not None:
                return key
        return self._plain.get(content)


def plan_for(
    catalogue: Catalogue, dest: bytes, action: Action, rule: Rule, keep: Keep, *, rest: bool, again: bool
) -> Plan:
    """What organize would do: clusters of present files and of what was placed in dest before; see plan.make_plan."""
    placed = merged(Journal(catalogue).placed(dest), files.read_manifest(dest))
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
    together = [cluster.contents for cluster in _Keyed(catalogue, rule).clusters(own.keys() | numbers.keys())]
    clustered = {content for contents in together for content in contents}
    together += [(content,) for content in own if content not in clustered]
    sets = []
    for contents in together:
        members = order([file for content in contents for file in own.get(content, ())], keep)
        if members:
            before = sorted({number for content in contents for number in numbers.get(content, ())})
            others = sum(content not in own for content in contents)
            sets.append(Alike(tuple(members), tuple(before), is_group=len(members) + others > 1))
    sets.sort(key=lambda alike: min(file.path for file in alike.files))
    return make_plan(sets, dest, action, placed=placed, taken=files.names_in(dest), again=again, rest=rest)
