"""What dedupe is asked for, plans and reports: options, removals, what is left, and outcomes."""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import Relation
from hashindex.core.organizing import Batch, Outcome


class Link(enum.StrEnum):
    """What dedupe puts in the place of a removed copy: a link to the picture that is kept."""

    HARD = "hard"
    SYMBOLIC = "symbolic"
    REFLINK = "reflink"
    """A file of its own that shares its blocks with the picture that is kept (Btrfs, XFS)."""


@dataclass(frozen=True, slots=True)
class DedupeOptions:
    """What dedupe may remove, and where removed copies go. UsageError for contradictory values.

    folders: only files at or below these take part; all files if there are none. only: only files at or below these are
    removed; all others can be kept for them. protect: no file at or below these is removed. identical: remove only
    files with the bytes of another one. min_bytes: remove only files of at least this size. doubtful: remove also
    copies of which the judge is less sure, and from groups in which no copy is best in everything.
    from_client_cache: remove also from the folders of chat clients. groups: only groups that consist of exactly these
    files, by path; all groups for None.

    to: a folder for the removed copies; None is the trash of the system. link: what takes the place of a removed copy.
    """

    folders: tuple[bytes, ...] = ()
    only: tuple[bytes, ...] = ()
    protect: tuple[bytes, ...] = ()
    identical: bool = False
    min_bytes: int = 0
    doubtful: bool = False
    from_client_cache: bool = False
    groups: tuple[frozenset[bytes], ...] | None = None
    to: bytes | None = None
    link: Link | None = None

    def __post_init__(self) -> None:
        if self.min_bytes < 0:
            raise UsageError(
                Message("The smallest size is 0 bytes or more, not {min_bytes}.", min_bytes=self.min_bytes)
            )


class Kept(NamedTuple):
    """The picture for which a copy is removed, as it was when it was scanned."""

    path: bytes
    digest: bytes
    size: int
    mtime_ns: int


class Removal(NamedTuple):
    """One copy to remove."""

    source: bytes
    digest: bytes
    size: int
    mtime_ns: int
    kept: Kept
    relation: Relation
    """COPY, or IDENTICAL for the same bytes or the same pixels in every frame."""
    why: str
    """Why the other picture is kept, as a clause."""
    target: bytes = b""
    """Where it goes; b"" for a trash whose places only the system knows (macOS, Windows)."""


class Left(NamedTuple):
    """A copy that is not removed, and the reason as a clause."""

    source: bytes
    why: str


class DedupePlan(NamedTuple):
    """What dedupe would do."""

    removals: tuple[Removal, ...]
    left: tuple[Left, ...]
    groups: int
    """Groups from which at least one copy is removed."""
    to: bytes | None
    """The folder for the removed copies; None for the trash."""
    link: Link | None

    @property
    def bytes(self) -> int:
        """Size of all files to remove."""
        return sum(removal.size for removal in self.removals)


class Deduped(NamedTuple):
    """What dedupe planned and did. recovered: batches of killed runs that it finished first."""

    plan: DedupePlan
    removed: tuple[Removal, ...]
    """Carried out, with the link if one was asked for."""
    outcome: Outcome
    recovered: tuple[Batch, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all removed files."""
        return sum(removal.size for removal in self.removed)
