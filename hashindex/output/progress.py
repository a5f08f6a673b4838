"""Shows progress on standard error: a bar on a terminal, else lines; or JSON.

Each stage of a command has a name, a rate, and the time left if it can be estimated. How long a later stage takes is
unknown before it begins, since it depends on what the stages before find. So only the last stage of a command, usually
the longest, shows the time left for the whole.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from hashindex.core.arguments import do_nothing
from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.model import Progress
from hashindex.core.organizing import Action
from hashindex.output.text.common import json_line, listed, show_seconds
from hashindex.output.text.terminal import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

WAITING = N_("waiting for another process")
LISTING = N_("listing files")
READING = N_("reading")
CANDIDATES = N_("finding candidates")
COMPARING = N_("comparing pairs")
GROUPING = N_("checking groups")
CHOOSING = N_("choosing the best copies")
CHECKING = N_("checking")
PLACING = {
    Action.COPY: N_("copying files"),
    Action.MOVE: N_("moving files"),
    Action.HARDLINK: N_("linking files"),
    Action.SYMLINK: N_("linking files"),
}
REMOVING = N_("removing copies")
PUTTING_BACK = N_("putting files back")
DRAWING = N_("drawing thumbnails")
INDEXING = N_("indexing words")

FIRST_LINE_S = 5.0
MOST_BETWEEN_LINES_S = 60.0
"""Without a terminal the first line is printed after FIRST_LINE_S. Each next line waits twice as long, up to this."""
BAR_AFTER_S = 1.0
"""Commands other than scan show no bar before."""
WIDE = 80
"""On a narrower terminal the numbers are shown without a bar."""

JSON_S = 0.5
"""Time between two lines of JSON about one stage."""

OnProgress = Callable[[Progress], None]


class ProgressStyle(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    """A bar on a terminal, else lines."""
    JSON = "json"


class Display(NamedTuple):
    """Whether and how a command shows progress."""

    quiet: bool = False
    color: bool = True
    """False if the user wants no colours at all."""
    style: ProgressStyle = ProgressStyle.AUTO
    """JSON is shown with quiet too, since the user asked for it."""


@contextmanager
def shown(display: Display) -> Iterator[OnProgress]:
    """Yields on_progress for HashIndex.scan."""
    with _shown(display, COMPARING, bar_after_s=0.0) as show:
        yield lambda progress: show(stage_of(progress))


@contextmanager
def comparing(display: Display, *, last: str = CHOOSING) -> Iterator[OnProgress]:
    """Yields on_progress for queries. If pictures must be compared first, prints why, and a bar if it takes long.

    last: the last stage of the command.
    """
    explained: set[bool] = set()
    say_why = not display.quiet and display.style is ProgressStyle.AUTO
    with _shown(display, last, bar_after_s=BAR_AFTER_S) as show:

        def show_and_explain(progress: Progress) -> None:
            if progress.to_judge and not progress.choosing and progress.turned not in explained and say_why:
                explained.add(progress.turned)
                print(reason_to_compare(progress), file=sys.stderr, flush=True)
            show(stage_of(progress))

        yield show_and_explain


def reason_to_compare(progress: Progress) -> str:
    """Why a query takes longer than usual."""
    if progress.turned:
        return plural(
            progress.to_judge,
            "Pictures are compared mirrored or turned for the first time; comparing {count} pair first.",
            "Pictures are compared mirrored or turned for the first time; comparing {count} pairs first.",
        )
    return plural(
        progress.to_judge,
        "The last scan was interrupted; comparing {count} pair first.",
        "The last scan was interrupted; comparing {count} pairs first.",
    )


@contextmanager
def counted(display: Display, name: str) -> Iterator[Callable[[int, int], None]]:
    """Yields on_progress for a last stage with a known total: takes the number that is done, and of all.

    name: of the stage, such as CHECKING.
    """
    with _shown(display, name, bar_after_s=0.0) as show:
        yield lambda done, total: show(Stage(name, done, total))


@contextmanager
def comparing_then_counted(display: Display, name: str) -> Iterator[tuple[OnProgress, Callable[[int, int], None]]]:
    """Both of the above for one call; the first count ends the display of comparing."""
    with ExitStack() as first, ExitStack() as second:
        show: list[Callable[[int, int], None]] = []

        def on_counted(done: int, total: int) -> None:
            if not show:
                first.close()
                show.append(second.enter_context(counted(display, name)))
            show[0](done, total)

        yield first.enter_context(comparing(display, last=name)), on_counted


class Stage(NamedTuple):
    """A stage of the work, and how far it is."""

    name: str
    done: int
    total: int | None
    """None if it is unknown or may still grow."""


def stage_of(progress: Progress) -> Stage:
    """The stage that a progress reports."""
    if progress.waiting:
        return Stage(WAITING, 0, None)
    if progress.choosing:
        return Stage(CHOOSING, progress.judged, progress.to_judge)
    if progress.grouping:
        return Stage(GROUPING, progress.judged, None)
    if progress.to_judge:
        return Stage(COMPARING, progress.judged, progress.to_judge)
    if progress.comparing:
        return Stage(CANDIDATES, 0, None)
    if progress.walking:
        return Stage(LISTING, progress.looked, None)
    return Stage(READING, progress.read, progress.total)


class StageTimes:
    """How long each stage took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now = clock()
        self._name = ""
        self._seconds: dict[str, float] = {}

    def note(self, progress: Progress) -> None:
        """Call it with each progress."""
        before, self._now = self._now, self._clock()
        # Until the first progress, the time belongs to its stage.
        name = stage_of(progress).name
        self._seconds[self._name or name] = self._seconds.get(self._name or name, 0.0) + self._now - before
        self._name = name

    def text(self) -> str:
        """Call it after the last stage."""
        times = {**self._seconds, self._name: self._seconds.get(self._name, 0.0) + self._clock() - self._now}
        return listed(f"{local(name)} {show_seconds(seconds)}" for name, seconds in times.items() if name)


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


