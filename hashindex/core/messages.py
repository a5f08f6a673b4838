"""Values that modules exchange with each other and that no caller of the library receives.

They are tuples because a tuple takes a quarter of the time of a dataclass to go from process to process.
"""

import enum
import json
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from hashindex.core.model import Decoded, Relation
from hashindex.core.organizing import Step


class FileStat(NamedTuple):
    """The stat of a regular file, in numbers that the catalogue can store; see files.file_stat."""

    name: bytes
    size: int
    mtime_ns: int
    device: int
    inode: int
    ctime_ns: int | None = None
    """When bytes, name or permissions last changed; None on Windows, which does not report it."""


ListedFile: TypeAlias = tuple[bytes, int, int, int, int | None]
"""A regular file found by a walk: name, size, mtime_ns, device, ctime_ns (None on Windows), unbounded, as the system
reports them. A plain tuple, because a named tuple takes 0.3 microseconds longer, a tenth of the time of the stat."""


class Job(NamedTuple):
    """A file for a worker to read. decode: decode it even if its content is known."""

    path: bytes
    size: int
    decode: bool
    links: bool = True
    """Whether the path may contain symbolic links. If not, a link that has replaced a folder is not followed."""


class CompareKeys(NamedTuple):
    """What the judge compares a content by, without its file."""

    signature: bytes
    """At most 4 KiB; see signature.sign."""
    keys: bytes
    """Keys of its views, see candidates.packed_keys; empty if the picture has too little detail."""


class ContentKeys(NamedTuple):
    """What the catalogue keeps of a decoded content beside its row."""

    hashes: Mapping[str, bytes]
    """By the name of the recipe; empty if there is no prepared picture."""
    compare_keys: CompareKeys | None
    """None if there is no signature."""


class Examined(NamedTuple):
    """What a worker found at one path: either it vanished, or there is a problem, or a digest, or it is no picture."""

    path: bytes
    stat: FileStat | None
    """The fstat when the file was opened; None if it could not be opened."""
    looked_ns: int
    """When the reading began."""
    digest: bytes | None = None
    decoded: Decoded | None = None
    """None if the worker was told that the digest is known."""
    problem: str | None = None
    """Why the file could not be read. A problem of its content is in decoded."""
    retry: bool = False
    """The problem may be temporary: the next scan reads the file again."""
    vanished: bool = False
    keys: ContentKeys | None = None
    """Computed from decoded, see content_keys; then decoded has no prepared picture and no views. None if the process
    of the scan has to compute them."""


class Arrival(NamedTuple):
    """A file whose picture is not the one that the catalogue had at its path."""

    path: bytes
    content: int
    before: int | None
    """The former content. None if there was none; content itself if the file was missing and came back."""


class Settled(NamedTuple):
    """Files that are no longer at their paths."""

    moved: list[tuple[bytes, bytes]]
    """(old, new) paths."""
    missing: list[bytes]
    """Paths of pictures that are gone."""


COMPARE_KEYS_VERSION = 3
"""Version of signatures and view keys. Raise it when those of any picture change."""

JUDGE_VERSION = 7
"""Version of the judge. Raise it with every training and every change of a feature: old verdicts are judged again."""


CHOICE_VERSION = 2
"""Version of choosing the best copy of a group. Raise it when the best of any group, or the reason for it, changes."""


class Candidate(NamedTuple):
    """Two contents that are near enough to be judged, a < b."""

    turn: int
    """As in Verdict."""
    bits: int
    """Distance of their nearest keys."""
    a: int
    b: int
    relation: Relation | None
    """The verdict; None if the pair waits for one, or needs none because other pairs make the two copies."""


class Objection(enum.StrEnum):
    """What the fine comparison found to differ between two pictures that look like copies."""

    DETAIL = "detail"
    """Both show something in one place, and not the same: other letters, digits, another mouth."""
    SHAPE = "shape"
    """There is little to compare on plain ground, and too much of it differs."""
    FRAMES = "frames"
    """Frames of one show something else than those of the other."""


