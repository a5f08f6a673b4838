"""hashindex check."""

from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.doctor import show_findings
from hashindex.commands.options import WorkersOption
from hashindex.commands.session import session_of
from hashindex.output import progress
from hashindex.output.text.check import FindingJson


@command(
    "hashindex check",
    "hashindex check --full",
    "hashindex check --json | jq -r .says",
    lines=(FindingJson,),
    limits=True,
)
def check(
    ctx: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Check every file and every hash, not a random sample.")] = False,
    workers: WorkersOption = None,
) -> None:
    """Check the catalogue: its pages, its hashes, and whether it matches the files on disk.

    A quick check takes some seconds and reads 100 files at random; --full reads and decodes every picture, like a first
    scan. Repairs nothing, but if the catalogue is damaged, the next scan makes a new one. Exit code 3 if there is a
    problem; each problem is shown with its remedy.
    """
    session = session_of(ctx)
    limits, workers = session.limits(), workers or session.settings.workers
    with progress.counted(session.progress, progress.CHECKING) as on_progress:
        findings = session.index.check(full=full, limits=limits, workers=workers, on_progress=on_progress)
    show_findings(session, findings)
