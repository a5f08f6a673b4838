"""Finds the pictures that you have more than once, and tidies them up.

    from hashindex import HashIndex

    if __name__ == "__main__":  # scan starts worker processes
        with HashIndex() as index:
            index.scan("~/Pictures")
            for group in index.groups():
                print(group.keeper.file.path, len(group.members))

HashIndex has a method for each command. Options are checked when they are created:

    scan        ScanOptions, WalkRules, Limits, DaskExecutor
    groups      Grouping, Selection, Level, Keep, Sort
    organize    Action
    dedupe      DedupeOptions, Link
    watch       WatchOptions, OrganizeSchedule, DedupeSchedule

What methods return is frozen. A path is a str in which bytes that are not UTF-8 are lone surrogates, as in os.listdir;
the same path as bytes has the ending _bytes (file.path and file.path_bytes). Methods take paths as str, bytes or
os.PathLike. Times are nanoseconds since 1970 in UTC, sizes are bytes, and distances are bits.

    groups      Group, Member, File, Content, WeakLink, Relation, State, Totals
    query       Answer, Hit, Decoded
    read        ReadPicture, ReadSummary, TextLine
    find        FoundPicture, WordCounts
    tags        TagCount, TagRule
    explain     Explanation, Side, Chances, ScaleEvidence, Match, Fit, Blocks, Panels, Frames
    calibrate   Calibration, CalibrationTarget, Score, Skipped
    organize    Organized, Plan, Step, Outcome, Refusal, Batch, BatchState, BatchCommand
    dedupe      Deduped, DedupePlan, Removal, Kept, Left
    decisions   Decision, NumberedDecision, DecidedPicture, Said
    review      GroupDetail, ReviewChange, ReviewedContent, ReviewKind
    watch       WatchEvent, DaemonStatus, WatchedRoot
    others      ScanSummary, Progress, Problem, Status, RootStatus, Destination, Finding, Severity, Forgotten, Cache,
                Client, ReportSummary

Errors are subclasses of HashIndexError whose text is a sentence: UsageError for wrong arguments, UnreadablePicture,
CatalogueMissing, CatalogueDamaged, CatalogueForeign (all three CatalogueError), CatalogueLocked, CatalogueUnwritable,
ClusterError.

These names are stable. Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashindex.cluster.dask_executor import DaskExecutor
    from hashindex.core.deduping import Deduped, DedupeOptions, DedupePlan, Kept, Left, Link, Removal
    from hashindex.core.errors import (
        CatalogueDamaged,
        CatalogueError,
        CatalogueForeign,
        CatalogueLocked,
        CatalogueMissing,
        CatalogueUnwritable,
        ClusterError,
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
    from hashindex.core.reviewing import GroupDetail, ReviewChange, ReviewedContent, ReviewKind
    from hashindex.core.tags import TagCount, TagRule
    from hashindex.core.watch_events import DaemonStatus, WatchedRoot, WatchEvent
    from hashindex.core.words import FoundPicture, ReadPicture, ReadSummary, TextLine, WordCounts
    from hashindex.index.grouping import Grouping
    from hashindex.index.selection import Selection
    from hashindex.service import HashIndex
    from hashindex.watch.daemon import WatchOptions
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
    "ClusterError",
    "Content",
    "DaemonStatus",
    "DaskExecutor",
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
    "GroupDetail",
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
    "ReviewChange",
    "ReviewKind",
    "ReviewedContent",
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
    "core.reviewing",
    "core.tags",
    "core.watch_events",
    "core.words",
    "index.grouping",
    "index.selection",
    "service",
    "watch.daemon",
    "watch.organizing",
    "cluster.dask_executor",
)


def __getattr__(name: str) -> object:
    # PEP 562. A worker process imports this package too and does not need NumPy.
    if name in __all__:
        for module in _MODULES:
            found = import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
