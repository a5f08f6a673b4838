"""Shows how far a scan or a report is on standard error: a bar on a terminal, else a plain line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hashindex.model import Progress

LINE_EVERY_S = 5.0


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """What to hand to HashIndex.scan as on_progress."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _Lines("files", time.monotonic).show


@contextmanager
def counted(quiet: bool, what: str) -> Iterator[Callable[[int, int], None]]:
    """The same for work whose total is known: takes how many of `what` are done, and all."""
    if quiet:
        yield lambda done, total: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield lambda done, total: show(Progress(done, done, total, walking=False))
    else:
        lines = _Lines(what, time.monotonic)
        yield lambda done, total: lines.show(Progress(done, done, total, walking=False))


class _Lines:
    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._started = self._last = clock()

    def show(self, progress: Progress) -> None:
        now = self._clock()
        if now - self._last < LINE_EVERY_S:
            return
        self._last = now
        print(line(progress, now - self._started, self._what), file=sys.stderr, flush=True)


def line(progress: Progress, elapsed_s: float, what: str = "files") -> str:
    """1,200 of 4,726 files, 250 a second, about 14 s left"""
    if progress.to_judge:
        return f"{progress.read:,} {what} read, {progress.judged:,} of {progress.to_judge:,} pairs compared"
    if progress.comparing:
        return f"{progress.read:,} {what} read, comparing"
    rate = progress.read / elapsed_s if elapsed_s > 0 else 0.0
    total = f"{progress.total:,} or more" if progress.walking else f"{progress.total:,}"
    words = f"{progress.read:,} of {total} {what}, {rate:,.0f} a second"
    if rate and not progress.walking:
        words += f", about {(progress.total - progress.read) / rate:,.0f} s left"
    return words


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    # Rich takes 0.1 s to import; only a terminal pays for it. It honours NO_COLOR by itself.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=None, rate="")

        def show(progress: Progress) -> None:
            rate = progress.read / max(time.monotonic() - started, 1e-6)
            if progress.to_judge:
                bar.update(task, description="pairs", completed=progress.judged, total=progress.to_judge, rate="")
                return
            bar.update(
                task,
                description="comparing" if progress.comparing else "looking" if progress.walking else "reading",
                completed=progress.read,
                total=progress.total if progress.total else None,
                rate=f"{rate:,.0f}/s",
            )

        yield show
