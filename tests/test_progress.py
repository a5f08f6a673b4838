"""Tests of progress: the bar on a terminal, the lines elsewhere, and when they appear."""

import io
import os
import re
import sys

import pytest

from hashindex.core.model import Progress
from hashindex.output import progress
from hashindex.output.progress import Display

COMPARING = Progress(0, 0, 0, walking=False, comparing=True, judged=1_200, to_judge=14_430)


CHOOSING = COMPARING._replace(choosing=True, judged=12, to_judge=40)


@pytest.mark.parametrize(
    ("at", "rate", "line"),
    [
        (Progress(0, 0, 0, walking=False, waiting=True), 0, "waiting for another process"),
        (Progress(0, 0, 0, walking=True), 0, "listing files"),
        (Progress(2000, 500, 1200, walking=True), 250, "listing files: 2,000, 250/s"),
        (Progress(5, 0, 5, walking=False), 0, "reading: 0/5"),
        (Progress(4726, 1200, 4726, walking=False), 250, "reading: 1,200/4,726, 250/s, about 14 s for this step"),
        (Progress(5, 5, 5, walking=False), 5, "reading: 5/5, 5/s"),
        (Progress(5, 5, 5, walking=False, comparing=True), 9, "finding candidates"),
        (COMPARING, 400, "comparing pairs: 1,200/14,430, 400/s, about 33 s left"),
        (COMPARING, 20, "comparing pairs: 1,200/14,430, 20/s, about 11 min left"),
        (COMPARING, 0.5, "comparing pairs: 1,200/14,430, about 7 h left"),
        (COMPARING._replace(judged=14_430), 410, "comparing pairs: 14,430/14,430, 410/s"),
        (COMPARING._replace(to_judge=0, judged=12, grouping=True), 3, "checking groups: 12, 3/s"),
        (CHOOSING, 4, "choosing the best copies: 12/40, 4/s, about 7 s for this step"),
    ],
)
def test_a_stage_has_a_name_a_rate_and_the_time_left_of_the_last_stage_is_that_of_the_whole(
    at: Progress, rate: float, line: str
) -> None:
    stage = progress.stage_of(at)
    assert progress.line(stage, rate, is_last=stage.name == progress.COMPARING) == line


def test_the_pace_of_a_stage_is_measured_from_its_start() -> None:
    pace = progress._Pace()
    read = progress.stage_of(Progress(100, 100, 100, walking=False))
    assert [pace.per_second(read._replace(done=done), at) for done, at in ((0, 10.0), (100, 20.0))] == [0, 10]
    pairs = progress.stage_of(COMPARING)
    assert [pace.per_second(pairs._replace(done=done), at) for done, at in ((0, 100.0), (50, 110.0))] == [0, 5]


def test_without_a_terminal_lines_are_written_at_growing_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 401)).__next__
    lines = progress._Lines(progress.CHECKING, now)
    for done in range(400):
        lines.show(progress.Stage(progress.CHECKING, done, 400))
    done_at = [int(line.split()[1].split("/")[0]) for line in capsys.readouterr().err.splitlines()]
    assert done_at == [4, 14, 34, 74, 134, 194, 254, 314, 374]


def test_a_short_run_without_a_terminal_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(Display()) as show:
        show(Progress(1, 1, 1, walking=False))
    assert capsys.readouterr() == ("", "")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(Display(quiet=True)) as show:
        show(Progress(1, 1, 1, walking=False))
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_on_standard_error_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(Display()) as show:
        show(Progress(10, 5, 10, walking=True))
        show(Progress(10, 10, 10, walking=False))
    assert ("10/10" in screen.getvalue(), capsys.readouterr().out) == (True, "")


def test_a_bar_is_never_full_before_the_last_stage_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    done = Progress(10, 10, 10, walking=False)
    bar = progress._OnTerminal(progress.COMPARING, lambda: 0.0, 0.0)
    shares = []
    for at in (
        done._replace(read=5),
        done,
        done._replace(comparing=True),
        COMPARING,
        COMPARING._replace(judged=14_430),
    ):
        bar.show(progress.stage_of(at))
        assert bar._bar is not None
        shares.append(bar._bar.tasks[0].total)
    bar.close()
    assert shares == [10, None, None, 14_430, None]


def test_a_query_that_is_answered_at_once_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.comparing(Display()) as show:
        show(COMPARING._replace(to_judge=0, grouping=True))
    assert screen.getvalue() == ""


def test_a_query_that_must_compare_first_prints_why_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.comparing(Display()) as show:
        for judged in (0, 400, 800):
            show(COMPARING._replace(judged=judged))
        show(COMPARING._replace(to_judge=1, turned=True))
    assert capsys.readouterr() == (
        "",
        "The last scan was interrupted; comparing 14,430 pairs first.\n"
        "Pictures are compared mirrored or turned for the first time; comparing 1 pair first.\n",
    )
    with progress.comparing(Display(quiet=True)) as show:
        show(COMPARING)
    assert capsys.readouterr() == ("", "")


def test_choosing_the_best_copies_is_no_interrupted_scan(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.comparing(Display()) as show:
        show(CHOOSING)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name != "posix", reason="a terminal of our own is POSIX")
@pytest.mark.parametrize("columns", [40, 100])
def test_a_bar_is_no_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    bar = progress._OnTerminal(progress.COMPARING, iter([0.0, 1.0, 2.0]).__next__, 0.0)
    for judged in (0, 400):
        bar.show(progress.stage_of(COMPARING._replace(judged=judged)))
    bar.close()
    drawn = [re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split("[\r\n]+", screen.getvalue())]
    assert any("comparing pairs" in line for line in drawn)
    assert max(map(len, drawn)) <= columns
    assert ("━" in screen.getvalue()) == (columns >= progress.WIDE)


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "dumb")
    with progress.shown(Display()) as show:
        show(COMPARING)
    assert screen.getvalue() == ""


def test_the_time_of_each_stage_is_measured() -> None:
    times = progress.StageTimes(iter([0.0, 0.5, 2.5, 12.5, 20.0]).__next__)
    for at in (Progress(5, 0, 5, walking=True), Progress(5, 0, 5, walking=False), COMPARING):
        times.note(at)
    assert times.text() == "listing files 2 s, reading 10 s, comparing pairs 8 s"
