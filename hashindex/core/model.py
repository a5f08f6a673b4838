"""The values that HashIndex returns. They are frozen and do no I/O.

In this whole package, paths of the user's files are bytes as the system gives them (os.fsencode), times are nanoseconds
since 1970 in UTC, sizes are bytes, and distances are bits.
"""

import enum
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hashindex.core.bounds import MOST_FRAMES, MOST_PIXELS, bounded_count, bounded_duration
from hashindex.core.options import Level
from hashindex.core.paths import with_readable_paths
from hashindex.core.watch_events import DaemonStatus


class State(enum.StrEnum):
    """Whether a file was at its path when the path was last checked."""

    PRESENT = "present"
    MISSING = "missing"


class Relation(enum.IntEnum):
    """What two pictures are to each other, in order of likeness. docs/judgement.md defines them."""

    DIFFERENT = 0
    VARIANT = 1
    COPY = 2
    IDENTICAL = 3
    """The same bytes, or the same pixels in every frame."""

    @property
    def label(self) -> str:
        """The name in output: "identical", "copy", "variant" or "different"."""
        return self.name.lower()

    def __str__(self) -> str:
        return self.label

    def __format__(self, spec: str) -> str:
        return format(self.label, spec)


class Client(enum.StrEnum):
    """A chat client whose picture folders have known names."""

    QQ = "qq"
    TIM = "tim"
    WECHAT = "wechat"
    DISCORD = "discord"
    TELEGRAM = "telegram"


@with_readable_paths
class Cache(NamedTuple):
    """The pictures that one account of a chat client keeps on this machine."""

    clients: tuple[Client, ...]
    """Clients that it may belong to: old QQ and TIM share a folder."""
    name: str
    """The name to show: "QQ NT", "old QQ or TIM", ..."""
    account: str
    """As in the client's folder names; "" if they do not name it."""
    folder_bytes: bytes
    picture_folders_bytes: tuple[bytes, ...]
    """Folders to scan and to watch; empty if nothing in it can be read."""
    files: int = 0
    """Approximate number of files; if `more`, a lower bound."""
    more: bool = False
    unreadable: tuple[str, ...] = ()
    """Sentences: what cannot be read, and why."""

    @property
    def folder(self) -> str:
        return os.fsdecode(self.folder_bytes)

    @property
    def picture_folders(self) -> tuple[str, ...]:
        return tuple(map(os.fsdecode, self.picture_folders_bytes))


