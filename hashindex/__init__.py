"""hashindex: a persistent index of pictures by what they look like.

    from hashindex import HashIndex
    index = HashIndex()
    index.scan(["/home/me/Pictures"])
    for group in index.groups():
        print([member.file.path for member in group.members])

The names in __all__ are stable. Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashindex.core.deduping import Deduped, DedupeOptions, DedupePlan, Kept, Left, Link, Removal
    from hashindex.core.errors import (
        CatalogueDamaged,
        CatalogueError,
        CatalogueForeign,
        CatalogueLocked,
        CatalogueMissing,
        CatalogueUnwritable,
        HashIndexError,
        UnreadablePicture,
        UsageError,
    )
    from hashindex.core.explanation import (
        Blocks,
        Calibration,
        CalibrationTarget,
        Chances,
        Explanation,
        Fit,
        Frames,
        Match,
        Panels,
        ScaleEvidence,
        Score,
        Side,
        Skipped,
    )
    from hashindex.core.model import (
        Answer,
        Cache,
        Client,
        Content,
        DecidedPicture,
        Decision,
        Decoded,
        Destination,
        File,
        Finding,
        Forgotten,
        Group,
        Hit,
        Member,
        NumberedDecision,
        Problem,
        Progress,
        Relation,
        ReportSummary,
        RootStatus,
        Said,
        ScanSummary,
        Severity,
        State,
        Status,
        Totals,
        WeakLink,
    )
    from hashindex.core.options import Keep, Level, Limits, ScanOptions, Sort, WalkRules
    from hashindex.core.organizing import (
        Action,
        Batch,
        BatchCommand,
        BatchState,
        Organized,
        Outcome,
        Plan,
        Refusal,
        Step,
    )
    from hashindex.core.tags import TagCount, TagRule
    from hashindex.core.watch_events import DaemonStatus, WatchedRoot, WatchEvent
    from hashindex.core.words import FoundPicture, ReadPicture, ReadSummary, TextLine, WordCounts
    from hashindex.index.grouping import Grouping
    from hashindex.index.selection import Selection
    from hashindex.service import HashIndex
    from hashindex.watch.daemon import Daemon, WatchOptions
    from hashindex.watch.organizing import DedupeSchedule, OrganizeSchedule

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Answer",
    "Batch",
    "BatchCommand",
    "BatchState",
    "Blocks",
    "Cache",
    "Calibration",
    "CalibrationTarget",
    "CatalogueDamaged",
    "CatalogueError",
    "CatalogueForeign",
    "CatalogueLocked",
    "CatalogueMissing",
    "CatalogueUnwritable",
    "Chances",
    "Client",
    "Content",
    "Daemon",
    "DaemonStatus",
    "DecidedPicture",
    "Decision",
    "Decoded",
    "DedupeOptions",
    "DedupePlan",
    "DedupeSchedule",
    "Deduped",
    "Destination",
    "Explanation",
    "File",
    "Finding",
    "Fit",
    "Forgotten",
    "FoundPicture",
    "Frames",
    "Group",
    "Grouping",
    "HashIndex",
    "HashIndexError",
    "Hit",
    "Keep",
    "Kept",
    "Left",
    "Level",
    "Limits",
    "Link",
    "Match",
    "Member",
    "NumberedDecision",
    "OrganizeSchedule",
    "Organized",
    "Outcome",
    "Panels",
    "Plan",
    "Problem",
    "Progress",
    "ReadPicture",
    "ReadSummary",
    "Refusal",
    "Relation",
    "Removal",
    "ReportSummary",
    "RootStatus",
    "Said",
    "ScaleEvidence",
    "ScanOptions",
    "ScanSummary",
    "Score",
    "Selection",
    "Severity",
    "Side",
    "Skipped",
    "Sort",
    "State",
    "Status",
    "Step",
    "TagCount",
    "TagRule",
    "TextLine",
    "Totals",
    "UnreadablePicture",
    "UsageError",
    "WalkRules",
    "WatchEvent",
    "WatchOptions",
    "WatchedRoot",
    "WeakLink",
    "WordCounts",
]

_MODULES = (
    "core.deduping",
    "core.errors",
    "core.explanation",
    "core.model",
    "core.options",
    "core.organizing",
    "core.tags",
    "core.watch_events",
    "core.words",
    "index.grouping",
    "index.selection",
    "service",
    "watch.daemon",
    "watch.organizing",
)


def __getattr__(name: str) -> object:
    # PEP 562. A worker process imports this package too and does not need NumPy.
    if name in __all__:
        for module in _MODULES:
            found = import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
