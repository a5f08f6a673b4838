"""The nouns of hashindex: frozen values without behaviour that touches a disk. Imports nothing of ours.

Paths of the user's files are bytes here, as the system gives them (os.fsencode); times are nanoseconds since
1970 in UTC; sizes are bytes; distances are bits.
"""

import enum
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""What an integer of SQLite holds."""
MOST_PIXELS = MOST_FRAMES = 2**31 - 1
"""Of one side of a picture, so that an area fits too; and of an animation."""
LONGEST_MS = 2**31 - 1
"""24 days; a file that claims a longer duration does not know its duration."""


def bounded(number: int) -> int:
    """A number from outside as the catalogue can hold it: the nearest one that it can."""
    return min(max(number, SMALLEST), LARGEST)


def identity(number: int) -> int:
    """The number of a device or inode without its sign, which macOS gives to some."""
    return number & 2**64 - 1


def counted(number: float, most: int) -> int:
    """A count that a file claims, most at most; 0, which stands for unknown, where it is none (negative, NaN)."""
    return int(min(number, most)) if number >= 0 else 0


def known_duration(ms: float) -> int:
    """A duration that a file claims; 0, which stands for unknown, where it can be none (negative, NaN, for ever)."""
    return round(ms) if 0 <= ms <= LONGEST_MS else 0


class State(enum.StrEnum):
    """Where a file stood when it was last looked for."""

    PRESENT = "present"
    MISSING = "missing"


class Keep(enum.StrEnum):
    """Which member of a group is its keeper: a rule, of which a person gives one or several in order."""

    BEST = "best"
    """What a person would pick, see docs/judgement.md."""
    LARGEST = "largest"
    PIXELS = "pixels"
    OLDEST = "oldest"
    NEWEST = "newest"


class Level(enum.StrEnum):
    """What belongs together: copies of one picture, or also its variants; radius: near hashes, whatever they show."""

    COPIES = "copies"
    SIMILAR = "similar"
    RADIUS = "radius"


class Relation(enum.IntEnum):
    """What two pictures are to each other; the larger, the more alike. docs/judgement.md says what counts as what."""

    DIFFERENT = 0
    VARIANT = 1
    COPY = 2
    IDENTICAL = 3
    """The same bytes, or the same pixels in every frame."""

    @property
    def label(self) -> str:
        return self.name.lower()


class Client(enum.StrEnum):
    """A chat client whose picture folders are known by name."""

    QQ = "qq"
    TIM = "tim"
    WECHAT = "wechat"
    DISCORD = "discord"
    TELEGRAM = "telegram"


class Cache(NamedTuple):
    """What one account of a chat client keeps on this machine."""

    clients: tuple[Client, ...]
    """Those whose it may be: old QQ and TIM keep one folder together."""
    name: str
    """For a person: "QQ NT", "old QQ or TIM", ..."""
    account: str
    """As the client names it in its folders; "" where it does not."""
    folder: bytes
    pictures: tuple[bytes, ...]
    """The folders to scan and to watch; none where nothing in it can be read."""
    files: int = 0
    """About how many files lie there: at least so many where `more`."""
    more: bool = False
    unreadable: tuple[str, ...] = ()
    """What cannot be read of it, and why: sentences."""


class Severity(enum.StrEnum):
    """How much a finding of doctor matters."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; all works."""
    PROBLEM = "problem"
    """Something does not work, or soon will not."""


class Finding(NamedTuple):
    """One thing that doctor looked at."""

    check: str
    """What was looked at, in a word: "python", "root", "inotify", ..."""
    severity: Severity
    says: str
    """What it found: a sentence without its full stop."""
    way_out: str = ""
    """What to do about it; "" where there is nothing to do."""


class Limits(NamedTuple):
    """What a picture may ask for before it is decoded, and what its decode may take."""

    pixels: int = 120_000_000
    """Largest width x height of one frame; 120 million is above today's phone photos and 480 MB as RGBA."""
    frames: int = 10_000
    bytes: int = 512 * 2**20
    seconds: float = 30.0
    """By the clock, for one decode; then the worker process that does it is ended."""
    memory: int = 4 * 2**30
    """Bytes that a worker process may have besides what it has at its start; on Linux alone."""


