"""Tests of progress: the bar on a terminal, the lines elsewhere, and when they appear."""

import io
import sys

import pytest

from hashindex.core.model import Progress
from hashindex.output import progress

COMPARING = Progress(0, 0, 0, walking=False, comparing=True, judged=1_200, to_judge=14_430)


@pytest.mark.parametrize(
    ("at", "rate", "line"),
    [
        (Progress(4726, 1200, 4726, walking=False), 250, "1,200 of 4,726 files, 250 a second, about 14 s left"),
        (Progress(2000, 500, 2000, walking=True), 250, "500 of 2,000 or more files, 250 a second"),
        (Progress(5, 0, 5, walking=False), 0, "0 of 5 files, 0 a second"),
        (Progress(5, 5, 5, walking=False), 5, "5 of 5 files, 5 a second, about 0 s left"),
        (Progress(0, 0, 0, walking=True), 0, "0 of 0 or more files, 0 a second"),
        (Progress(5, 5, 5, walking=False, comparing=True), 9, "5 files read, finding candidates"),
        (COMPARING, 400, "1,200 of 14,430 pairs compared, 400 a second, about 33 s left"),
        (COMPARING._replace(read=7), 0, "7 files read, 1,200 of 14,430 pairs compared, 0 a second"),
        (COMPARING._replace(to_judge=0, judged=12, grouping=True), 3, "checking groups, 12 pairs compared"),
        (Progress(0, 0, 0, walking=False, waiting=True), 0, "waiting for another process"),
    ],
)
def test_the_progress_line_shows_work_done_and_time_left(at: Progress, rate: float, line: str) -> None:
    assert progress.line(at, rate) == line


@pytest.mark.parametrize(
    ("at", "rate", "name", "words"),
    [
        (Progress(20, 5, 20, walking=True), 9, "listing files", "5  9/s"),
        (Progress(20, 5, 20, walking=False), 5, "reading", "5/20  5/s  about 3 s left"),
        (Progress(20, 20, 20, walking=False, comparing=True), 5, "finding candidates", "  5/s"),
        (COMPARING, 410, "comparing pairs", "1,200/14,430  410/s  about 32 s left"),
        (COMPARING, 20, "comparing pairs", "1,200/14,430  20/s  about 11 min left"),
        (COMPARING._replace(judged=14_430), 410, "comparing pairs", "14,430/14,430  410/s"),
    ],
)
def test_a_stage_has_a_name_and_counts(at: Progress, rate: float, name: str, words: str) -> None:
    stage = progress.stage_of(at)
    assert (stage.name, progress.counts_text(stage, rate)) == (name, words)


def test_the_pace_of_a_stage_is_measured_from_its_start() -> None:
    pace = progress._Pace()
    read = progress.stage_of(Progress(100, 100, 100, walking=False))
    assert [pace.per_second(read._replace(done=done), at) for done, at in ((0, 10.0), (100, 20.0))] == [0, 10]
    pairs = progress.stage_of(COMPARING)
    assert [pace.per_second(pairs._replace(done=done), at) for done, at in ((0, 100.0), (50, 110.0))] == [0, 5]


def test_without_a_terminal_a_line_is_written_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress._Lines("files", iter([100.0, 101.0, 105.0, 109.9, 110.0]).__next__)
    for read in (10, 50, 99, 100):
        lines.show(Progress(100, read, 100, walking=False))
    assert capsys.readouterr() == (
        "",
        "50 of 100 files, 10 a second, about 5 s left\n100 of 100 files, 10 a second, about 0 s left\n",
    )


def test_a_short_run_without_a_terminal_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(quiet=False) as show:
        show(Progress(1, 1, 1, walking=False))
    assert capsys.readouterr() == ("", "")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(quiet=True) as show:
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
    with progress.shown(quiet=False) as show:
        show(Progress(10, 5, 10, walking=True))
        show(Progress(10, 10, 10, walking=False))
    assert ("10/10" in screen.getvalue(), capsys.readouterr().out) == (True, "")


def test_a_bar_is_never_full_before_the_last_stage_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    done = Progress(10, 10, 10, walking=False)
    bar = progress._OnTerminal("files", lambda: 0.0, 0.0)
    shares = []
    for at in (
        done._replace(read=5),
        done,
        done._replace(comparing=True),
        COMPARING,
        COMPARING._replace(judged=14_430),
    ):
        bar.show(at)
        assert bar._bar is not None
        shares.append(bar._bar.tasks[0].total)
    bar.close()
    assert shares == [10, None, None, 14_430, None]


def test_a_query_that_is_answered_at_once_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.comparing(quiet=False) as show:
        show(COMPARING._replace(to_judge=0, grouping=True))
    assert screen.getvalue() == ""


def test_a_query_that_must_compare_first_prints_why_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.comparing(quiet=False) as show:
        for judged in (0, 400, 800):
            show(COMPARING._replace(judged=judged))
        show(COMPARING._replace(to_judge=1, turned=True))
    assert capsys.readouterr() == (
        "",
        "The last scan was interrupted; comparing 14,430 pairs first.\n"
        "Pictures are compared mirrored or turned for the first time; comparing 1 pair first.\n",
    )
    with progress.comparing(quiet=True) as show:
        show(COMPARING)
    assert capsys.readouterr() == ("", "")
