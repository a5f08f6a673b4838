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
        RootStatus,
        Said,
        ScanOptions,
        ScanSummary,
        Severity,
        State,
        Status,
        Step,
        WalkRules,
        WeakLink,
    )
    from hashindex.index.grouping import Grouping
    from hashindex.service import HashIndex

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
    "Organized",
    "Outcome",
    "Plan",
    "Problem",
    "Progress",
    "Refusal",
    "Relation",
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
    "WeakLink",
]


def __getattr__(name: str) -> object:
    # Imported on first use (PEP 562): a worker process imports this package too, and needs no NumPy.
    if name in __all__:
        for module in ("core.errors", "core.explanation", "core.model", "index.grouping", "service"):
            found = import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
