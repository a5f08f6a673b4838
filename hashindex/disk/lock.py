"""The lock that a batch of organize holds: one a catalogue, let go by the system when its process dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashindex.core.errors import CatalogueLocked


@contextmanager
def held(catalogue: Path, wait_s: float) -> Iterator[None]:
    """Holds NAME.lock beside the catalogue. Raises CatalogueLocked after wait_s."""
    # Here, because a question needs no lock and should not wait for the import.
    from filelock import FileLock, Timeout

    try:
        with FileLock(f"{catalogue}.lock", timeout=wait_s):
            yield
    except Timeout:
        raise CatalogueLocked(
            f"Another process has been organizing with the catalogue {catalogue} for more than {wait_s:g} s; "
            "try again when it is done, or wait longer with --wait."
        ) from None


def is_held(catalogue: Path) -> bool:
    """Whether a batch of organize lives now. A lock file that nobody holds means nothing: it stays when one is done."""
    from filelock import FileLock, Timeout

    if not Path(f"{catalogue}.lock").exists():
        return False
    try:
        with FileLock(f"{catalogue}.lock", timeout=0):
            return False
    except Timeout:
        return True
