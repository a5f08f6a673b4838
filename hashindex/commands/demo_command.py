"""hashindex demo: the whole of it once, on samples or a folder of yours, with a catalogue that is thrown away."""

import os
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import SHOWN_PROBLEMS, command
from hashindex.commands.options import session_of
from hashindex.core.options import ScanOptions
from hashindex.output import progress, render
from hashindex.service import HashIndex


@command("hashindex demo", "hashindex demo ~/Pictures")
def demo(
    ctx: typer.Context,
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="Your own folder; sample pictures are drawn if none.")
    ] = None,
) -> None:
    """Show the whole of it once: scan a folder, its groups, and how they would be organized.

    Uses a catalogue of its own and leaves nothing behind. Nothing in the folder is changed.
    """
    import tempfile

    from hashindex.commands.samples import make_samples

    session = session_of(ctx)
    with tempfile.TemporaryDirectory(prefix="hashindex-demo-") as scratch:
        index = HashIndex(Path(scratch) / "catalogue.db")
        place = folder or os.path.join(scratch, "pictures")
        if folder is None:
            session.say(f"Drew {make_samples(Path(place))} sample files as a chat client would leave them.")
        with progress.shown(session.quiet) as on_progress:
            summary = index.scan([place], ScanOptions(limits=session.limits()), on_progress=on_progress)
        groups = index.groups()
        plan = index.plan(os.path.join(os.path.expanduser("~"), "Stickers"), rest=True)
        if session.json:
            print(render.scan_json(summary))
            for line in map(render.group_json, groups):
                print(line)
            print(render.plan_summary_json(plan))
            return
        for problem in index.problems()[:SHOWN_PROBLEMS]:
            session.say(render.problem_text(problem))
        print(f"\nhashindex scan {place}\n\n{render.scan_text(summary)}\n\nhashindex groups\n")
        for text in render.groups_text(groups):
            print(text)
        print("\nhashindex organize ~/Stickers --rest\n")
        for step in plan.steps:
            print(render.step_text(step))
        print(render.plan_summary_text(plan))
