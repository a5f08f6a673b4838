"""hashindex scan."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from hashindex.commands.command import HAD_PROBLEMS, command
from hashindex.commands.options import ClientOption
from hashindex.commands.problem_lines import ProblemLines
from hashindex.commands.read import read_and_sum_up
from hashindex.commands.session import Session, session_of
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import Progress, ScanSummary, Totals
from hashindex.core.options import Level, ScanOptions, WalkRules
from hashindex.core.paths import PathLike
from hashindex.index.grouping import Grouping
from hashindex.output import progress
from hashindex.output.text.problems import ProblemJson
from hashindex.output.text.read import ReadPictureJson, ReadSummaryJson
from hashindex.output.text.scan import ScanSummaryJson, counts_text, scan_json, scan_text, unmatched_text
from hashindex.output.text.tags import tagged_by_rules_text

if TYPE_CHECKING:
    from hashindex.cluster.dask_executor import DaskExecutor


@command(
    "hashindex scan ~/QQ/Pic ~/Downloads",
    "hashindex scan                         # every folder scanned before",
    "hashindex scan --client qq --client wechat",
    "hashindex scan ~/Pictures --exclude old/ --exclude '*.psd' --workers 1",
    "hashindex scan /archive --dask tcp://head:8786 --map /archive=/mnt/archive",
    lines=(ProblemJson, ScanSummaryJson, ReadPictureJson, ReadSummaryJson),
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
    read: Annotated[
        bool, typer.Option("--read", help="Then read the words in these pictures, as hashindex read does.")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULER",
            help="Read and compare on a Dask cluster: the address of its scheduler, or a scheduler file.",
        ),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="LOCAL=REMOTE",
            help="Where the workers of --dask find a local folder; repeatable.",
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
    if read:
        session.index.check_reader()
    roots = [*(folders or ()), *session.index.client_roots(client or ())]
    problems = ProblemLines(session, roots)
    times, began = progress.StageTimes(), time.monotonic()
    with _executor(dask, map_ or ()) as executor, progress.shown(session.progress) as show:

        def on_progress(at: Progress) -> None:
            times.note(at)
            show(at)

        summary = session.index.scan(
            roots, options, executor=executor, on_problem=problems.show, on_progress=on_progress
        )
        tagged = session.index.tag_by_rules(settings.tags) if settings.tags else 0
        totals = Totals(0, 0, 0)
        if session.json or not session.quiet:
            copies = Grouping(level=Level.COPIES, limits=options.limits, workers=options.workers)
            totals = session.index.totals(copies, on_progress=on_progress)
    problems.end()
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
    unread = read_and_sum_up(session, roots, options.workers).problems if read else 0
    if summary.problems or unread:
        raise typer.Exit(HAD_PROBLEMS)


def _executor(dask: str | None, maps: Sequence[str]) -> "AbstractContextManager[DaskExecutor | None]":
    """The cluster of --dask and --map; None without --dask."""
    pairs: dict[PathLike, PathLike] = {}
    for given in maps:
        local, equals, remote = given.partition("=")
        if dask is None or not (local and equals and remote):
            raise UsageError(Message("--map takes LOCAL=REMOTE, beside --dask, not {given!r}.", given=given))
        pairs[local] = remote
    if dask is None:
        return nullcontext()
    from hashindex.cluster.dask_executor import DaskExecutor

    return DaskExecutor(dask, maps=pairs)


def _report_unmatched(session: Session, summary: ScanSummary, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Warns of patterns that matched nothing; of patterns in the settings file, which serve all scans, only with -v."""
    for pattern in summary.unmatched:
        if pattern in exclude or pattern in include:
            option = "--exclude" if pattern in exclude else "--include"
            session.say(unmatched_text(option, pattern))
        elif session.verbose:
            session.say(unmatched_text("", pattern))