class WalkRules(NamedTuple):
    """Which files a walk takes.

    include, exclude: patterns as in a .gitignore file, each counted from the innermost root; the last one that
    matches decides, and one with ! in front takes back what those before it said. An excluded folder is not entered;
    what is below an included one is included. disk/patterns.py says more. A folder or file whose name starts with a
    dot is hidden. links: follow symbolic links to what lies outside
    every root; what lies inside is met under its own name.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    links: bool = False


class ScanOptions(NamedTuple):
    """workers: processes that read and decode; None is one a processor, 1 is right for spinning or network drives."""

    rules: WalkRules = WalkRules()
    limits: Limits = Limits()
    workers: int | None = None


class Progress(NamedTuple):
    """How far a scan is, in files. total is what is known so far to be read; it is final once the walk is over."""

    looked: int
    read: int
    total: int
    walking: bool
    comparing: bool = False
    """All files are read; new pictures are being compared. About a minute at 1,000,000 new pictures."""
    judged: int = 0
    to_judge: int = 0
    """Pairs of pictures that were compared, and all that are to be; 0 before it is known how many."""
    turned: bool = False
    """They are compared as mirror images or turned."""
    grouping: bool = False
    """All candidates are compared; groups are made, which asks about a few pairs more: judged counts them."""
    waiting: bool = False
    """Another process holds the catalogue."""


class Decoded(NamedTuple):
    """What one decode of one content gives; every hash is computed from `prepared`."""

    format: str
    """Name of the format by content, as in formats.FORMATS ("jpeg", "gif", ...)."""
    width: int = 0
    """Pixels as shown, after EXIF orientation; 0 where the header could not be read."""
    height: int = 0
    frames: int = 0
    duration_ms: int = 0
    """Time of one pass over all frames; 0 for stills."""
    prepared: bytes | None = None
    """4,096 bytes: the picture as 64 x 64 grey levels, rows from the top; None where it could not be decoded."""
    detail: int = 0
    """0 (blank) to 100, see decode.detail_of."""
    pixels: bytes | None = None
    """16-byte digest of every pixel of every frame, only where detail is below decode.DETAIL_GATE."""
    problem: str | None = None
    """Why the picture, or a part of it, could not be read: a sentence without its path."""
    signature: bytes | None = None
    """At most 4 KiB that it can be compared by when the file is not at hand, see signature.sign."""
    views: tuple[bytes, ...] = ()
    """Like `prepared`, of distinct frames of an animation, or of a transparent still on black too."""

    def bounded(self) -> "Decoded":
        """The same in numbers that the catalogue can hold."""
        return self._replace(
            width=counted(self.width, MOST_PIXELS),
            height=counted(self.height, MOST_PIXELS),
            frames=counted(self.frames, MOST_FRAMES),
            duration_ms=known_duration(self.duration_ms),
            detail=counted(self.detail, 100),
        )


class FileStat(NamedTuple):
    """What the system says of a regular file, in numbers that the catalogue can hold (files.seen_of)."""

    name: bytes
    size: int
    mtime_ns: int
    device: int
    inode: int
    ctime_ns: int | None = None
    """When its bytes, its name or its permissions were last changed; None where the system does not say (Windows)."""


ListedFile: TypeAlias = tuple[bytes, int, int, int, int | None]
"""A regular file as a walk found it: name, size, mtime_ns, device, ctime_ns (None on Windows), as the system gives
them: diff.py bounds them before it calls a file changed. A plain tuple: making a named one takes 0.3 microseconds, a
tenth of what the stat takes."""


class Job(NamedTuple):
    """A file whose bytes a worker is to read; decode: hash it even if its content is known."""

    path: bytes
    size: int
    decode: bool
    links: bool = True
    """Whether a link may have led there; if not, one that took the place of a folder since is not followed."""


class Examined(NamedTuple):
    """What a worker found at one path. Exactly one of: vanished, a problem, a content, or no picture at all.

    Tuples like this, Decoded and Seen take a quarter of the time of dataclasses to go from process to process.
    """

    path: bytes
    seen: FileStat | None
    """What fstat said when the file was opened; None where it could not be opened."""
    looked_ns: int
    digest: bytes | None = None
    decoded: Decoded | None = None
    """None where the digest was among those the worker was told are known."""
    problem: str | None = None
    """Why the file (not its content) could not be taken in."""
    retry: bool = False
    """The problem may pass by itself: look again in the next scan."""
    vanished: bool = False


class Arrival(NamedTuple):
    """A file that has another picture now than the catalogue knew at its path."""

    path: bytes
    content: int
    before: int | None
    """The content that the path had; None for none, content itself where the file was gone and came back."""


class Settled(NamedTuple):
    """What became of files that are not where they were."""

    moved: list[tuple[bytes, bytes]]
    """(old, new) paths."""
    missing: list[bytes]
    """Paths of pictures that are gone."""


class Content(NamedTuple):
    """One sequence of bytes that some file has or had; hashes hang on it, so a rename costs no decode.

    A tuple, as File and Member are: a frozen dataclass takes ten times as long to make, and there are millions.
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


