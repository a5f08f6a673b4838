"""A cache that is bounded by bytes. Does no I/O."""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int:
        """The size in bytes; always the same for one value."""


KeptValue = TypeVar("KeptValue", bound=_Sized)


class RecentlyUsed(Generic[KeptValue]):
    """Keeps values of together at most `most` bytes, and drops those that were not used for the longest time.

    The newest value is kept even if it is larger. None is a value of no size.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Hashable, KeptValue | None] = {}
        self._nbytes = 0

    def get(self, key: Hashable, make: Callable[[], KeptValue | None]) -> KeptValue | None:
        """The value of a key, made now if it was not kept."""
        if key in self._values:
            value = self._values.pop(key)
            self._values[key] = value
            return value
        value = make()
        self.put(key, value)
        return value

    def put(self, key: Hashable, value: KeptValue | None) -> None:
        """Keeps a value, which replaces another one of the same key."""
        self._nbytes += _size_of(value) - _size_of(self._values.pop(key, None))
        while self._values and self._nbytes > self._most:
            self._nbytes -= _size_of(self._values.pop(next(iter(self._values))))
        self._values[key] = value


def _size_of(value: _Sized | None) -> int:
    return 0 if value is None else value.nbytes
