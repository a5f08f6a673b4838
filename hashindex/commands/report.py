"""hashindex report."""

from pathlib import Path
from typing import Annotated

import typer

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
from hashindex.output import progress
from hashindex.output.text.report import report_json, report_text


@command(
    "hashindex report report.html",
    "hashindex report ~/report.html --contact-sheet ~/sheet.png --hash dhash --radius 2",
    limits=True,
)
def report(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The page to write, such as report.html.")],
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", metavar="PNG", help="Also draw the groups as one picture.")
    ] = None,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
) -> None:
    """Write the groups with thumbnails as one HTML page.

    The page is a single file, needs no network, and is in English or Chinese. An earlier report is replaced; any other
    file of that name is kept.
    """
    session = session_of(ctx)
    grouping = grouping_of(
        session, level=level, hash=hash, radius=radius, passes=passes, keep=keep, engine=engine, workers=workers
    )
    with progress.comparing_then_counted(session.quiet, progress.DRAWING, color=session.err.has_color) as (
        on_progress,
        on_thumbnail,
    ):
        written = session.index.report(
            file,
            contact_sheet=sheet,
            grouping=grouping,
            on_progress=on_progress,
            on_thumbnail=on_thumbnail,
        )
    for summary in written:
        session.sum_up(report_json(summary), report_text(summary))
