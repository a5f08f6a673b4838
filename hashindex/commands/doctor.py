"""hashindex doctor, and the findings that check prints too."""

from collections.abc import Sequence

import typer

from hashindex.commands.command import HAD_PROBLEMS, command
from hashindex.commands.session import Session, session_of
from hashindex.core.model import Finding, Severity
from hashindex.output.text.check import FindingJson, finding_json, finding_text, findings_text


@command(
    "hashindex doctor",
    "hashindex doctor --json | jq -r 'select(.severity == \"problem\") | .says'",
    lines=(FindingJson,),
)
def doctor(ctx: typer.Context) -> None:
    """Check everything that hashindex needs, and show what is wrong and how to fix it.

    Checks the installed packages, the catalogue, folders that cannot be read, free space, limits of watching, and what
    a crash left behind. Changes nothing. Exit code 3 if there is a problem.
    """
    session = session_of(ctx)
    show_findings(session, session.index.doctor())


def show_findings(session: Session, findings: Sequence[Finding]) -> None:
    """Prints findings, with --quiet only problems; exit code 3 if there is a problem."""
    problems = [finding for finding in findings if finding.severity is Severity.PROBLEM]
    for finding in problems if session.quiet and not session.json else findings:
        session.show(finding_json(finding) if session.json else finding_text(finding))
    if not session.json and not session.quiet:
        session.show(findings_text(findings))
    if problems:
        raise typer.Exit(HAD_PROBLEMS)
