"""How sure the judge is of each member of a group: its chance to be a copy of the keeper. Judges nothing."""

from collections.abc import Iterable, Sequence

from hashindex.core.messages import Verdict
from hashindex.core.model import Group, Relation
from hashindex.index.decisions import decisions_of
from hashindex.store.catalogue import Catalogue


def chances_of(
    catalogue: Catalogue, groups: Sequence[Group], turns: Sequence[int] = (0,), new: Iterable[Verdict] = ()
) -> list[tuple[float | None, ...]]:
    """For each member of each group, the chance that it is a copy of the keeper; None if the two were not compared.

    1 for equal bytes or pixels, and where the user decided that they are the same. new: verdicts that are not stored
    yet. Cost: 1 us for each judged pair within a group.
    """
    ids = {member.file.content.id for group in groups for member in group.members}
    known: dict[tuple[int, int], float] = {}
    for one in (*catalogue.verdicts.among(ids, turns), *new):
        known[one.a, one.b] = max(one.copy, known.get((one.a, one.b), 0.0))
    decisions = decisions_of(catalogue)
    found = []
    for group in groups:
        keeper = group.keeper.file.content.id
        chances: list[float | None] = []
        for member in group.members:
            other = member.file.content.id
            pair = min(keeper, other), max(keeper, other)
            is_sure = member.relation is Relation.IDENTICAL or other == keeper or decisions.are_same(*pair)
            chances.append(1.0 if is_sure else known.get(pair))
        found.append(tuple(chances))
    return found
