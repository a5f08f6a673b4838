"""hashindex demo: scan, groups and organize on sample pictures or a folder, with a temporary catalogue."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import SHOWN_PROBLEMS, command
from hashindex.commands.session import session_of
from hashindex.core.options import ScanOptions
from hashindex.index.selection import Selection
from hashindex.output import progress
from hashindex.output.text.groups import group_json, groups_text, totals_json, totals_text
from hashindex.output.text.organize import plan_summary_json, plan_summary_text, step_text
from hashindex.output.text.problems import problem_text
from hashindex.output.text.scan import scan_json, scan_text


@command("hashindex demo", "hashindex demo ~/Pictures")
def demo(
    ctx: typer.Context,
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="A folder of yours. [default: sample pictures are drawn]")
    ] = None,
) -> None:
    """Show what hashindex does: scan a folder, show its groups and the plan of organize.

    Uses a temporary catalogue. Nothing in the folder is changed.
    """
    import tempfile

    from hashindex.commands.demo.samples import make_samples
    from hashindex.service import HashIndex

    session = session_of(ctx)
    with tempfile.TemporaryDirectory(prefix="hashindex-demo-") as scratch:
        index = HashIndex(Path(scratch) / "catalogue.db")
        scanned = folder or os.path.join(scratch, "pictures")
        if folder is None:
            session.say(f"Made {make_samples(Path(scanned))} sample files like those of a chat client.")
        began = time.monotonic()
        with progress.shown(session.quiet) as on_progress:
            summary = index.scan([scanned], ScanOptions(limits=session.limits()), on_progress=on_progress)
        totals = index.totals()
        seconds = time.monotonic() - began
        groups = index.groups(selection=Selection())
        plan = index.plan(os.path.join(os.path.expanduser("~"), "Stickers"), rest=True)
        if session.json:
            print(scan_json(summary, totals))
            for line in map(group_json, groups):
                print(line)
            print(totals_json(groups, len(groups)))
            print(plan_summary_json(plan))
            return
        for problem in index.problems()[:SHOWN_PROBLEMS]:
            session.say(problem_text(problem))
        print(f"\nhashindex scan {scanned}\n\n{scan_text(summary, totals, seconds)}\n\nhashindex groups\n")
        for text in groups_text(groups):
            print(text)
        print(f"\n{totals_text(groups, len(groups))}")
        print("\nhashindex organize ~/Stickers --rest\n")
        for step in plan.steps:
            print(step_text(step))
        print(plan_summary_text(plan, rest=True))