COMPARE_KEYS_VERSION = 3
"""Of signatures and of the keys of views: raised when those of any picture change."""

JUDGE_VERSION = 7
"""Of the judge: verdicts of another one are judged anew. Raised with every training and every change of a feature."""


CHOICE_VERSION = 1
"""Of choosing the best of a group: raised when the best of any group, or what is said of it, changes."""


class CompareKeys(NamedTuple):
    """What a content is compared by in the second stage."""

    signature: bytes
    """At most 4 KiB, see signature.sign."""
    keys: bytes
    """Of its views, see candidates.packed_keys; empty where there is too little to see."""


class Candidate(NamedTuple):
    """Two contents that are worth a judgement, a < b."""

    turn: int
    """As of Verdict."""
    bits: int
    """Between their nearest keys."""
    a: int
    b: int
    relation: Relation | None
    """What the judge said; None where it said nothing, because they are copies by way of others or wait for it."""


class Objection(enum.StrEnum):
    """What the fine comparison found between two that would be copies."""

    DETAIL = "detail"
    """Both show something in one place, and not the same: other letters, digits, another mouth."""
    SHAPE = "shape"
    """There is little to compare on plain ground, and too much of it differs."""
    FRAMES = "frames"
    """Frames of one show something else than those of the other."""


class Comparison(NamedTuple):
    """What the fine comparison of two pictures found."""

    side: int
    """Longest side, in pixels, of what was compared."""
    objection: Objection | None


class Verdict(NamedTuple):
    """What two contents are to each other, a < b."""

    a: int
    b: int
    turn: int
    """How a was turned before it was compared: 0 not at all, else a number of signature.TURNS."""
    relation: Relation
    copy: float
    similar: float
    """How surely they are copies, and copies or variants; 0 to 1."""
    by_pixels: bool
    """The files were opened; else their signatures were enough, or all there was."""
    side: int = 0
    """Longest side, in pixels, at which what both show was compared; 0 where nothing lies on each other."""
    objection: Objection | None = None
    """Why they are no copies although they look like copies from further away."""


MIRRORED = (1,)
ROTATED = (2, 3, 4)
BOTH = (5, 6, 7)
"""Turns of Verdict: what mirrored and rotated mean, and what is asked for besides where both are."""


class Decision(NamedTuple):
    """What a person said of two contents, by their digests, a < b: it goes before every verdict."""

    a: bytes
    b: bytes
    same: bool
    said_ns: int


class Said(NamedTuple):
    """What same or separate noted."""

    words: tuple[Decision, ...]
    """As they are kept: of many that are the same only the pairs that hold them together."""
    instead: bool
    """Whether the opposite was said of two of them before, and holds no more."""


class KeyState(enum.IntEnum):
    """What the catalogue holds in a content's place for the key of one recipe; one byte."""

    ABSENT = 0
    SEARCHED = 1
    LOW_DETAIL = 2
    """The key of a picture with too little detail for hashes: it is shown and never searched."""


# A plain number: a member of an enum takes five times as long to look up.
SEARCHED = int(KeyState.SEARCHED)


