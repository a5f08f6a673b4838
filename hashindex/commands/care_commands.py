"""The commands that look after the machine and the catalogue: doctor, check, backup."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import HAD_PROBLEMS, command
from hashindex.commands.options import Session, WorkersOption, session_of
from hashindex.core.model import Finding, Severity
from hashindex.output import progress, render


@command("hashindex doctor", "hashindex doctor --json | jq -r 'select(.severity == \"problem\") | .says'")
def doctor(ctx: typer.Context) -> None:
    """Look at everything hashindex needs, and say what is wrong and what to do about it.

    Programs, the catalogue's soundness, folders that cannot be read, free space, limits of watching, what a crash left
    behind. Changes nothing. Exit code 3 if there is a problem.
    """
    session = session_of(ctx)
    findings = session.index.doctor()
    _show(session, findings)


@command("hashindex check", "hashindex check --full", "hashindex check --json | jq -r .says", limits=True)
def check(
    ctx: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Check every file, not a random sample.")] = False,
    workers: WorkersOption = None,
) -> None:
    """Check the catalogue: its pages, its hashes, and whether files still hold the same bytes.

    A quick check takes some seconds and draws 100 files by lot; --full reads and decodes every picture, as a first scan
    does. Mends nothing; where a new catalogue is needed, it leaves word for the next scan. Exit code 3 if there is a
    problem; each comes with the way out.
    """
    session = session_of(ctx)
    limits, workers = session.limits(), workers or session.settings.workers
    with progress.counted(session.quiet, "files") as on_progress:
        findings = session.index.check(full=full, limits=limits, workers=workers, on_progress=on_progress)
    _show(session, findings)


@command("hashindex backup ~/catalogue-2026-11.db")
def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; one that is there is never replaced.")],
) -> None:
    """Copy the catalogue into a file, while hashindex watch and others go on writing.

    To go back to it: stop hashindex watch, move the catalogue and what lies beside it (NAME-wal, NAME-shm) away, and
    put the copy in its place. No picture is in it.
    """
    session = session_of(ctx)
    written = session.index.backup(file)
    session.sum_up(render.backup_json(file, written), render.backup_text(file, written))


def _show(session: Session, findings: Sequence[Finding]) -> None:
    """All of them, or the problems alone where it is to be quiet; then the exit code."""
    problems = [finding for finding in findings if finding.severity is Severity.PROBLEM]
    for finding in problems if session.quiet and not session.json else findings:
        print(render.finding_json(finding) if session.json else render.finding_text(finding))
    if not session.json and not session.quiet:
        print(render.findings_text(findings))
    if problems:
        raise typer.Exit(HAD_PROBLEMS)
