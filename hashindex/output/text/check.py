"""Findings of doctor and check."""

from collections.abc import Collection

from hashindex.core.model import Finding, Severity
from hashindex.output.text.common import json_line, show_count, show_text


def finding_json(finding: Finding) -> str:
    return json_line(finding._asdict())


def finding_text(finding: Finding) -> str:
    line = f"{finding.severity:>8}  {finding.check:<11}  {show_text(finding.says)}"
    return f"{line}\n{'':>10}{'':<13}-> {show_text(finding.way_out)}" if finding.way_out else line


def findings_text(findings: Collection[Finding]) -> str:
    """The last line: how many findings, problems and notes."""
    notes = sum(finding.severity is Severity.NOTE for finding in findings)
    problems = sum(finding.severity is Severity.PROBLEM for finding in findings)
    return f"{show_count(len(findings), 'finding')}: {show_count(problems, 'problem')}, {show_count(notes, 'note')}."
