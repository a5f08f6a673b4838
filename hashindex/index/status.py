"""The values of hashindex status: counts by state and format, the roots, the daemon. Reads the catalogue only."""

import os

from hashindex.core.model import Destination, RootStatus, Status
from hashindex.hashing import recipes
from hashindex.store.catalogue import Catalogue
from hashindex.store.daemon_state import daemon_status


def status_of(catalogue: Catalogue) -> Status:
    """The status of a catalogue. Cost: 1.4 s at a million files; more if hashes are outdated."""
    path = catalogue.path
    counts = catalogue.counts()
    copies, variants, waiting, waiting_variants = catalogue.verdicts.tally()
    return Status(
        copies=copies,
        variants=variants,
        waiting=waiting,
        waiting_variants=waiting_variants,
        daemon=daemon_status(path),
        catalogue=str(path),
        roots=tuple(
            RootStatus(root.path, catalogue.count_present_below(root.path), root.scanned_ns)
            for root in catalogue.roots()
        ),
        problems=len(catalogue.problems()),
        outdated=catalogue.outdated(recipes.RECIPES),
        formats=catalogue.formats(),
        recipes=catalogue.recipes(),
        bytes=sum(os.path.getsize(name) for name in (path, f"{path}-wal") if os.path.exists(name)),
        present=counts["present"],
        missing=counts["missing"],
        other=counts["other"],
        contents=counts["contents"],
        blank=counts["low_detail"],
        superseded=counts["superseded"],
        destinations=tuple(Destination(path, catalogue.count_present_below(path)) for path in catalogue.destinations()),
    )
