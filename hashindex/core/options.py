"""Options that callers choose: limits of decoding, rules of the walk, levels of grouping."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from hashindex.core.arguments import Options, at_least


class Keep(enum.StrEnum):
    """A rule for the keeper of a group. Several rules are used in the order in which the user gives them."""

    BEST = "best"
    """The copy that a person would pick, see docs/judgement.md."""
    LARGEST = "largest"
    PIXELS = "pixels"
    OLDEST = "oldest"
    NEWEST = "newest"


class Level(enum.StrEnum):
    """What makes a group: copies of one picture; copies and variants; or hashes within a radius."""

    COPIES = "copies"
    SIMILAR = "similar"
    RADIUS = "radius"


class Sort(enum.StrEnum):
    """The order in which groups are shown."""

    SPACE = "space"
    """Most bytes beside the keeper first."""
    MEMBERS = "members"
    """Most members first."""
    PATH = "path"
    """Lowest path first, which is the order of the numbers."""


class Engine(enum.StrEnum):
    """How neighbours of a hash are found. All engines find the same neighbours."""

    AUTO = "auto"
    BKTREE = "bktree"
    PACKED = "packed"


DEFAULT_HASH = "phash256"


@dataclass(frozen=True, slots=True, repr=False)
class Limits(Options):
    """Limits of one picture, checked before it is decoded, and of the process that decodes it.

    UsageError for values below 1, except that seconds may be smaller.
    """

    pixels: int = 120_000_000
    """Largest width x height of one frame. 120 million is more than today's phone photos have; as RGBA it is 480 MB."""
    frames: int = 10_000
    bytes: int = 512 * 2**20
    seconds: float = 30.0
    """Wall-clock time of one decode. The worker process is ended after that."""
    memory: int = 4 * 2**30
    """Bytes that a worker process may allocate beyond what it has at its start. Linux only."""

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(1, pixels=self.pixels, frames=self.frames, bytes=self.bytes, memory=self.memory)
        at_least(0.01, seconds=self.seconds)


@dataclass(frozen=True, slots=True, repr=False)
class WalkRules(Options):
    """Which files a walk includes.

    include, exclude: patterns as in a .gitignore file, relative to the innermost root. The last pattern that matches
    decides; a pattern with ! in front cancels earlier matches. Excluded folders are not entered; everything below an
    included folder is included. See disk/patterns.py.
    hidden: also files and folders whose names start with a dot.
    links: follow symbolic links to targets outside every root. Targets inside a root are found under their own names.
    """

    include: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()
    hidden: bool = False
    links: bool = False

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        for name in ("include", "exclude"):
            patterns = getattr(self, name)
            self._set(name, (patterns,) if isinstance(patterns, str) else patterns)


@dataclass(frozen=True, slots=True, repr=False)
class ScanOptions(Options):
    """How to scan.

    workers: processes that read and decode. None means one per processor; 1 suits spinning disks and networks."""

    rules: WalkRules = WalkRules()
    limits: Limits = Limits()
    workers: int | None = None

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(1, workers=self.workers)