class KeySnapshot(NamedTuple):
    """All keys of one version of a hash, by content id from 0 on."""

    bits: int
    states: bytearray
    """A KeyState each."""
    keys: bytearray
    """bits // 8 bytes each, big end first; of no meaning where the state is ABSENT."""

    def key(self, content: int) -> int | None:
        """The key of a content as an integer; None where it has none that is searched."""
        if content >= len(self.states) or self.states[content] != SEARCHED:
            return None
        width = self.bits // 8
        return int.from_bytes(self.keys[content * width : (content + 1) * width], "big")

    def keys_of(self, contents: Iterable[int]) -> dict[int, int]:
        """The keys of these contents, but for those that have none that is searched."""
        states, keys, width, read = self.states, self.keys, self.bits // 8, int.from_bytes
        here = [id for id in contents if id < len(states) and states[id] == SEARCHED]
        return {id: read(keys[id * width : (id + 1) * width], "big") for id in here}


class File(NamedTuple):
    """A name on disk and the picture that it held when it was last read."""

    path: bytes
    size: int
    mtime_ns: int
    state: State
    last_seen_ns: int
    content: Content


class Problem(NamedTuple):
    """One file or folder that could not be taken in, and why."""

    path: bytes
    reason: str


class ScanSummary(NamedTuple):
    """Counts of one scan. files = everything looked at; each of the rest counts files unless said."""

    files: int = 0
    unchanged: int = 0
    """Cost one stat."""
    digested: int = 0
    """Read whole and digested."""
    decoded: int = 0
    """Contents decoded and hashed: new ones, and old ones whose hashes were outdated."""
    moved: int = 0
    """Found under a new path while the old one is gone; they keep their history."""
    missing: int = 0
    """Pictures that were present in the last scan and are not now."""
    other: int = 0
    """Not pictures."""
    problems: int = 0
    """Problems met in this run, folders and roots included; known ones that did not change are not met again."""
    outdated: int = 0
    """Contents still answered by hashes of an older recipe."""
    hidden: int = 0
    """Not among files: left out because they, or a folder above them, are hidden. Counted up to walk.HIDDEN_MOST."""
    unmatched: tuple[str, ...] = ()
    """Patterns of include and exclude that matched nothing."""


class Forgotten(NamedTuple):
    """What forget dropped from the catalogue: files by what they are, and roots."""

    pictures: int
    others: int
    """Files that are no pictures, or could not be read."""
    roots: int


class Member(NamedTuple):
    """A file in a group; distance is to the keeper, in bits of the grouping hash, None where either has none."""

    file: File
    distance: int | None
    relation: str | None = None
    """To the keeper: "identical", "copy" or "variant"; None where groups are made by a radius alone."""
    faults: tuple[str, ...] = ()
    """What it lacks that another member has, the worst first: "cropped", "resized", ...; only where the best was asked
    for."""


class WeakLink(NamedTuple):
    """Two pictures that were judged alike, and are in two groups because most of the others there are not."""

    path: bytes
    """Of the one in this group."""
    other: bytes
    chance: float


class Group(NamedTuple):
    """Similar pictures: the keeper first, then the rest in the order that organize numbers them."""

    id: int
    """Lowest content id of the members: stays while that member stays."""
    level: str
    hash: str
    radius: int
    widest: int
    """Largest distance between any two members, in bits of the grouping hash."""
    members: tuple[Member, ...]
    weak_links: tuple[WeakLink, ...] = ()
    why: str = ""
    """Why the keeper was chosen, in a sentence without its full stop."""
    doubt: str | None = None
    """Why no member is best in everything, as a clause; None where one is, or nobody asked for the best."""

    @property
    def agreed(self) -> bool:
        """Whether the members agree on one best; if not, a person should look before any is removed."""
        return self.doubt is None

    @property
    def keeper(self) -> Member:
        return self.members[0]


class Hit(NamedTuple):
    """A file like the one asked about. distances: bits per hash name; empty where a blank picture has none to give."""

    file: File
    distances: dict[str, int]
    same_bytes: bool
    relation: str | None = None
    """What it is to the asked picture: "identical", "copy", "variant" or "different"; None where nobody can tell."""
    turn: str | None = None
    """How the asked picture was turned to be like it: "mirrored", "turned 90" and so on; None where it was not."""


