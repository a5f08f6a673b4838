"""What dedupe is asked for, plans and reports: options, removals, what is left, and outcomes."""

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hashindex.core.arguments import Options, at_least
from hashindex.core.model import Group, Relation
from hashindex.core.organizing import Batch, Outcome
from hashindex.core.paths import PathLike, Paths, path_bytes, paths_bytes, with_readable_paths


class Link(enum.StrEnum):
    """What dedupe puts in the place of a removed copy: a link to the picture that is kept."""

    HARD = "hard"
    SYMBOLIC = "symbolic"
    REFLINK = "reflink"
    """A file of its own that shares its blocks with the picture that is kept (Btrfs, XFS)."""


@dataclass(frozen=True, slots=True, repr=False)
class DedupeOptions(Options):
    """What dedupe may remove, and where removed copies go. UsageError for contradictory values.

    folders: only files at or below these take part; all files if there are none. only: only files at or below these are
    removed; all others can be kept for them. protect: no file at or below these is removed. identical: remove only
    files with the bytes of another one. min_bytes: remove only files of at least this size. doubtful: remove also
    copies of which the judge is less sure, and from groups in which no copy is best in everything.
    from_client_cache: remove also from the folders of chat clients. groups: only these groups, if their members are
    still the same; all groups for None.

    to: a folder for the removed copies; None is the trash of the system. link: what takes the place of a removed copy.
    """

    folders: Paths = ()
    only: Paths = ()
    protect: Paths = ()
    identical: bool = False
    min_bytes: int = 0
    doubtful: bool = False
    from_client_cache: bool = False
    groups: Sequence[Group] | None = None
    to: PathLike | None = None
    link: Link | None = None

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(0, min_bytes=self.min_bytes)
        for name in ("folders", "only", "protect"):
            self._set(name, paths_bytes(getattr(self, name)))
        if self.to is not None:
            self._set("to", path_bytes(self.to))

    @property
    def folders_bytes(self) -> tuple[bytes, ...]:
        return paths_bytes(self.folders)

    @property
    def only_bytes(self) -> tuple[bytes, ...]:
        return paths_bytes(self.only)

    @property
    def protect_bytes(self) -> tuple[bytes, ...]:
        return paths_bytes(self.protect)

    @property
    def to_bytes(self) -> bytes | None:
        return None if self.to is None else path_bytes(self.to)


@with_readable_paths
class Kept(NamedTuple):
    """The picture for which a copy is removed, as it was when it was scanned."""

    path_bytes: bytes
    digest: bytes
    size: int
    mtime_ns: int

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


@with_readable_paths
class Removal(NamedTuple):
    """One copy to remove."""

    source_bytes: bytes
    digest: bytes
    size: int
    mtime_ns: int
    kept: Kept
    relation: Relation
    """COPY, or IDENTICAL for the same bytes or the same pixels in every frame."""
    why: str
    """Why the other picture is kept, as a clause."""
    target_bytes: bytes = b""
    """Where it goes; b"" for a trash whose places only the system knows (macOS, Windows)."""

    @property
    def source(self) -> str:
        return os.fsdecode(self.source_bytes)

    @property
    def target(self) -> str:
        return os.fsdecode(self.target_bytes)


@with_readable_paths
class Left(NamedTuple):
    """A copy that is not removed, and the reason as a clause."""

    source_bytes: bytes
    why: str

    @property
    def source(self) -> str:
        return os.fsdecode(self.source_bytes)


@with_readable_paths
class DedupePlan(NamedTuple):
    """What dedupe would do."""

    removals: tuple[Removal, ...]
    left: tuple[Left, ...]
    groups: int
    """Groups from which at least one copy is removed."""
    to_bytes: bytes | None
    """The folder for the removed copies; None for the trash."""
    link: Link | None

    @property
    def to(self) -> str | None:
        return None if self.to_bytes is None else os.fsdecode(self.to_bytes)

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
