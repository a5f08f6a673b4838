"""Reads the words of new pictures in the background, in one thread and one process; see background.py."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.core.words import ReadPicture
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.watch.background import BackgroundWork


class BackgroundReader(BackgroundWork):
    """A first reading of thousands of pictures takes many minutes."""

    def __init__(self, catalogue: Path, limits: Limits, on_end: Callable[[], None], now: float = 0.0) -> None:
        super().__init__("read", catalogue, on_end, now)
        self._pictures = self._with_words = 0
        self._worker = IsolatedWorker(limits, low_priority=True)

    def finish(self) -> None:
        if not self.is_busy:
            self._worker.close()

    def kill_workers(self) -> None:
        self._worker.close()

    def failure(self, name: str, error: str) -> Message:
        return Message("The words of pictures could not be read: {name}: {error}", name=name, error=error)

    def take_counts(self) -> dict[str, int]:
        """How many pictures were read since the last call, and in how many there were words."""
        counts = {"pictures": self._pictures, "with_words": self._with_words}
        self._pictures = self._with_words = 0
        return counts

    def work(self) -> None:
        """Reads every picture that was not read yet."""
        # Imported late: most daemons read no words.
        from hashindex.index.read_words import crashed, read_words
        from hashindex.pictures.read_text import TextJob, TextResult, read_text
        from hashindex.pictures.text_engine import installed_models
        from hashindex.pictures.worker_pool import run_in

        models = installed_models()
        limits = self._worker.limits
        read_one = partial(read_text, models=models, limits=limits)

        def on_crash(job: TextJob, reason: str) -> TextResult:
            # If stop ended the process, the picture is not the cause.
            self.raise_if_pausing()
            return crashed(job, reason)

        with self.writing() as catalogue:
            read_words(
                catalogue,
                models,
                lambda jobs: run_in(self._worker, read_one, jobs, on_crash),
                on_read=self._count,
                on_progress=lambda done, total: self.raise_if_pausing(),
            )

    def _count(self, picture: ReadPicture) -> None:
        self._pictures += 1
        self._with_words += bool(picture.lines)
