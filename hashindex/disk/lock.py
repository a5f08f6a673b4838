"""The lock that a running batch of organize holds: one per catalogue. The system releases it when the process dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashindex.core.errors import CatalogueLocked
from hashindex.core.language import Message


@contextmanager
def held(catalogue: Path, wait_s: float) -> Iterator[None]:
    """Holds CATALOGUE.lock. Raises CatalogueLocked after wait_s."""
    # Imported late, because most commands need no lock.
    from filelock import FileLock, Timeout

    try:
        with FileLock(f"{catalogue}.lock", timeout=wait_s):
            yield
    except Timeout:
        raise CatalogueLocked(
            Message(
                "Another process has been organizing with the catalogue {catalogue} for more than {wait_s:g} s; "
                "try again when it has finished, or wait longer with --wait.",
                catalogue=catalogue,
                wait_s=wait_s,
            )
        ) from None


def is_held(catalogue: Path) -> bool:
    """Whether a batch of organize is running. The lock file alone means nothing: it stays when a batch is done."""
    from filelock import FileLock, Timeout

    if not Path(f"{catalogue}.lock").exists():
        return False
    try:
        with FileLock(f"{catalogue}.lock", timeout=0):
            return False
    except Timeout:
        return True
