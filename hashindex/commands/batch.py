"""What dedupe, organize and undo share: stopping after the current file, printing refusals, the exit code."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import typer

from hashindex.commands.command import HAD_PROBLEMS, INTERRUPTED
from hashindex.commands.session import Session
from hashindex.core.errors import HashIndexError
from hashindex.core.model import Progress
from hashindex.core.organizing import STOPPED_BY_USER, Outcome
from hashindex.output import progress
from hashindex.output.text.organize import refusal_json, refusal_text, stopped_text


def show_refusals(session: Session, outcome: Outcome) -> None:
    """Prints each file that was refused and why: on standard error, with --json on standard output."""
    for refusal in outcome.refused:
        if session.json:
            print(refusal_json(refusal))
        else:
            print(session.err.wrapped(refusal_text(refusal)), file=sys.stderr)


def end_batch(session: Session, outcome: Outcome) -> None:
    """Ends the command with the exit code of a batch; prints why the batch stopped early, if it did."""
    if outcome.stopped is not None:
        print(session.err.wrapped(f"hashindex: {stopped_text(outcome)}"), file=sys.stderr)
        raise typer.Exit(INTERRUPTED if outcome.stopped == STOPPED_BY_USER else HashIndexError.exit_code)
    if outcome.refused:
        raise typer.Exit(HAD_PROBLEMS)


class BatchDisplay(NamedTuple):
    """What a command passes on while it carries out a batch."""

    stop: Callable[[], bool]
    on_compared: Callable[[Progress], None]
    """For the comparisons that may come first."""
    on_placed: Callable[[int, int], None]


@contextmanager
def batch_display(session: Session, stage: str) -> Iterator[BatchDisplay]:
    """Shows the progress of a batch, and stops it by deferred_interrupt. stage: the name of placing files."""
    comparing, placing = ExitStack(), ExitStack()
    show_placed: list[Callable[[int, int], None]] = []

    def on_placed(done: int, total: int) -> None:
        if not show_placed:
            comparing.close()
            # A progress bar would be torn apart by the lines that -v prints.
            bar = progress.counted(session.progress._replace(quiet=session.quiet or session.verbose), stage)
            show_placed.append(placing.enter_context(bar))
        show_placed[0](done, total)

    with deferred_interrupt() as stop, comparing, placing:
        show_compared = comparing.enter_context(progress.comparing(session.progress, last=stage))

        def on_compared(at: Progress) -> None:
            if stop():
                # Nothing is placed yet, and comparing may take minutes more.
                raise KeyboardInterrupt
            show_compared(at)

        yield BatchDisplay(stop, on_compared, on_placed)


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Makes Ctrl-C and SIGTERM stop a batch after the current file. Yields a function: whether a signal has arrived.

    A second signal raises KeyboardInterrupt, which also ends waiting for the lock; the journal stays consistent.
    """
    arrived = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal arrived
        if arrived:
            raise KeyboardInterrupt
        arrived = True

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: arrived
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