class Comparison(NamedTuple):
    """The result of the fine comparison of two pictures."""

    side: int
    """Longest side, in pixels, of what was compared."""
    objection: Objection | None


class Verdict(NamedTuple):
    """The judge's verdict on two contents, a < b."""

    a: int
    b: int
    turn: int
    """How a was turned before the comparison: 0 for not at all, else an index of signature.TURNS."""
    relation: Relation
    copy: float
    similar: float
    """Probability that they are copies, and that they are copies or variants; 0 to 1."""
    by_pixels: bool
    """Whether the files were opened. If not, the signatures sufficed or nothing else was available."""
    side: int = 0
    """Longest side, in pixels, at which the overlap was compared; 0 if no part of one lies on the other."""
    objection: Objection | None = None
    """Why they are no copies although they look like copies at a smaller scale."""


MIRRORED = (1,)
ROTATED = (2, 3, 4)
BOTH = (5, 6, 7)
"""Values of Verdict.turn that the options mirrored and rotated add, and those that both together add."""


class KeyState(enum.IntEnum):
    """State of a content's key in one recipe; one byte in the catalogue."""

    ABSENT = 0
    SEARCHED = 1
    LOW_DETAIL = 2
    """The key of a picture with too little detail for hashes: it is shown and never searched."""


# A plain number: a member of an enum takes five times as long to look up.
SEARCHED = int(KeyState.SEARCHED)


class KeySnapshot(NamedTuple):
    """All keys of one version of a hash, by content id from 0."""

    bits: int
    states: bytearray
    """One KeyState per content."""
    keys: bytearray
    """bits // 8 bytes per content, big-endian; meaningless if the state is ABSENT."""

    def key(self, content: int) -> int | None:
        """The key of a content as an integer; None if it has no key that is searched."""
        if content >= len(self.states) or self.states[content] != SEARCHED:
            return None
        width = self.bits // 8
        return int.from_bytes(self.keys[content * width : (content + 1) * width], "big")

    def keys_of(self, contents: Iterable[int]) -> dict[int, int]:
        """Keys by content, without the contents that have no key that is searched."""
        states, keys, width, read = self.states, self.keys, self.bits // 8, int.from_bytes
        searched = [id for id in contents if id < len(states) and states[id] == SEARCHED]
        return {id: read(keys[id * width : (id + 1) * width], "big") for id in searched}


class Placed(NamedTuple):
    """A picture that organize placed in a destination, as the destination's manifest lists it."""

    number: int
    copy: int
    name: bytes
    """Below the destination, with / between folders."""
    digest: bytes

    def to_line(self) -> str:
        """The line of the manifest."""
        fields = {"number": self.number, "copy": self.copy, "name": os.fsdecode(self.name), "sha256": self.digest.hex()}
        return json.dumps(fields) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Placed | None":
        """None if the line is no complete entry: the header, a line cut short by a crash, or foreign text."""
        try:
            fields = json.loads(line)
            number, copy, name, digest = (fields[key] for key in ("number", "copy", "name", "sha256"))
            digest, name = bytes.fromhex(digest), os.fsencode(name)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        is_valid = type(number) is int and type(copy) is int and isinstance(name, bytes) and len(digest) == 32
        if not is_valid or not 0 < number < 10**12 or not 0 <= copy < 10**12:
            return None
        # The name must be that of a file in the destination or below it.
        for part in name.split(b"/"):
            if part in (b"", b".", b"..") or b"\0" in part or os.path.basename(part) != part:
                return None
        return cls(number, copy, name, digest)


class MoveState(enum.StrEnum):
    """Progress of one step of a batch. Every state but the first is recorded before or after an action on disk."""

    PLANNED = "planned"
    MOVING = "moving"
    DONE = "done"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    UNDONE = "undone"
    KEPT = "kept"
    """Undo refused because something has changed. It can be tried again."""


class Move(NamedTuple):
    """One step as recorded in the journal."""

    batch: int
    ordinal: int
    step: Step
    state: MoveState
    placed_mtime_ns: int | None
    """The target's mtime right after it was placed, since some file systems round it."""
    reason: str | None = None
