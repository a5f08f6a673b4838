"""What organize plans and reports, and what it shares with dedupe: plans, steps, batches and outcomes."""

import enum
import os
from dataclasses import dataclass
from typing import NamedTuple

from hashindex.core.language import Message
from hashindex.core.name_template import Naming
from hashindex.core.paths import with_readable_paths


class Action(enum.StrEnum):
    """What one step does with a file."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    MOVE = "move"
    REFLINK = "reflink"
    """A copy that shares its blocks with the source; refused if the file system cannot do that."""
    TRASH = "trash"
    """Into a trash whose places only the system knows (macOS, Windows). Elsewhere the trash is a folder: MOVE."""


PLACING = (Action.COPY, Action.HARDLINK, Action.SYMLINK, Action.MOVE)
"""How organize can place a picture."""


class BatchCommand(enum.StrEnum):
    """A command that changes the user's folders by batches."""

    ORGANIZE = "organize"
    DEDUPE = "dedupe"


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Which pictures organize places, and their names. See HashIndex.plan."""

    rest: bool = False
    keepers: bool = False
    again: bool = False
    naming: Naming = Naming()  # noqa: RUF009 - frozen


@with_readable_paths
class Step(NamedTuple):
    """One file to place. Nothing exists at target before; the action decides whether source stays."""

    action: Action
    source_bytes: bytes
    target_bytes: bytes
    number: int
    """0 for a step of dedupe, whose files have no numbers."""
    copy: int
    """0 for the first picture of its number, n for NUMBER_n."""
    digest: bytes
    size: int
    mtime_ns: int

    @property
    def source(self) -> str:
        return os.fsdecode(self.source_bytes)

    @property
    def target(self) -> str:
        return os.fsdecode(self.target_bytes)


@with_readable_paths
class Plan(NamedTuple):
    """What organize would do. pictures = grouped + remaining; both count pictures with a file outside destinations."""

    dest_bytes: bytes
    action: Action
    steps: tuple[Step, ...]
    pictures: int
    groups: int
    grouped: int
    remaining: int
    joined: tuple[tuple[int, ...], ...] = ()
    """Sets of numbers that a new picture belongs to equally well. It gets the lowest; no number is changed."""
    withheld: int = 0
    """Files whose content was placed before and then deleted, moved or renamed there. Placed again only on request."""
    neighbours: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """New numbers whose pictures are variants of pictures placed before, each with the numbers of those pictures."""
    masked: int = 0
    """Pictures left out because they exist only in WeChat's masked files, which can only be copied."""
    twice: int = 0
    """If the action is move: files whose bytes the destination already has and will have once more."""
    from_clients: tuple[tuple[str, int], ...] = ()
    """If the action is move: for each chat client, the number of files taken out of its own folders."""

    @property
    def dest(self) -> str:
        return os.fsdecode(self.dest_bytes)


class BatchState(enum.StrEnum):
    """State of a batch. A killed run leaves APPLYING or UNDOING behind; recover finishes these batches."""

    APPLYING = "applying"
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"


@with_readable_paths
class Batch(NamedTuple):
    """One run of organize --apply or dedupe --apply. done, skipped, undone and kept count its steps."""

    id: int
    command: BatchCommand
    dest_bytes: bytes
    """The folder into which it placed files; b"" for the trash."""
    action: Action
    state: BatchState
    started_ns: int
    finished_ns: int | None
    done: int
    skipped: int
    undone: int
    kept: int
    unreached: int = 0
    """Of the skipped steps, those that were not tried because the run was interrupted."""
    trouble: str | None = None
    """Why recover could not finish it."""

    @property
    def dest(self) -> str:
        return os.fsdecode(self.dest_bytes)

    @property
    def is_open(self) -> bool:
        """Whether the run was killed or stopped by a disk error."""
        return self.state in (BatchState.APPLYING, BatchState.UNDOING)


@with_readable_paths
class Refusal(NamedTuple):
    """A step that was not carried out or not undone, and the reason."""

    path_bytes: bytes
    reason: str

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


NOT_REACHED = Message("it was not reached")
"""Why a step was skipped if its batch ended before it."""
STOPPED_BY_USER = Message("it was interrupted")
"""Outcome.stopped after Ctrl-C or SIGTERM."""


class Outcome(NamedTuple):
    """Result of a batch."""

    batch: int | None
    """None if there was nothing to do."""
    done: int
    refused: tuple[Refusal, ...]
    stopped: str | None = None
    """Why the batch stopped early, if it did. Steps done before that stay done and can be undone."""


class Organized(NamedTuple):
    """What organize planned and did. recovered: batches of killed runs that it finished first."""

    plan: Plan
    outcome: Outcome
    recovered: tuple[Batch, ...] = ()