class Severity(enum.StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; everything works."""
    PROBLEM = "problem"
    """Something does not work, or will soon stop working."""


class Finding(NamedTuple):
    """Result of one check by doctor or check."""

    check: str
    """Name of the check: "python", "root", "inotify", ..."""
    severity: Severity
    says: str
    """The result: a sentence without its full stop."""
    way_out: str = ""
    """What to do about it; "" if nothing needs to be done."""


class Progress(NamedTuple):
    """Progress of a scan, in files. total counts the files to read that are known so far; final after the walk."""

    looked: int
    read: int
    total: int
    walking: bool
    comparing: bool = False
    """All files are read; now pictures are compared. About a minute at 1,000,000 new pictures."""
    judged: int = 0
    to_judge: int = 0
    """Pairs of pictures that were compared, and all that will be; 0 before their number is known."""
    turned: bool = False
    """Pictures are compared as mirror images or turned."""
    grouping: bool = False
    """All candidates are compared; making groups compares a few more pairs, counted in judged."""
    choosing: bool = False
    """All pairs are compared; now the best copy of each new group is chosen: judged and to_judge count groups."""
    waiting: bool = False
    """Another process has locked the catalogue."""


class Decoded(NamedTuple):
    """Result of decoding one content. Every hash is computed from `prepared`."""

    format: str
    """Name of the format as in formats.FORMATS ("jpeg", "gif", ...), found by content."""
    width: int = 0
    """Pixels as shown, after EXIF orientation; 0 if the header could not be read."""
    height: int = 0
    frames: int = 0
    duration_ms: int = 0
    """Time of one pass over all frames; 0 for stills."""
    prepared: bytes | None = None
    """4,096 bytes: the picture as 64 x 64 grey levels, rows from the top; None if it could not be decoded."""
    detail: int = 0
    """0 (blank) to 100; see pixels.detail_of."""
    pixels: bytes | None = None
    """16-byte digest of every pixel of every frame, only if detail is below decode.DETAIL_GATE."""
    problem: str | None = None
    """Why the picture, or part of it, could not be read: a sentence without its path."""
    signature: bytes | None = None
    """At most 4 KiB by which the judge compares it without its file; see signature.sign."""
    views: tuple[bytes, ...] = ()
    """As `prepared`, for distinct frames of an animation, and for a transparent still on black too."""

    def bounded(self) -> "Decoded":
        """A copy with numbers that the catalogue can store."""
        return self._replace(
            width=bounded_count(self.width, MOST_PIXELS),
            height=bounded_count(self.height, MOST_PIXELS),
            frames=bounded_count(self.frames, MOST_FRAMES),
            duration_ms=bounded_duration(self.duration_ms),
            detail=bounded_count(self.detail, 100),
        )


class Content(NamedTuple):
    """One sequence of bytes that files have or had. Hashes belong to contents, so renaming a file costs no decode.

    A tuple, as are File and Member: a frozen dataclass takes ten times as long to make, and there may be millions.
    """

    id: int
    digest: bytes
    """SHA-256 of the bytes, 32 bytes."""
    size: int
    format: str
    width: int
    height: int
    frames: int
    duration_ms: int
    detail: int
    pixels: bytes | None
    problem: str | None


class Decision(NamedTuple):
    """A user's decision on two contents, given by their digests, a < b. It overrides every verdict."""

    a: bytes
    b: bytes
    same: bool
    said_ns: int


@with_readable_paths
class DecidedPicture(NamedTuple):
    """A picture of a decision, and the files that the catalogue knows of it."""

    digest: bytes
    present_bytes: tuple[bytes, ...]
    gone_bytes: tuple[bytes, ...]

    @property
    def present(self) -> tuple[str, ...]:
        return tuple(map(os.fsdecode, self.present_bytes))

    @property
    def gone(self) -> tuple[str, ...]:
        return tuple(map(os.fsdecode, self.gone_bytes))


class NumberedDecision(NamedTuple):
    """What one call of same or separate decided, as far as later decisions left it in force."""

    number: int
    """From 1, the oldest first. The numbers of later decisions change when one is withdrawn."""
    pairs: tuple[Decision, ...]
    pictures: tuple[DecidedPicture, ...]

    @property
    def same(self) -> bool:
        """Whether the pictures are the same. If not, no two of them belong together."""
        return self.pairs[0].same

    @property
    def said_ns(self) -> int:
        """When it was made."""
        return self.pairs[0].said_ns


class Said(NamedTuple):
    """The decisions that same or separate recorded."""

    decisions: tuple[Decision, ...]
    """The pairs as recorded. For many that are the same, only the pairs that connect them."""
    instead: bool
    """Whether they replace an earlier decision to the contrary."""


@with_readable_paths
class File(NamedTuple):
    """A path and the picture that it had when it was last read."""

    path_bytes: bytes
    size: int
    mtime_ns: int
    state: State
    last_seen_ns: int
    content: Content

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


@with_readable_paths
class Problem(NamedTuple):
    """A file or folder that could not be read, and the reason."""

    path_bytes: bytes
    reason: str

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


class ScanSummary(NamedTuple):
    """Counts of one scan. files counts everything checked; the other fields count files unless stated otherwise."""

    files: int = 0
    unchanged: int = 0
    """Checked with one stat."""
    digested: int = 0
    """Read whole and digested."""
    decoded: int = 0
    """Contents decoded and hashed: new ones, and known ones with outdated hashes."""
    moved: int = 0
    """Found under a new path while the old one is gone; they keep their history."""
    missing: int = 0
    """Pictures that were present in the last scan and now are not."""
    other: int = 0
    """Not pictures."""
    problems: int = 0
    """Problems of this run, including folders and roots, without known problems of unchanged files."""
    outdated: int = 0
    """Contents whose hashes are of an older recipe."""
    hidden: int = 0
    """Left out, and not in files, because they or a parent folder are hidden. Counted up to walk.HIDDEN_MOST."""
    unmatched: tuple[str, ...] = ()
    """Patterns of include and exclude that matched nothing."""


class Totals(NamedTuple):
    """What all groups come to."""

    groups: int
    extra: int
    """Files beside one of each group."""
    bytes: int
    """Size of all files but the largest of each group: keeping any one file of each group frees this or more. Several
    names of one file (hard links) count as several files."""


class Forgotten(NamedTuple):
    """What forget removed from the catalogue: counts of files and of roots."""

    pictures: int
    others: int
    """Files that are no pictures, or could not be read."""
    roots: int


class Member(NamedTuple):
    """A file in a group. distance: bits of the grouping hash to the keeper; None if either has no hash."""

    file: File
    distance: int | None
    relation: Relation | None = None
    """To the keeper; None if groups are made by a radius alone."""
    faults: tuple[str, ...] = ()
    """What it lacks that another member has, the worst first: "cropped", "resized", ...; only if the rule is best."""


@with_readable_paths
class WeakLink(NamedTuple):
    """Two pictures that were judged alike but are in different groups, because most other pairs are not alike."""

    path_bytes: bytes
    """The picture in this group."""
    other_bytes: bytes
    chance: float

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)

    @property
    def other(self) -> str:
        return os.fsdecode(self.other_bytes)


