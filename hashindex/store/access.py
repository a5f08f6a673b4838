"""How a catalogue is opened for one act: to read, to write, for a batch, and a damaged one set aside on the way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from hashindex.core.errors import CatalogueDamaged
from hashindex.disk.lock import held
from hashindex.store.catalogue import Catalogue

Returned = TypeVar("Returned")


class Access:
    """To one catalogue, which each act opens for itself: what another process does to it is seen."""

    def __init__(self, path: Path, wait_s: float, on_notice: Callable[[str], None]) -> None:
        """on_notice: hears, in a sentence, that a damaged catalogue was set aside."""
        self.path = path
        self.wait_s = wait_s
        self._on_notice = on_notice

    def reading(self) -> Catalogue:
        """A reader. CatalogueMissing where there is none."""
        return Catalogue(self.path, wait_s=self.wait_s)

    def writing(
        self,
        create: Callable[[], object] | None = None,
        *,
        wait_s: float | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Catalogue:
        """A writer; only where `create` is given, and it raised nothing, is a missing catalogue made.

        wait_s: instead of its own. on_wait: as of Database.
        """
        if create is None:
            self.reading().close()
        elif not self.path.exists():
            create()
        return Catalogue(self.path, write=True, wait_s=self.wait_s if wait_s is None else wait_s, on_wait=on_wait)

    def batch_lock(self) -> AbstractContextManager[None]:
        """Held while a batch lives; the system lets go of it when the process dies."""
        self.reading().close()
        return held(self.path, self.wait_s)

    def with_recovery(self, act: Callable[[], Returned]) -> Returned:
        """Does what writes; a damaged catalogue is set aside first, and what could be rescued is in a new one."""
        try:
            return act()
        except CatalogueDamaged:
            from hashindex.store.rescue import set_aside

            rescued = set_aside(self.path, self.wait_s)
            if rescued is not None:
                self._on_notice(rescued.sentence())
            return act()
