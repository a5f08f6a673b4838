"""hashindex organize."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from hashindex.commands.batch import deferred_interrupt, end_batch, show_refusals
from hashindex.commands.command import command
from hashindex.commands.options import (
    EngineOption,
    HashOption,
    KeepOption,
    LevelOption,
    PassesOption,
    RadiusOption,
    WorkersOption,
    grouping_of,
)
from hashindex.commands.session import session_of
from hashindex.core.model import Progress
from hashindex.core.organizing import Action, Step
from hashindex.output import progress
from hashindex.output.text import organize as text
from hashindex.output.text.history import recovered_text


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
    apply: Annotated[bool, typer.Option("--apply", help="Carry out the plan; hashindex undo reverses it.")] = False,
    mode: Annotated[
        Action, typer.Option(help="copy keeps the originals; after move, a chat client downloads or misses them.")
    ] = Action.COPY,
    rest: Annotated[bool, typer.Option("--rest", help="Also place pictures that are in no group.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also place pictures again that you deleted, moved or renamed in DEST.")
    ] = False,
    from_client_cache: Annotated[
        bool,
        typer.Option(
            "--from-client-cache", help="With --mode move: also move files out of the folders of a chat client."
        ),
    ] = False,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
) -> None:
    """Put pictures into a folder, numbered by group: 00012.gif, 00012_1.jpg, and so on.

    Without --apply it prints the plan and changes nothing. The keeper gets the plain number; each file gets the
    extension of its format. Later runs only add: a new copy in group 12 becomes 00012_2, nothing in DEST is renamed or
    replaced, and a picture is placed only once. copy, hardlink and symlink place one file of each content; move places
    every file.
    """
    session = session_of(ctx)
    grouping = grouping_of(
        session, level=level, hash=hash, radius=radius, passes=passes, keep=keep, engine=engine, workers=workers
    )
    request: dict[str, Any] = {"action": mode, "rest": rest, "again": again, "grouping": grouping}
    color = session.err.has_color
    if not apply:
        with progress.comparing(session.quiet, color=color) as on_progress:
            plan = session.index.plan(dest, **request, on_progress=on_progress)
        for step in plan.steps:
            session.show(text.step_json(step) if session.json else text.step_text(step))
        session.sum_up(text.plan_summary_json(plan), text.plan_summary_text(plan, rest=rest))
        for note in text.plan_notes(plan):
            session.say(note)
        return

    comparing, placing = ExitStack(), ExitStack()
    show_placed: list[Callable[[int, int], None]] = []

    def on_step(step: Step) -> None:
        if session.json:
            print(text.step_json(step))
        elif session.verbose:
            session.show(text.step_text(step))

    def on_placed(done: int, total: int) -> None:
        if not show_placed:
            comparing.close()
            # A progress bar would be torn apart by the lines that -v prints.
            bar = progress.counted(session.quiet or session.verbose, progress.PLACING[mode], color=color)
            show_placed.append(placing.enter_context(bar))
        show_placed[0](done, total)

    with deferred_interrupt() as stop, comparing, placing:
        show_compared = comparing.enter_context(
            progress.comparing(session.quiet, last=progress.PLACING[mode], color=color)
        )

        def on_compared(at: Progress) -> None:
            if stop():
                # Nothing is placed yet, and comparing may take minutes more.
                raise KeyboardInterrupt
            show_compared(at)

        organized = session.index.organize(
            dest,
            **request,
            from_client_cache=from_client_cache,
            stop=stop,
            on_step=on_step,
            on_progress=on_compared,
            on_placed=on_placed,
        )
    for batch in organized.recovered:
        session.say(recovered_text(batch))
    plan, outcome = organized.plan, organized.outcome
    show_refusals(session, outcome)
    session.sum_up(text.organized_json(plan, outcome), text.organized_text(plan, outcome, rest=rest))
    for note in text.plan_notes(plan):
        session.say(note)
    end_batch(session, outcome)
