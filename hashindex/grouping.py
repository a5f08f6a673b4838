"""From the catalogue to groups and plans: which contents hang together, which files they have, which numbers they got.

Reads the catalogue and the names in a destination; changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hashindex import files, hashes
from hashindex.catalogue import Catalogue
from hashindex.errors import UsageError
from hashindex.groups import Cluster, Engine, Key, clusters, make_group, order
from hashindex.journal import Journal, merged
from hashindex.model import Action, File, Group, Keep, Plan
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
    by_version = catalogue.keys(rule.recipe.name)
    keys = {id: key for of_version in by_version.values() for id, key in of_version.items()}
    found = _clusters(by_version, rule)
    clustered = {content for cluster in found for content in cluster.contents}
    found += [Cluster(rule.radii[0], (id,)) for id in catalogue.repeated_contents() if id not in clustered]
    groups = [
        make_group(
            [file for id in cluster.contents for file in catalogue.files_of(id)],
            keys,
            keep,
            hash=rule.recipe.name,
            radius=cluster.radius,
        )
        for cluster in found
    ]
    # By path, not by id: ids depend on which worker was faster, and the same folder should get the same numbers.
    return sorted(groups, key=lambda group: min(member.file.path for member in group.members))


def _clusters(by_version: Mapping[int, Mapping[int, Key]], rule: Rule) -> list[Cluster]:
    # Version by version: keys of two recipes are not comparable, and each content has one of them.
    return [
        found for keys in by_version.values() for found in clusters(keys, rule.recipe.bits, rule.radii, rule.engine)
    ]


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
    by_version = {
        version: {id: key for id, key in keys.items() if id in own or id in numbers}
        for version, keys in catalogue.keys(rule.recipe.name, also=numbers).items()
    }
    together = [cluster.contents for cluster in _clusters(by_version, rule)]
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
