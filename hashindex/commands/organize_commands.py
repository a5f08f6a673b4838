"""The commands that place pictures and take that back: organize, undo, history, recover."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import typer

from hashindex.commands.command import HAD_PROBLEMS, INTERRUPTED, command
from hashindex.commands.options import (
    EngineOption,
    HashOption,
    KeepOption,
    LevelOption,
    PassesOption,
    RadiusOption,
    Session,
    WorkersOption,
    grouping_of,
    session_of,
)
from hashindex.core.errors import HashIndexError
from hashindex.core.organizing import STOPPED_BY_USER, Action, Outcome, Step
from hashindex.output import progress, render


@command(
    "hashindex organize ~/Stickers                     # print the plan",
    "hashindex organize ~/Stickers --apply             # copy",
    "hashindex organize ~/Stickers --mode move --rest --apply",
    "hashindex organize ~/Stickers --json | jq -r .target",
    limits=True,
)
def organize(
    ctx: typer.Context,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The folder for the groups; it need not exist yet.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry the plan out; hashindex undo takes it back.")] = False,
    mode: Annotated[
        Action, typer.Option(help="copy keeps the originals; move makes a chat client fetch or miss them.")
    ] = Action.COPY,
    rest: Annotated[bool, typer.Option("--rest", help="Also number the pictures that are in no group.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also place again what was deleted, moved or renamed in DEST.")
    ] = False,
    from_client_cache: Annotated[
        bool, typer.Option("--from-client-cache", help="With --mode move: also out of a chat client's own folders.")
    ] = False,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
) -> None:
    """Place pictures by group: a number a group, 00012.gif, 00012_1.jpg, and so on.

    Without --apply this prints what it would do and changes nothing. The keeper has the bare number, every file the
    suffix that its content calls for. A later run only adds: a new copy of group 12 becomes 00012_2, nothing in DEST
    is renamed or replaced, and what was placed once is not placed again. copy, hardlink and symlink place one file of
    each content, move takes every file.
    """
    session = session_of(ctx)
    grouping = grouping_of(
        session, level=level, hash=hash, radius=radius, passes=passes, keep=keep, engine=engine, workers=workers
    )
    how: dict[str, Any] = {"action": mode, "rest": rest, "again": again, "grouping": grouping}
    if not apply:
        with progress.comparing(session.quiet) as on_progress:
            plan = session.index.plan(dest, **how, on_progress=on_progress)
        for step in plan.steps:
            print(render.step_json(step) if session.json else render.step_text(step))
        session.sum_up(render.plan_summary_json(plan), render.plan_summary_text(plan))
        for note in render.plan_notes(plan):
            session.say(note)
        return

    comparing, placing = ExitStack(), ExitStack()
    show_placed: list[Callable[[int, int], None]] = []

    def on_step(step: Step) -> None:
        if session.json:
            print(render.step_json(step))
        elif session.verbose:
            print(render.step_text(step))

    def on_placed(done: int, total: int) -> None:
        if not show_placed:
            comparing.close()
            # Lines that scroll by and a bar do not go together.
            bar = progress.counted(session.quiet or session.verbose, "files placed")
            show_placed.append(placing.enter_context(bar))
        show_placed[0](done, total)

    with _deferred_interrupt() as stop, comparing, placing:
        organized = session.index.organize(
            dest,
            **how,
            from_client_cache=from_client_cache,
            stop=stop,
            on_step=on_step,
            on_progress=comparing.enter_context(progress.comparing(session.quiet)),
            on_placed=on_placed,
        )
    for batch in organized.recovered:
        session.say(render.recovered_text(batch))
    plan, outcome = organized.plan, organized.outcome
    _show_refusals(session, outcome)
    session.sum_up(render.organized_json(plan, outcome), render.organized_text(plan, outcome))
    for note in render.plan_notes(plan):
        session.say(note)
    _end(session, outcome)


@command("hashindex undo", "hashindex undo 3")
def undo(
    ctx: typer.Context,
    batch: Annotated[
        int | None, typer.Argument(metavar="BATCH", help="Which one, see hashindex history; the last if none.")
    ] = None,
) -> None:
    """Take an organize --apply back, last file first.

    What has changed since is left as it is and said; the rest goes on. A copy whose original is gone is kept.
    """
    session = session_of(ctx)
    with _deferred_interrupt() as stop, progress.counted(session.quiet, "files put back") as on_progress:
        outcome = session.index.undo(batch, stop=stop, on_progress=on_progress)
    _show_refusals(session, outcome)
    session.sum_up(render.undone_json(outcome), render.undone_text(outcome))
    _end(session, outcome)


@command("hashindex history", "hashindex history --json")
def history(ctx: typer.Context) -> None:
    """List every organize --apply, oldest first: when, where, how many files, and what became of it."""
    session = session_of(ctx)
    batches = session.index.history()
    for batch in batches:
        print(render.batch_json(batch) if session.json else render.batch_text(batch))
    if not batches:
        session.say("Nothing was organized yet.")


@command("hashindex recover")
def recover(ctx: typer.Context) -> None:
    """End what a killed organize or undo left open, by what the disk says.

    Every organize --apply and undo does so by itself. Each picture is then in one place and the history is true. Where
    the disk does not say what became of a picture (a drive is not there, a file cannot be read) the batch stays open,
    with the reason, and nothing is guessed.
    """
    session = session_of(ctx)
    batches = session.index.recover()
    for batch in batches:
        print(render.batch_json(batch) if session.json else render.recovered_text(batch))
    if not batches:
        session.say("Nothing was left open.")
    if any(batch.trouble is not None for batch in batches):
        raise typer.Exit(HAD_PROBLEMS)


def _show_refusals(session: Session, outcome: Outcome) -> None:
    for refusal in outcome.refused:
        if session.json:
            print(render.refusal_json(refusal))
        else:
            print(render.refusal_text(refusal), file=sys.stderr)


def _end(session: Session, outcome: Outcome) -> None:
    """The exit code of a batch, with a sentence where it stopped early."""
    if outcome.stopped is not None:
        print(f"hashindex: {render.show_text(render.stopped_text(outcome))}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED if outcome.stopped == STOPPED_BY_USER else HashIndexError.exit_code)
    if outcome.refused:
        raise typer.Exit(HAD_PROBLEMS)


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end a batch after the current file. Yields what tells whether one of them came.

    A second one ends it at once, as where it is still waiting for the lock; the journal is put in order then too.
    """
    came = False

    def note(number: int, frame: object) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
