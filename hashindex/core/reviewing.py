"""What a person decides in a review of groups, and what a review knows of one group."""

import enum
from typing import NamedTuple

from hashindex.core.deduping import Left, Removal
from hashindex.core.model import Decision, Group
from hashindex.core.options import Level


class ReviewKind(enum.StrEnum):
    """What a person decided on a group."""

    SAME = "same"
    """Its pictures are one picture."""
    SEPARATE = "separate"
    """Some of its pictures do not belong together."""
    KEPT = "kept"
    """One of its pictures is the keeper."""
    SKIPPED = "skipped"
    """Nothing is to be done."""


class KeeperDecision(NamedTuple):
    """The user's decision that a picture is the keeper of its group. It goes before the rules for the keeper."""

    digest: bytes
    path_bytes: bytes
    """The file that the user chose, of several with the same bytes."""
    over: frozenset[bytes]
    """The digests of the other pictures that were in the group then."""
    decided_ns: int


class ReviewedContent(NamedTuple):
    """A content of a reviewed group. The contents of one group share their review."""

    level: Level
    digest: bytes
    review: int
    files: int
    """How many present files the content had. With more of them, the group is to be reviewed again."""
    kind: ReviewKind


class ReviewRows(NamedTuple):
    """The rows of the catalogue that one decision changes."""

    decisions: frozenset[Decision]
    keepers: frozenset[KeeperDecision]
    reviewed: frozenset[ReviewedContent]


class ReviewChange(NamedTuple):
    """What a decision changed, so that it can be undone."""

    level: Level
    removed: ReviewRows
    added: ReviewRows


class GroupDetail(NamedTuple):
    """A group and what dedupe would do with it."""

    group: Group
    chances: tuple[float | None, ...]
    """For each member, the judge's chance that it is a copy of the keeper; None if the two were not compared."""
    removals: tuple[Removal, ...]
    left: tuple[Left, ...]
    kind: ReviewKind | None
    """What was decided when it was reviewed; None if it was not, or if a member has joined since."""
