"""Shows progress on standard error: a bar on a terminal, else lines."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from hashindex.core.model import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 5.0
BAR_AFTER_S = 1.0
"""Commands other than scan show no bar before."""


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yields on_progress for HashIndex.scan."""
    with _shown(quiet, "files", time.monotonic, bar_after_s=0.0) as show:
        yield show


@contextmanager
def comparing(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yields on_progress for queries. If pictures must be compared first, prints why, and a bar if it takes long."""
    explained: set[bool] = set()
    with _shown(quiet, "files", time.monotonic, bar_after_s=BAR_AFTER_S) as show:

        def show_and_explain(progress: Progress) -> None:
            if progress.to_judge and progress.turned not in explained and not quiet:
                explained.add(progress.turned)
                print(reason_to_compare(progress), file=sys.stderr, flush=True)
            show(progress)

        yield show_and_explain


def reason_to_compare(progress: Progress) -> str:
    """Why a query takes longer than usual."""
    pairs = "1 pair" if progress.to_judge == 1 else f"{progress.to_judge:,} pairs"
    if progress.turned:
        return f"Pictures are compared mirrored or turned for the first time; comparing {pairs} first."
    return f"The last scan was interrupted; comparing {pairs} first."


@contextmanager
def counted(quiet: bool, what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields on_progress for work with a known total: takes the number of `what` that are done, and of all."""
    with _shown(quiet, what, time.monotonic, bar_after_s=0.0) as show:
        yield lambda done, total: show(Progress(done, done, total, walking=False))


@contextmanager
def comparing_then_counted(
    quiet: bool, what: str
) -> Iterator[tuple[Callable[[Progress], None], Callable[[int, int], None]]]:
    """Both of the above for one call; the first count ends the display of comparing."""
    with ExitStack() as first, ExitStack() as second:
        show: list[Callable[[int, int], None]] = []

        def on_counted(done: int, total: int) -> None:
            if not show:
                first.close()
                show.append(second.enter_context(counted(quiet, what)))
            show[0](done, total)

        yield first.enter_context(comparing(quiet)), on_counted


@contextmanager
def _shown(
    quiet: bool, what: str, clock: Callable[[], float], *, bar_after_s: float
) -> Iterator[Callable[[Progress], None]]:
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        bar = _OnTerminal(what, clock, bar_after_s)
        try:
            yield bar.show
        finally:
            bar.close()
    else:
        yield _Lines(what, clock).show


_STAGES = {
    "files": "reading",
    "files placed": "placing files",
    "files removed": "removing files",
    "files put back": "putting files back",
}
"""Names of stages by what is counted, if the two differ."""


class Stage(NamedTuple):
    """A stage of the work, and how far it is."""

    name: str
    done: int
    total: int | None
    """None if it is unknown or may still grow."""


def stage_of(progress: Progress, what: str = "files") -> Stage:
    """The stage of a progress. what: what is counted."""
    if progress.waiting:
        return Stage("waiting for another process", 0, None)
    if progress.grouping:
        return Stage("checking groups", progress.judged, None)
    if progress.to_judge:
        return Stage("comparing pairs", progress.judged, progress.to_judge)
    if progress.comparing:
        return Stage("finding candidates", 0, None)
    if progress.walking:
        return Stage("listing files", progress.read, None)
    return Stage(_STAGES.get(what, what), progress.read, progress.total)


class _Pace:
    """The speed of the current stage."""

    def __init__(self) -> None:
        self._name = ""
        self._began = 0.0
        self._done = 0

    def per_second(self, stage: Stage, now: float) -> float:
        """Average since the stage began; 0 at first."""
        if stage.name != self._name:
            self._name, self._began, self._done = stage.name, now, stage.done
        return (stage.done - self._done) / max(now - self._began, 1e-6)


def counts_text(stage: Stage, rate: float) -> str:
    """1,200/14,430  410/s  about 30 s left"""
    if stage.total is None:
        text = f"{stage.done:,}" if stage.done else ""
    else:
        text = f"{stage.done:,}/{stage.total:,}"
    if rate >= 1:
        text += f"  {rate:,.0f}/s"
    if rate > 0 and stage.total is not None and stage.done < stage.total:
        seconds = (stage.total - stage.done) / rate
        text += f"  about {seconds:,.0f} s left" if seconds < 120 else f"  about {seconds / 60:,.0f} min left"
    return text


class _Lines:
    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._last = clock()
        self._pace = _Pace()

    def show(self, progress: Progress) -> None:
        now = self._clock()
        rate = self._pace.per_second(stage_of(progress, self._what), now)
        if now - self._last < LINE_EVERY_S:
            return
        self._last = now
        print(line(progress, rate, self._what), file=sys.stderr, flush=True)


def line(progress: Progress, rate: float, what: str = "files") -> str:
    """1,200 of 4,726 files, 250 a second, about 14 s left"""
    stage = stage_of(progress, what)
    if progress.waiting:
        return stage.name
    if not progress.comparing:
        total = f"{progress.total:,} or more" if progress.walking else f"{progress.total:,}"
        return f"{stage.done:,} of {total} {what}, {_pace_text(stage, rate)}"
    before = f"{progress.read:,} {what} read, " if progress.read else ""
    if stage.total is not None:
        return f"{before}{stage.done:,} of {stage.total:,} pairs compared, {_pace_text(stage, rate)}"
    return f"{before}{stage.name}" + (f", {stage.done:,} pairs compared" if stage.done else "")


def _pace_text(stage: Stage, rate: float) -> str:
    found = f"{rate:,.0f} a second"
    if rate and stage.total is not None:
        found += f", about {(stage.total - stage.done) / rate:,.0f} s left"
    return found


class _OnTerminal:
    """A progress bar that appears after bar_after_s."""

    def __init__(self, what: str, clock: Callable[[], float], bar_after_s: float) -> None:
        self._what = what
        self._clock = clock
        self._pace = _Pace()
        self._starts = clock() + bar_after_s
        self._bar: Bar | None = None

    def show(self, progress: Progress) -> None:
        stage = stage_of(progress, self._what)
        now = self._clock()
        rate = self._pace.per_second(stage, now)
        if self._bar is None:
            # Shown at once: finding candidates may take a minute without another sign of progress.
            if now < self._starts and stage.name not in ("finding candidates", "waiting for another process"):
                return
            self._bar = _bar()
            self._bar.start()
            self._bar.add_task("", total=None, counts="")
        self._bar.update(
            self._bar.task_ids[0], description=stage.name, completed=stage.done, counts=counts_text(stage, rate)
        )
        # A full bar would look finished before the next stage begins. Rich ignores update(total=None), so set it here.
        is_open = stage.total is None or stage.done >= stage.total
        self._bar.tasks[0].total = None if is_open else stage.total

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar() -> "Bar":
    # Imported late: Rich takes 0.1 s to import. It honours NO_COLOR.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}")
    return Progress(*columns, console=Console(stderr=True), transient=True)
