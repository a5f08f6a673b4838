"""hashindex report."""

from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.options import grouping_of, selection_of
from hashindex.commands.session import session_of
from hashindex.output import progress
from hashindex.output.text.report import ReportJson, report_json, report_text


@command(
    "hashindex report report.html",
    "hashindex report ~/report.html --contact-sheet ~/sheet.png --limit 20",
    "hashindex report report.html --hash dhash --radius 2",
    lines=(ReportJson,),
    selection=True,
    grouping=True,
    limits=True,
)
def report(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The page to write, such as report.html.")],
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", metavar="PNG", help="Also draw the groups as one picture.")
    ] = None,
) -> None:
    """Write the groups with thumbnails as one HTML page.

    The page is a single file, needs no network, and is in English or Chinese. An earlier report is replaced; any other
    file of that name is kept.
    """
    session = session_of(ctx)
    grouping = grouping_of(session)
    with progress.comparing_then_counted(session.progress, progress.DRAWING) as (
        on_progress,
        on_thumbnail,
    ):
        written = session.index.report(
            file,
            contact_sheet=sheet,
            grouping=grouping,
            selection=selection_of(session),
            on_progress=on_progress,
            on_thumbnail=on_thumbnail,
        )
    for summary in written:
        session.sum_up(report_json(summary), report_text(summary))
