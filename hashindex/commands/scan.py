"""hashindex scan."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from hashindex.commands.command import HAD_PROBLEMS, SHOWN_PROBLEMS, command
from hashindex.commands.options import ClientOption
from hashindex.commands.session import Session, session_of
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import Problem, Progress, ScanSummary, Totals
from hashindex.core.options import Level, ScanOptions, WalkRules
from hashindex.index.grouping import Grouping
from hashindex.output import progress
from hashindex.output.text.problems import ProblemJson, problem_json, problem_text
from hashindex.output.text.scan import (
    ScanSummaryJson,
    counts_text,
    more_problems_text,
    scan_json,
    scan_text,
    unmatched_text,
)
from hashindex.output.text.tags import tagged_by_rules_text


@command(
    "hashindex scan ~/QQ/Pic ~/Downloads",
    "hashindex scan                         # every folder scanned before",
    "hashindex scan --client qq --client wechat",
    "hashindex scan ~/Pictures --exclude old/ --exclude '*.psd' --workers 1",
    lines=(ProblemJson, ScanSummaryJson),
    limits=True,
)
def scan(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to scan. [default: all known folders]")
    ] = None,
    client: ClientOption = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Read only matching files, and files in matching folders; repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Skip matching files and folders; repeatable.")
    ] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden/--no-hidden", help="Also read hidden files and folders.")
    ] = None,
    links: Annotated[
        bool | None, typer.Option("--links/--no-links", help="Follow links that lead out of the folders.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Processes that read; 1 for hard disks and network drives. [default: one per processor]",
        ),
    ] = None,
) -> None:
    """Read folders into the catalogue. Later scans read only what changed.

    Pictures are recognised by their content, never by their names. Nothing in the folders is changed. After Ctrl-C the
    work done so far is kept. The catalogue remembers files that are gone. A folder that cannot be reached, or that
    was not empty before and is now, keeps its entries.

    Patterns work as in a .gitignore file: old/ matches every folder of that name, *.psd every file that ends so, /old/
    only a folder at the top of the scanned folder, chat/*.gif files directly in chat, **/old/*.gif files at any depth,
    [ab] either letter, \\[ a bracket. A pattern that begins with ! undoes an earlier one. A whole path works too.
    """
    session = session_of(ctx)
    settings = session.settings
    rules = WalkRules(
        tuple(include or settings.include),
        tuple(exclude or settings.exclude),
        settings.hidden if hidden is None else hidden,
        settings.links if links is None else links,
    )
    if rules.include and all(pattern.startswith("!") for pattern in rules.include):
        raise UsageError(Message("Each --include begins with !, so no file is read; skip files with --exclude."))
    options = ScanOptions(rules, session.limits(), workers or settings.workers)
    problems = 0

    def on_problem(problem: Problem) -> None:
        nonlocal problems
        problems += 1
        if session.json:
            print(problem_json(problem))
        elif problems <= SHOWN_PROBLEMS:
            session.say(problem_text(problem))

    roots = [*(folders or ()), *session.index.client_roots(client or ())]
    times, began = progress.StageTimes(), time.monotonic()
    with progress.shown(session.progress) as show:

        def on_progress(at: Progress) -> None:
            times.note(at)
            show(at)

        summary = session.index.scan(roots, options, on_problem=on_problem, on_progress=on_progress)
        tagged = session.index.tag_by_rules(settings.tags) if settings.tags else 0
        totals = Totals(0, 0, 0)
        if session.json or not session.quiet:
            copies = Grouping(level=Level.COPIES, limits=options.limits, workers=options.workers)
            totals = session.index.totals(copies, on_progress=on_progress)
    if problems > SHOWN_PROBLEMS and not session.json:
        session.say(more_problems_text(problems - SHOWN_PROBLEMS))
    if session.verbose:
        session.say(counts_text(summary))
        session.say(times.text())
        if settings.tags:
            session.say(tagged_by_rules_text(tagged))
    seconds = time.monotonic() - began
    known_problems = 0 if session.json or session.quiet else len(session.index.problems())
    session.sum_up(scan_json(summary, totals), scan_text(summary, totals, seconds, known_problems))
    if not session.json:
        _report_unmatched(session, summary, include or (), exclude or ())
    if summary.problems:
        raise typer.Exit(HAD_PROBLEMS)


def _report_unmatched(session: Session, summary: ScanSummary, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Warns of patterns that matched nothing; of patterns in the settings file, which serve all scans, only with -v."""
    for pattern in summary.unmatched:
        if pattern in exclude or pattern in include:
            option = "--exclude" if pattern in exclude else "--include"
            session.say(unmatched_text(option, pattern))
        elif session.verbose:
            session.say(unmatched_text("", pattern))