class Answer(NamedTuple):
    """What query found: hits nearest first, and what the asked picture is."""

    hits: tuple[Hit, ...]
    asked: Decoded
    blank: bool
    """The asked picture has too little detail for hashes: only equal pixels are hits."""
    unreachable: int
    """Contents that were left out because their hashes are of a recipe that the asked picture was not hashed with."""


class RootStatus(NamedTuple):
    path: bytes
    files: int
    """Pictures present below it."""
    scanned_ns: int | None
    """When a scan of it last went through; None if never."""


class WatchEvent(NamedTuple):
    """Something that hashindex watch tells. Each kind has the fields that it needs."""

    kind: str
    """Of files: new, better, changed, moved, removed, back, problem. Of the daemon: watching, swept, organized,
    trouble, stopped."""
    time_ns: int
    path: bytes | None = None
    old: bytes | None = None
    """Where a moved file was; what a better form of a picture is better than."""
    relation: str | None = None
    """What a new, changed or returned picture is to the others: new, copy or variant."""
    other: bytes | None = None
    """What it is a copy of."""
    other_gone: bool = False
    distance: int | None = None
    """Bits of the default hash between the two; None where equal pixels speak."""
    same_bytes: bool = False
    message: str | None = None
    """A sentence; of a problem its reason."""
    numbers: dict[str, int | float] = {}  # noqa: RUF012 - never changed
    """Of a sweep and of organize."""


FILE_EVENTS = frozenset(("new", "better", "changed", "moved", "removed", "back"))
"""The kinds that a --notify command hears of."""


class WatchedRoot(NamedTuple):
    """How the daemon follows a folder."""

    path: bytes
    how: str
    """events, sweeping (events do not come there, or not for all folders), or away."""
    why: str | None
    """A sentence where it is not events."""


class DaemonStatus(NamedTuple):
    """What hashindex watch does, or did when it was last heard of."""

    alive: bool
    pid: int
    host: str
    started_ns: int
    written_ns: int
    """When it wrote this."""
    doing: str
    """starting, sweeping, reading, organizing, waiting (for the catalogue) or watching; else stopped, failed (an error
    ended it) or killed."""
    roots: tuple[WatchedRoot, ...]
    swept_ns: int | None
    """When all folders were last compared with the catalogue."""
    queue: int
    """Changed files that are not in the catalogue yet."""
    counts: dict[str, int]
    """Since it was started: events by name, and what went wrong."""
    last_error: str | None
    organized_ns: int | None
    organizes_ns: int | None
    """When it organizes next."""
    failed: str | None = None
    """The error that ended it."""


class Destination(NamedTuple):
    """A folder that organize placed pictures in; what is there is in no group."""

    path: bytes
    pictures: int


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
    lesser: int = 0
    """Present files that are a smaller or unfinished form of one that is there; see families.py."""
    copies: int = 0
    variants: int = 0
    """Pairs of contents that were judged so."""
    waiting: int = 0
    """Pairs that are worth a judgement and have none yet: the next scan gives it."""
    formats: dict[str, int] = field(default_factory=dict)
    """Present files by format, commonest first."""
    recipes: dict[str, int] = field(default_factory=dict)
    """Contents by hash name and version, as in "phash v1"."""
    bytes: int = 0
    """Size of the catalogue on disk."""
    daemon: DaemonStatus | None = None
    """None if hashindex watch never ran for it."""
    destinations: tuple[Destination, ...] = ()


