"""Formats stored times. Accepts any integer, since a file may have any mtime."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import overload

from hashindex.core.bounds import bounded

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_minute(time_ns: int) -> str:
    """2026-11-29 14:05 in local time."""
    return local_time(time_ns).strftime("%Y-%m-%d %H:%M")


def local_time(time_ns: int) -> datetime:
    """The time in the local time zone; in UTC if the system cannot convert it (Windows before 1970)."""
    when = _utc(time_ns)
    with contextlib.suppress(OSError, OverflowError, ValueError):
        when = when.astimezone()
    return when


@overload
def iso(time_ns: int) -> str: ...
@overload
def iso(time_ns: int | None) -> str | None: ...
def iso(time_ns: int | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return None if time_ns is None else _utc(time_ns).isoformat(timespec="seconds")


def _utc(time_ns: int) -> datetime:
    # datetime.fromtimestamp refuses negative times on Windows. int64 reaches from 1677 to 2262.
    return _EPOCH + timedelta(microseconds=bounded(time_ns) // 1000)