class Group(NamedTuple):
    """Similar pictures: the keeper first, then the others in the order in which organize numbers them."""

    id: int
    """Number, counted from 1 over all groups by their lowest path. Changes when groups before it come or go."""
    level: Level
    hash: str
    radius: int
    widest: int
    """Largest distance between any two members, in bits of the grouping hash."""
    members: tuple[Member, ...]
    weak_links: tuple[WeakLink, ...] = ()
    why: str = ""
    """Why the keeper was chosen, in a sentence without its full stop."""
    doubt: str | None = None
    """Why no member is best in everything, as a clause; None if one is, or if the rule is not best."""

    @property
    def key(self) -> str:
        """Identifies the level and the members: it stays while no file joins or leaves. Not the number."""
        together = hashlib.blake2b(self.level.encode(), digest_size=12)
        for digest, path in sorted((member.file.content.digest, member.file.path_bytes) for member in self.members):
            together.update(digest + hashlib.sha256(path).digest())
        return together.hexdigest()

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all members."""
        return frozenset(member.file.path for member in self.members)

    @property
    def paths_bytes(self) -> frozenset[bytes]:
        """The paths of all members."""
        return frozenset(member.file.path_bytes for member in self.members)

    @property
    def agreed(self) -> bool:
        """Whether the members agree on one best. If not, a person should look before any is removed."""
        return self.doubt is None

    @property
    def keeper(self) -> Member:
        return self.members[0]

    @property
    def extra_bytes(self) -> int:
        """Bytes of the members other than the keeper: the space that would be free without them."""
        return sum([member.file.size for member in self.members[1:]])


class Hit(NamedTuple):
    """A file that query found. distances: bits by hash; empty if a picture has too little detail for hashes."""

    file: File
    distances: dict[str, int]
    same_bytes: bool
    relation: Relation | None = None
    """To the query picture; None if the pair cannot be judged."""
    turn: str | None = None
    """How the query picture was turned to match: "mirrored", "turned 90" and so on; None if it was not."""


class Answer(NamedTuple):
    """What query found: hits, nearest first, and the decoded query picture."""

    hits: tuple[Hit, ...]
    asked: Decoded
    blank: bool
    """The query picture has too little detail for hashes: only pictures with equal pixels are hits."""
    unreachable: int
    """Contents left out because their hashes are of another recipe version than the query picture's."""


@with_readable_paths
class RootStatus(NamedTuple):
    """A folder that is scanned."""

    path_bytes: bytes
    files: int
    """Present pictures below it."""
    scanned_ns: int | None
    """When it was last scanned completely; None if never."""

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


@with_readable_paths
class Destination(NamedTuple):
    """A folder in which organize placed pictures. Its files are in no group."""

    path_bytes: bytes
    pictures: int

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


@dataclass(frozen=True, slots=True)
class Status:
    """What the catalogue holds."""

    catalogue: str
    roots: tuple[RootStatus, ...]
    present: int
    missing: int
    other: int
    problems: int
    contents: int
    blank: int
    """Contents with too little detail to be compared by hash."""
    outdated: int
    superseded: int = 0
    """Present files that are smaller or unfinished renditions of another present file; see families.py."""
    copies: int = 0
    variants: int = 0
    """Pairs of contents with that verdict."""
    waiting: int = 0
    """Pairs near enough to be judged that have no verdict yet. The next scan judges them."""
    waiting_variants: int = 0
    """Further pairs without a verdict: they may be variants, not copies, and are judged when those are asked for."""
    formats: dict[str, int] = field(default_factory=dict)
    """Present files by format, commonest first."""
    recipes: dict[str, int] = field(default_factory=dict)
    """Contents by hash name and version, as in "phash v1"."""
    bytes: int = 0
    """Size of the catalogue on disk."""
    daemon: DaemonStatus | None = None
    """None if hashindex watch never ran with this catalogue."""
    destinations: tuple[Destination, ...] = ()


class ReportSummary(NamedTuple):
    """What a written report contains."""

    file: Path
    groups: int
    pictures: int
    without_thumbnail: int
    """Contents of which no file could be read and shown."""
    bytes: int
    """Size of the report."""
