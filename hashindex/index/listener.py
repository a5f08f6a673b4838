"""The hooks by which a long-running program (the daemon) follows and controls a scan."""

from collections.abc import Collection, Sequence

from hashindex.core.messages import Arrival, Examined, Settled


class ScanListener:
    """Hooks of a scan. Subclasses may postpone files and receive results; here every hook does nothing."""

    def not_yet(self, path: bytes, mtime_ns: int) -> bool:
        """Whether to postpone reading a changed file."""
        return False

    def put_off(self, examined: Examined) -> bool:
        """Whether to postpone recording this result, because it may not be final."""
        return False

    def walked(self, folders: Collection[bytes]) -> None:
        """Called after a scan of whole roots with all listed folders."""

    def leave(self, gone: list[tuple[bytes, bytes, int]]) -> list[tuple[bytes, bytes, int]]:
        """Returns those of these missing files (folder, name, last seen) that this run settles as moved or missing."""
        return gone

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        """Called after these arrivals were recorded."""

    def settled(self, settled: Settled) -> None:
        """Called after these missing files were recorded as moved or missing."""

    def back(self, folder: bytes, names: Sequence[bytes]) -> None:
        """Called for missing files that are present again, unchanged."""
