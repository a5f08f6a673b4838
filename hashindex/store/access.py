"""Opens the catalogue for one operation: to read, to write or for a batch. Sets a damaged one aside first."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from hashindex.core.errors import CatalogueDamaged
from hashindex.disk.lock import held
from hashindex.store.catalogue import Catalogue

Returned = TypeVar("Returned")

PATIENCE_S = 1.0
"""Maximum wait of a query for another writer; after it the query goes on without storing."""


class Access:
    """Access to one catalogue. Each operation opens the file anew, so that it sees what other processes wrote."""

    def __init__(self, path: Path, wait_s: float, on_notice: Callable[[str], None]) -> None:
        """on_notice: called with a sentence when a damaged catalogue was set aside."""
        self.path = path
        self.wait_s = wait_s
        self._on_notice = on_notice

    def reading(self) -> Catalogue:
        """Opens a reader. Raises CatalogueMissing."""
        return Catalogue(self.path, wait_s=self.wait_s)

    def writing(
        self,
        create: Callable[[], object] | None = None,
        *,
        wait_s: float | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Catalogue:
        """Opens a writer.

        create: called if the catalogue is missing, before it is made; without it, CatalogueMissing is raised instead.
        wait_s: overrides self.wait_s. on_wait: see Database.
        """
        if create is None:
            self.reading().close()
        elif not self.path.exists():
            create()
        return Catalogue(self.path, write=True, wait_s=self.wait_s if wait_s is None else wait_s, on_wait=on_wait)

    def batch_lock(self) -> AbstractContextManager[None]:
        """The lock of a running batch. The system releases it when the process dies."""
        self.reading().close()
        return held(self.path, self.wait_s)

    def with_recovery(self, act: Callable[[], Returned]) -> Returned:
        """Runs an operation that writes. Sets a damaged catalogue aside, and runs the operation again on a new one."""
        try:
            return act()
        except CatalogueDamaged:
            from hashindex.store.rescue import set_aside

            rescued = set_aside(self.path, self.wait_s)
            if rescued is not None:
                self._on_notice(rescued.sentence())
            return act()
