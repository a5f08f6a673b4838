"""What a scan asks and tells whoever attends it for long. Nothing is done here: the daemon does."""

from collections.abc import Collection, Sequence

from hashindex.core.messages import Arrival, Examined, Settled


class ScanListener:
    """Who attends a scan for long (the daemon): may have files wait, and hears what became of each. Does nothing."""

    def not_yet(self, path: bytes, mtime_ns: int) -> bool:
        """Whether a changed file is to be left as it is for now."""
        return False

    def put_off(self, examined: Examined) -> bool:
        """Whether what was found is not to be believed yet; then nothing is written of it."""
        return False

    def walked(self, folders: Collection[bytes]) -> None:
        """These folders were listed in a scan of whole roots."""

    def leave(self, gone: list[tuple[bytes, bytes, int]]) -> list[tuple[bytes, bytes, int]]:
        """Which of these (folder, name, when they were last seen) to settle in this run."""
        return gone

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        """These were written."""

    def settled(self, settled: Settled) -> None:
        """So were these."""

    def back(self, folder: bytes, names: Sequence[bytes]) -> None:
        """These were missing and are there again, unchanged."""
