"""hashindex: a persistent index of pictures by what they look like.

    from hashindex import HashIndex
    index = HashIndex()
    index.scan(["/home/me/Pictures"])
    for group in index.groups():
        print([member.file.path for member in group.members])

The names in __all__ are stable. Importing this package imports nothing else of it until a name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from hashindex.core.explanation import Calibration, Explanation
    from hashindex.core.model import (
        Action,
        Answer,
        Batch,
        BatchState,
        Cache,
        Client,
        Content,
        DaemonStatus,
        Decision,
        Decoded,
        Destination,
        File,
        Finding,
        Forgotten,
        Group,
        Hit,
        Keep,
        Level,
        Limits,
        Member,
        Organized,
        Outcome,
        Plan,
        Problem,
        Progress,
        Refusal,
        Relation,
        ReportSummary,
        RootStatus,
        Said,
        ScanOptions,
        ScanSummary,
        Severity,
        State,
        Status,
        Step,
        WalkRules,
        WatchedRoot,
        WatchEvent,
        WeakLink,
    )
    from hashindex.index.grouping import Grouping
    from hashindex.service import HashIndex
    from hashindex.watch.daemon import Daemon, WatchOptions
    from hashindex.watch.organizing import OrganizeSchedule

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Answer",
    "Batch",
    "BatchState",
    "Cache",
    "Calibration",
    "CatalogueDamaged",
    "CatalogueError",
    "CatalogueForeign",
    "CatalogueLocked",
    "CatalogueMissing",
    "CatalogueUnwritable",
    "Client",
    "Content",
    "Daemon",
    "DaemonStatus",
    "Decision",
    "Decoded",
    "Destination",
    "Explanation",
    "File",
    "Finding",
    "Forgotten",
    "Group",
    "Grouping",
    "HashIndex",
    "HashIndexError",
    "Hit",
    "Keep",
    "Level",
    "Limits",
    "Member",
    "OrganizeSchedule",
    "Organized",
    "Outcome",
    "Plan",
    "Problem",
    "Progress",
    "Refusal",
    "Relation",
    "ReportSummary",
    "RootStatus",
    "Said",
    "ScanOptions",
    "ScanSummary",
    "Severity",
    "State",
    "Status",
    "Step",
    "UnreadablePicture",
    "UsageError",
    "WalkRules",
    "WatchEvent",
    "WatchOptions",
    "WatchedRoot",
    "WeakLink",
]


def __getattr__(name: str) -> object:
    # Imported on first use (PEP 562): a worker process imports this package too, and needs no NumPy.
    if name in __all__:
        for module in (
            *("core.errors", "core.explanation", "core.model", "index.grouping", "service"),
            *("watch.daemon", "watch.organizing"),
        ):
            found = import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
