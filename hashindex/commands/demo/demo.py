"""hashindex demo: scan, groups and organize on sample pictures or a folder, with a temporary catalogue."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import SHOWN_PROBLEMS, command
from hashindex.commands.session import session_of
from hashindex.core.installation import shell_line
from hashindex.core.language import plural, sentence
from hashindex.core.options import Level, ScanOptions
from hashindex.output import progress
from hashindex.output.text.common import path_text, show_path, show_text
from hashindex.output.text.groups import (
    GroupJson,
    GroupsSummaryJson,
    group_json,
    groups_text,
    nothing_found_text,
    totals_json,
    totals_text,
)
from hashindex.output.text.organize import OrganizeSummaryJson, plan_summary_json, plan_summary_text, step_text
from hashindex.output.text.problems import problem_text
from hashindex.output.text.scan import ScanSummaryJson, scan_json, scan_text

STICKERS = "~/Stickers"
"""The destination of the plan. Nothing is written there."""
SHOWN = 3
"""How many groups and how many steps of the plan are shown; the rest are counted."""


@command(
    "hashindex demo",
    "hashindex demo ~/Pictures",
    lines=(ScanSummaryJson, GroupJson, GroupsSummaryJson, OrganizeSummaryJson),
)
def demo(
    ctx: typer.Context,
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="A folder of yours. [default: sample pictures are drawn]")
    ] = None,
) -> None:
    """Show what hashindex does: scan a folder, show some of its groups and of the plan of organize.

    Uses a temporary catalogue. Nothing in the folder is changed.
    """
    import tempfile

    from hashindex.commands.demo.samples import make_samples
    from hashindex.index.selection import Selection
    from hashindex.service import HashIndex

    session = session_of(ctx)
    with tempfile.TemporaryDirectory(prefix="hashindex-demo-") as scratch:
        index = HashIndex(Path(scratch) / "catalogue.db")
        scanned = folder or os.path.join(scratch, "pictures")
        if folder is None:
            made = make_samples(Path(scanned))
            session.say(
                plural(
                    made,
                    "Made {count} sample file like those of a chat client.",
                    "Made {count} sample files like those of a chat client.",
                )
            )
        began = time.monotonic()
        with progress.shown(session.progress) as on_progress:
            summary = index.scan([scanned], ScanOptions(limits=session.limits()), on_progress=on_progress)
        totals = index.totals()
        seconds = time.monotonic() - began
        groups = index.groups(selection=Selection())
        plan = index.plan(os.path.expanduser(STICKERS), rest=True)
        if session.json:
            print(scan_json(summary, totals))
            for line in map(group_json, groups):
                print(line)
            print(totals_json(groups, len(groups)))
            print(plan_summary_json(plan))
            return

        root = os.fsencode(os.path.realpath(scanned))
        show = path_text([root])

        def short(text: str) -> str:
            """The text of a plan with paths relative to the scanned folder."""
            return text.replace(show_path(os.path.join(root, b"")), "").replace(show_path(plan.dest_bytes), STICKERS)

        for problem in index.problems()[:SHOWN_PROBLEMS]:
            session.say(problem_text(problem, show))
        scan = "hashindex scan FOLDER" if folder is None else shell_line(["hashindex", "scan", folder], sys.platform)
        session.show(f"\n$ {show_text(scan)}\n\n{scan_text(summary, totals, seconds)}\n\n$ hashindex groups\n")
        for text in groups_text(groups[:SHOWN], show, session.out):
            print(text)
        if len(groups) > SHOWN:
            print("\n" + plural(len(groups) - SHOWN, "... {count} more group", "... {count} more groups"))
        if groups:
            session.show(f"\n{totals_text(groups, len(groups))}")
        else:
            session.show(nothing_found_text(index.status().present, Level.COPIES))
        print(f"\n$ hashindex organize {STICKERS} --rest\n")
        for step in plan.steps[:SHOWN]:
            session.show(short(step_text(step)))
        if len(plan.steps) > SHOWN:
            print(plural(len(plan.steps) - SHOWN, "... {count} more file", "... {count} more files"))
        session.show(short(plan_summary_text(plan, rest=True)))
        if folder is None:
            now = sentence("Now your own pictures: {command}; then: hashindex groups", command=show_text(scan))
        else:
            now = sentence("Now for good: {command}; then: hashindex groups", command=show_text(scan))
        session.show(f"\n{now}")
