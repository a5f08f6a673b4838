"""Shows on standard error how far a scan, a comparison or a report is: a bar on a terminal, else lines."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from hashindex.core.model import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 5.0
STARTS_S = 1.0
"""What is done before shows no progress, unless it is a scan."""


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """What to hand to HashIndex.scan as on_progress."""
    with _shown(quiet, "files", time.monotonic, starts_s=0.0) as show:
        yield show


@contextmanager
def comparing(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """The same for a question which may have to compare pictures first: says so, and shows it where it takes long."""
    said: set[bool] = set()
    with _shown(quiet, "files", time.monotonic, starts_s=STARTS_S) as show:

        def show_and_say(progress: Progress) -> None:
            if progress.to_judge and progress.turned not in said and not quiet:
                said.add(progress.turned)
                print(first_sentence(progress), file=sys.stderr, flush=True)
            show(progress)

        yield show_and_say


def first_sentence(progress: Progress) -> str:
    """Why a question takes longer than usual."""
    pairs = "1 pair" if progress.to_judge == 1 else f"{progress.to_judge:,} pairs"
    if progress.turned:
        return f"Pictures are compared mirrored or turned for the first time; comparing {pairs} first."
    return f"The last scan was interrupted; comparing {pairs} first."


@contextmanager
def counted(quiet: bool, what: str) -> Iterator[Callable[[int, int], None]]:
    """The same for work whose total is known: takes how many of `what` are done, and all."""
    with _shown(quiet, what, time.monotonic, starts_s=0.0) as show:
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
    quiet: bool, what: str, clock: Callable[[], float], *, starts_s: float
) -> Iterator[Callable[[Progress], None]]:
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        bar = _OnTerminal(what, clock, starts_s)
        try:
            yield bar.show
        finally:
            bar.close()
    else:
        yield _Lines(what, clock).show


_STAGES = {"files": "reading", "files placed": "placing files", "files put back": "putting files back"}
"""Names of stages by what is counted, where the two differ."""


class Stage(NamedTuple):
    """What is being done, in words that are understood, and how far it is."""

    name: str
    done: int
    total: int | None
    """None where it is not known, or may still grow."""


def stage_of(progress: Progress, what: str = "files") -> Stage:
    """The stage that a progress belongs to. what: is read, where it is not files."""
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
    """How fast a stage goes, since it began."""

    def __init__(self) -> None:
        self._name = ""
        self._began = 0.0
        self._done = 0

    def per_second(self, stage: Stage, now: float) -> float:
        """0 where nothing was done yet."""
        if stage.name != self._name:
            self._name, self._began, self._done = stage.name, now, stage.done
        return (stage.done - self._done) / max(now - self._began, 1e-6)


def words(stage: Stage, rate: float) -> str:
    """1,200/14,430  410/s  about 30 s left"""
    if stage.total is None:
        found = f"{stage.done:,}" if stage.done else ""
    else:
        found = f"{stage.done:,}/{stage.total:,}"
    if rate >= 1:
        found += f"  {rate:,.0f}/s"
    if rate > 0 and stage.total is not None and stage.done < stage.total:
        seconds = (stage.total - stage.done) / rate
        found += f"  about {seconds:,.0f} s left" if seconds < 120 else f"  about {seconds / 60:,.0f} min left"
    return found


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
        return f"{stage.done:,} of {total} {what}, {_pace_words(stage, rate)}"
    before = f"{progress.read:,} {what} read, " if progress.read else ""
    if stage.total is not None:
        return f"{before}{stage.done:,} of {stage.total:,} pairs compared, {_pace_words(stage, rate)}"
    return f"{before}{stage.name}" + (f", {stage.done:,} pairs compared" if stage.done else "")


def _pace_words(stage: Stage, rate: float) -> str:
    found = f"{rate:,.0f} a second"
    if rate and stage.total is not None:
        found += f", about {(stage.total - stage.done) / rate:,.0f} s left"
    return found


class _OnTerminal:
    """A bar, from the moment on that it is worth showing one."""

    def __init__(self, what: str, clock: Callable[[], float], starts_s: float) -> None:
        self._what = what
        self._clock = clock
        self._pace = _Pace()
        self._starts = clock() + starts_s
        self._bar: Bar | None = None

    def show(self, progress: Progress) -> None:
        stage = stage_of(progress, self._what)
        now = self._clock()
        rate = self._pace.per_second(stage, now)
        if self._bar is None:
            # Candidates may take a minute, in which nothing else is shown.
            if now < self._starts and stage.name not in ("finding candidates", "waiting for another process"):
                return
            self._bar = _bar()
            self._bar.start()
            self._bar.add_task("", total=None, words="")
        self._bar.update(self._bar.task_ids[0], description=stage.name, completed=stage.done, words=words(stage, rate))
        # A full bar would look finished while what comes next has not begun. Set here: Rich takes None for no change.
        is_open = stage.total is None or stage.done >= stage.total
        self._bar.tasks[0].total = None if is_open else stage.total

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar() -> "Bar":
    # Rich takes 0.1 s to import; only a terminal pays for it. It honours NO_COLOR by itself.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}")
    return Progress(*columns, console=Console(stderr=True), transient=True)