class Action(enum.StrEnum):
    """How organize places a picture."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    MOVE = "move"


class Placed(NamedTuple):
    """A picture that organize placed in a destination: its number is taken for good."""

    number: int
    copy: int
    name: bytes
    digest: bytes

    def to_line(self) -> str:
        """The line of the manifest."""
        fields = {"number": self.number, "copy": self.copy, "name": os.fsdecode(self.name), "sha256": self.digest.hex()}
        return json.dumps(fields) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Placed | None":
        """None for a line that is no whole entry: the head, half a line after a crash, anything foreign."""
        try:
            fields = json.loads(line)
            number, copy, name, digest = (fields[key] for key in ("number", "copy", "name", "sha256"))
            digest, name = bytes.fromhex(digest), os.fsencode(name)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        sound = type(number) is int and type(copy) is int and isinstance(name, bytes) and len(digest) == 32
        if not sound or not 0 < number < 10**12 or not 0 <= copy < 10**12:
            return None
        # Of nothing but a file in that folder.
        if name in (b"", b".", b"..") or b"\0" in name or os.path.basename(name) != name:
            return None
        return cls(number, copy, name, digest)


class Step(NamedTuple):
    """One file to place: source stays or goes as the action says, target is a name that nothing has yet."""

    action: Action
    source: bytes
    target: bytes
    number: int
    copy: int
    """0 for the bare number, n for NUMBER_n."""
    digest: bytes
    size: int
    mtime_ns: int


class Plan(NamedTuple):
    """What organize would do, as data. pictures = grouped + remaining, all in files outside destinations."""

    dest: bytes
    action: Action
    steps: tuple[Step, ...]
    pictures: int
    groups: int
    grouped: int
    remaining: int
    joined: tuple[tuple[int, ...], ...] = ()
    """Numbers that new pictures belong to alike; they go to the lowest, and all keep theirs."""
    withheld: int = 0
    """Files whose content was placed before and was then deleted, moved or renamed there: placed again on request."""
    neighbours: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """New numbers of variants of pictures that were placed before, and the numbers of those."""
    masked: int = 0
    """Pictures left out because only WeChat's masked files have them, which can be copied and nothing else."""
    twice: int = 0
    """Of a plan that moves: files of which the destination has the bytes already, and then has them once more."""
    from_clients: tuple[tuple[str, int], ...] = ()
    """Of a plan that moves: how many files it takes out of which chat client's own folders."""


class MoveState(enum.StrEnum):
    """How far one step of a batch is; every state but the first is written down before or after an act."""

    PLANNED = "planned"
    MOVING = "moving"
    DONE = "done"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    UNDONE = "undone"
    KEPT = "kept"
    """Undo refused: something changed since. It can be tried again."""


class Move(NamedTuple):
    """One step as the journal knows it."""

    batch: int
    ordinal: int
    step: Step
    state: MoveState
    placed_mtime_ns: int | None
    """Of the target when it was placed: some file systems round it."""
    reason: str | None = None


class BatchState(enum.StrEnum):
    """applying and undoing are left behind by a run that was killed; recover ends them."""

    APPLYING = "applying"
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"


class Batch(NamedTuple):
    """One organize --apply. done, skipped, undone and kept count its steps."""

    id: int
    dest: bytes
    action: Action
    state: BatchState
    started_ns: int
    finished_ns: int | None
    done: int
    skipped: int
    undone: int
    kept: int
    trouble: str | None = None
    """Why recover could not end it."""

    @property
    def is_open(self) -> bool:
        """Left behind by a run that was killed, or that the disk failed."""
        return self.state in (BatchState.APPLYING, BatchState.UNDOING)


class Refusal(NamedTuple):
    """A step that was not carried out, or not taken back, and why."""

    path: bytes
    reason: str


STOPPED_BY_PERSON = "it was interrupted"
"""Outcome.stopped after Ctrl-C or SIGTERM."""


class Outcome(NamedTuple):
    """What became of a batch."""

    batch: int | None
    """None where there was nothing to do."""
    done: int
    refused: tuple[Refusal, ...]
    stopped: str | None = None
    """Why it stopped early, if it did; what was done stays done and can be undone."""


class Organized(NamedTuple):
    """What organize planned and did; recovered: batches of killed runs that it ended first."""

    plan: Plan
    outcome: Outcome
    recovered: tuple[Batch, ...] = ()


class ReportSummary(NamedTuple):
    """What a written file holds."""

    file: Path
    groups: int
    pictures: int
    without_thumbnail: int
    """Contents of which no file could be read and shown."""
    bytes: int
    """Of the file."""