def counts(stage: Stage, rate: float, *, is_last: bool) -> list[str]:
    """["1,200/14,430", "410/s", "about 30 s left"], as far as it is known."""
    parts = []
    if stage.total is not None:
        parts.append(f"{stage.done:,}/{stage.total:,}")
    elif stage.done:
        parts.append(f"{stage.done:,}")
    if parts and rate >= 1:
        parts.append(sentence("{count}/s", count=f"{rate:,.0f}"))
    if rate > 0 and stage.total is not None and stage.done < stage.total:
        parts.append(_time_left((stage.total - stage.done) / rate, is_last=is_last))
    return parts


def _time_left(seconds: float, *, is_last: bool) -> str:
    time = show_seconds(seconds)
    return sentence("about {time} left", time=time) if is_last else sentence("about {time} for this step", time=time)


@contextmanager
def _shown(display: Display, last: str, *, bar_after_s: float) -> Iterator[Callable[[Stage], None]]:
    if display.style is ProgressStyle.JSON:
        yield _JsonLines(last, time.monotonic).show
    elif display.quiet:
        yield do_nothing
    elif is_terminal(sys.stderr):
        bar = _OnTerminal(last, time.monotonic, bar_after_s, display.color)
        try:
            yield bar.show
        finally:
            bar.close()
    else:
        yield _Lines(last, time.monotonic).show


class _Lines:
    def __init__(self, last: str, clock: Callable[[], float]) -> None:
        self._last_stage = last
        self._clock = clock
        self._pause = FIRST_LINE_S
        self._next = clock() + self._pause
        self._pace = _Pace()

    def show(self, stage: Stage) -> None:
        now = self._clock()
        rate = self._pace.per_second(stage, now)
        if now < self._next:
            return
        self._pause = min(2 * self._pause, MOST_BETWEEN_LINES_S)
        self._next = now + self._pause
        print(line(stage, rate, is_last=stage.name == self._last_stage), file=sys.stderr, flush=True)


