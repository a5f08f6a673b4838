"""Findings of doctor and check."""

from collections.abc import Collection
from typing import Literal, TypedDict

from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.model import Finding, Severity
from hashindex.output.text.common import json_line, show_message
from hashindex.output.text.terminal import padded, padded_left

_CHECKS = (
    N_("pages"),
    N_("hashes"),
    N_("journal"),
    N_("judge"),
    N_("pictures"),
    N_("catalogue"),
    N_("extras"),
    N_("destination"),
    N_("lock"),
    N_("root"),
    N_("watch"),
)
"""Values of Finding.check that are words, marked for translation; others are names of programs."""
_SEVERITIES = {Severity.OK: N_("ok"), Severity.NOTE: N_("note"), Severity.PROBLEM: N_("problem")}


class FindingJson(TypedDict):
    """The result of one check."""

    event: Literal["finding"]
    check: str
    """Its name: "python", "root", "inotify", ..."""
    severity: Severity
    """"note": worth knowing; "problem": something does not work, or will soon stop working."""
    says: str
    """The result: a sentence without its full stop."""
    way_out: str
    """What to do about it; "" if nothing needs to be done."""


def finding_json(finding: Finding) -> str:
    check, severity, says, way_out = finding
    return json_line(FindingJson(event="finding", check=check, severity=severity, says=says, way_out=way_out))


def finding_text(finding: Finding) -> str:
    severity = padded_left(local(_SEVERITIES[finding.severity]), 8)
    line = f"{severity}  {padded(local(finding.check), 11)}  {show_message(finding.says)}"
    return f"{line}\n{'':>10}{'':<13}-> {show_message(finding.way_out)}" if finding.way_out else line


def findings_text(findings: Collection[Finding]) -> str:
    """The last line: how many findings, problems and notes."""
    notes = sum(finding.severity is Severity.NOTE for finding in findings)
    problems = sum(finding.severity is Severity.PROBLEM for finding in findings)
    return sentence(
        "{findings}: {problems}, {notes}.",
        findings=plural(len(findings), "{count} finding", "{count} findings"),
        problems=plural(problems, "{count} problem", "{count} problems"),
        notes=plural(notes, "{count} note", "{count} notes"),
    )
