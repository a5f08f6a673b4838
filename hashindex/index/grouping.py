"""The grouping options as one value, validated when it is created. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hashindex.core.arguments import Options, at_least
from hashindex.core.errors import UsageError
from hashindex.core.keep_rules import KeepRule, KeepRules, keep_rules
from hashindex.core.language import Message
from hashindex.core.messages import BOTH, MIRRORED, ROTATED
from hashindex.core.options import DEFAULT_HASH, Engine, Keep, Level, Limits
from hashindex.hashing import recipes

GROUP_RADIUS = {"phash": 4, "dhash": 2, "ahash": 0, "whash": 0, "phash256": 24, "dhash256": 12}
"""Default radius in bits, by hash. docs/design.md has the accuracy of each on labelled pictures."""


class GroupingArguments(TypedDict, total=False):
    """The fields of Grouping, for functions that take them as separate arguments."""

    level: str | None
    hash: str | None
    radius: int | None
    passes: Sequence[int]
    keep: str | Sequence[KeepRule | str]
    engine: str
    mirrored: bool
    rotated: bool
    limits: Limits
    workers: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Grouping(Options):
    """How pictures are grouped: by verdicts of the judge, or by the distance of one hash.

    level: "copies" (the default) of one picture, or "similar" for copies and variants, both by verdicts of the judge
    (docs/judgement.md). mirrored, rotated: also compare mirror images, or pictures rotated by quarter turns.

    level "radius", which is implied by hash, radius or passes: by distance only, whatever the pictures show. radius:
    0 <= radius <= the bits of the hash; None is GROUP_RADIUS. passes: radii; each pass groups the files that earlier
    passes left single. engine: "auto", "bktree" or "packed"; all find the same groups.

    keep: the rule for the keeper: "best" (the copy that a person would pick; each group has the reason, and a doubt if
    no member is the best in every respect), "largest", "pixels", "oldest", "newest" or "under:FOLDER". Several rules
    apply in order: one text with commas, or a sequence. "best" compares the files of a group once, 5 to 30 ms per
    content; at level "radius" it means the largest file.

    limits, workers: for judging pairs that no scan has judged, and for comparing copies; workers None is one per
    processor.

    Enum values may be given as text. UsageError for values that are unknown, out of range or contradictory: no option
    is ignored.
    """

    level: Level | None = None
    hash: str | None = None
    radius: int | None = None
    passes: Sequence[int] = ()
    keep: str | Sequence[KeepRule | str] = (Keep.BEST,)
    engine: Engine = Engine.AUTO
    mirrored: bool = False
    rotated: bool = False
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    workers: int | None = None

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        by_radius = self.hash is not None or self.radius is not None or bool(self.passes)
        level = self.level or (Level.RADIUS if by_radius else Level.COPIES)
        self._set("level", level)
        self._set("keep", keep_rules(self.keep))
        at_least(1, workers=self.workers)
        if level is not Level.RADIUS:
            if by_radius or self.engine is not Engine.AUTO:
                raise UsageError(
                    Message(
                        "The level {level} is found by the judge, not by a hash: leave out the level, or else hash, "
                        "radius, passes and engine.",
                        level=level,
                    )
                )
            self._set("hash", DEFAULT_HASH)
            return
        if self.turns != (0,):
            raise UsageError(
                Message("Mirrored and rotated pictures are found by the judge: leave out hash, radius and passes.")
            )
        if self.passes and self.radius is not None:
            raise UsageError(Message("A radius and passes exclude each other: passes are radii."))
        self._set("hash", self.hash or DEFAULT_HASH)
        for radius in self.radii:
            radius_in_range(radius, self.recipe)

    @property
    def at_level(self) -> Level:
        """The level, which is never None after __post_init__."""
        assert self.level is not None
        return self.level

    @property
    def keep_rules(self) -> KeepRules:
        """The rules for the keeper, in their order."""
        return keep_rules(self.keep)

    @property
    def by_verdicts(self) -> bool:
        """Whether groups are formed by verdicts of the judge and not by a radius."""
        return self.level is not Level.RADIUS

    @property
    def recipe(self) -> recipes.Recipe:
        """The hash whose distances are shown, and which finds neighbours at Level.RADIUS."""
        return recipes.recipe_named(self.hash or DEFAULT_HASH)

    @property
    def radii(self) -> tuple[int, ...]:
        """The radii of the passes; empty if verdicts decide."""
        if self.by_verdicts:
            return ()
        return tuple(self.passes) or (GROUP_RADIUS[self.recipe.name] if self.radius is None else self.radius,)

    @property
    def turns(self) -> tuple[int, ...]:
        """Numbers of signature.TURNS in which the judge compares pictures."""
        return turns_of(self.mirrored, self.rotated)


def turns_of(mirrored: bool, rotated: bool) -> tuple[int, ...]:
    """Numbers of signature.TURNS: 0 for pictures as they are, and the requested turns."""
    turns = (0, *(MIRRORED if mirrored else ()), *(ROTATED if rotated else ()))
    return (*turns, *BOTH) if mirrored and rotated else turns


def radius_in_range(radius: int, recipe: recipes.Recipe) -> int:
    """The radius; UsageError if it is not within the bits of the hash."""
    if not 0 <= radius <= recipe.bits:
        raise UsageError(
            Message(
                "The radius {radius} is out of range: {name} has {bits} bits, so 0 to {bits}.",
                radius=radius,
                name=recipe.name,
                bits=recipe.bits,
            )
        )
    return radius