def line(stage: Stage, rate: float, *, is_last: bool) -> str:
    """reading: 1,200/4,726, 250/s, about 14 s left"""
    parts = counts(stage, rate, is_last=is_last)
    name = local(stage.name)
    return sentence("{stage}: {progress}", stage=name, progress=listed(parts)) if parts else name


class ProgressJson(TypedDict):
    """How far a stage of the command is."""

    event: Literal["progress"]
    stage: str
    """"waiting for another process", "listing files", "reading", "finding candidates", "comparing pairs", "checking
    groups", "choosing the best copies", "checking", "copying files", "moving files", "linking files", "removing
    copies", "putting files back" or "drawing thumbnails"."""
    done: int
    """Files, pairs or groups, depending on the stage."""
    total: int | None
    """Null if it is unknown or may still grow."""
    per_second: float | None
    """Average since the stage began; null at first."""
    seconds_left: float | None
    """Of this stage; null if it is unknown."""
    is_last: bool
    """Whether this is the last stage: then the command ends after seconds_left."""


class _JsonLines:
    """Prints a line when a stage begins, every JSON_S, and when the stage is done."""

    def __init__(self, last: str, clock: Callable[[], float]) -> None:
        self._last_stage = last
        self._clock = clock
        self._pace = _Pace()
        self._next = clock()
        self._printed: Stage | None = None

    def show(self, stage: Stage) -> None:
        now = self._clock()
        rate = self._pace.per_second(stage, now)
        is_new = self._printed is None or stage.name != self._printed.name
        is_done = stage.total is not None and stage.done >= stage.total
        if stage == self._printed or not (is_new or is_done or now >= self._next):
            return
        self._printed, self._next = stage, now + JSON_S
        print(stage_json(stage, rate, is_last=stage.name == self._last_stage), file=sys.stderr, flush=True)


def stage_json(stage: Stage, rate: float, *, is_last: bool) -> str:
    """rate: done in a second; 0 if it is unknown."""
    left = None if stage.total is None or rate <= 0 else max(0.0, (stage.total - stage.done) / rate)
    return json_line(
        ProgressJson(
            event="progress",
            stage=stage.name,
            done=stage.done,
            total=stage.total,
            per_second=round(rate, 1) if rate > 0 else None,
            seconds_left=None if left is None else round(left, 1),
            is_last=is_last,
        )
    )


class _OnTerminal:
    """A progress bar that appears after bar_after_s."""

    def __init__(self, last: str, clock: Callable[[], float], bar_after_s: float, color: bool = True) -> None:
        self._last_stage = last
        self._clock = clock
        self._color = color
        self._pace = _Pace()
        self._starts = clock() + bar_after_s
        self._bar: Bar | None = None

    def show(self, stage: Stage) -> None:
        now = self._clock()
        rate = self._pace.per_second(stage, now)
        if self._bar is None:
            # Shown at once: finding candidates may take a minute without another sign of progress.
            if now < self._starts and stage.name not in (CANDIDATES, WAITING):
                return
            self._bar = _bar(self._color)
            self._bar.start()
            self._bar.add_task("", total=None, counts="")
        text = "  ".join(counts(stage, rate, is_last=stage.name == self._last_stage))
        self._bar.update(self._bar.task_ids[0], description=local(stage.name), completed=stage.done, counts=text)
        # A full bar would look finished before the next stage begins. Rich ignores update(total=None), so set it here.
        is_open = stage.total is None or stage.done >= stage.total
        self._bar.tasks[0].total = None if is_open else stage.total

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar(color: bool) -> "Bar":
    # Imported late: Rich takes 0.1 s to import. It honours NO_COLOR.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True, no_color=None if color else True)
    if console.width < WIDE:
        text = TextColumn("{task.description}  {task.fields[counts]}")
        return Progress(SpinnerColumn(), text, console=console, transient=True)
    bar = BarColumn(bar_width=min(40, console.width - 65))
    columns = TextColumn("{task.description}"), bar, TextColumn("{task.fields[counts]}")
    return Progress(*columns, console=console, transient=True)
