"""The commands about what the catalogue holds: scan, caches, status, problems, forget."""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from hashindex.commands.command import HAD_PROBLEMS, NOTHING_FOUND, SHOWN_PROBLEMS, command
from hashindex.commands.options import ClientOption, Session, session_of
from hashindex.core.errors import UsageError
from hashindex.core.model import Problem, ScanSummary
from hashindex.core.options import ScanOptions, WalkRules
from hashindex.output import progress, render, render_watch


@command(
    "hashindex scan ~/QQ/Pic ~/Downloads",
    "hashindex scan                         # every folder scanned before",
    "hashindex scan --client qq --client wechat",
    "hashindex scan ~/Pictures --exclude old/ --exclude '*.psd' --workers 1",
    limits=True,
)
def scan(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to scan; all known ones if none.")
    ] = None,
    client: ClientOption = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Take only what is like this, or below a folder like this; repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave out files and folders like this; repeatable.")
    ] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden/--no-hidden", help="Take hidden files and folders too.")
    ] = None,
    links: Annotated[bool | None, typer.Option("--links/--no-links", help="Follow links out of the folders.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that read; 1 for spinning and network drives. [default: all]"),
    ] = None,
) -> None:
    """Read folders into the catalogue: the first time everything, later what changed.

    Pictures are recognised by their content, never by their names. Nothing in the folders is changed. Ctrl-C keeps
    what was done. A file that is gone keeps its row; a folder that cannot be reached, or is empty and was not, is
    left as it was.

    Patterns are those of a .gitignore file: old/ is every folder of that name, *.psd every such file, /old/ only the
    one in the scanned folder itself, chat/*.gif files right in chat, **/old/*.gif at any depth, [ab] a choice, \\[ a
    bracket; ! in front takes back what an earlier pattern said. A whole path works too.
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
        raise UsageError("Each --include begins with !, so nothing is taken; leave files out with --exclude.")
    options = ScanOptions(rules, session.limits(), workers or settings.workers)
    problems = 0

    def on_problem(problem: Problem) -> None:
        nonlocal problems
        problems += 1
        if session.json:
            print(render.json_line({"event": "problem", "path": os.fsdecode(problem.path), "reason": problem.reason}))
        elif problems <= SHOWN_PROBLEMS:
            session.say(render.problem_text(problem))

    roots: list[str | bytes] = [*(folders or ()), *session.index.client_roots(client or ())]
    with progress.shown(session.quiet) as on_progress:
        summary = session.index.scan(roots, options, on_problem=on_problem, on_progress=on_progress)
    if problems > SHOWN_PROBLEMS and not session.json:
        session.say(f"... and {problems - SHOWN_PROBLEMS:,} more problems; see: hashindex problems")
    session.sum_up(render.scan_json(summary), render.scan_text(summary))
    if not session.json:
        _say_unmatched(session, summary, include or (), exclude or ())
    if summary.problems:
        raise typer.Exit(HAD_PROBLEMS)


def _say_unmatched(session: Session, summary: ScanSummary, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Patterns that matched nothing. Those of the settings file, which is for every scan, only with -v."""
    for pattern in summary.unmatched:
        if pattern in exclude or pattern in include:
            option = "--exclude" if pattern in exclude else "--include"
            session.say(render.unmatched_text(option, pattern))
        elif session.verbose:
            session.say(render.unmatched_text("in the settings", pattern))


@command("hashindex caches", "hashindex caches --json | jq -r '.pictures[]'")
def caches(ctx: typer.Context) -> None:
    """Show where chat clients keep pictures on this computer, about how many, and what cannot be read.

    QQ NT, old QQ and TIM, WeChat, Discord and Telegram, told by the layout of their folders. Nothing is changed and
    nothing is scanned; `hashindex scan --client NAME` takes them in.
    """
    session = session_of(ctx)
    caches = session.index.caches()
    for text in map(render.cache_json, caches) if session.json else render.caches_text(caches):
        print(text)
    if not caches:
        session.say("No chat client's pictures were found where they usually are; docs/clients.md says where that is.")
        raise typer.Exit(NOTHING_FOUND)


@command("hashindex status", "hashindex status --json")
def status(ctx: typer.Context) -> None:
    """Show what the catalogue holds, and whether hashindex watch keeps it in step.

    Files by state and format, folders and when they were scanned; of the daemon what it does, its queue and its last
    trouble.
    """
    session = session_of(ctx)
    status = session.index.status()
    if session.json:
        print(render.status_json(status, render_watch.daemon_json(status.daemon)))
    else:
        print("\n".join([render.status_text(status), *render_watch.daemon_text(status.daemon)]))


@command("hashindex problems", "hashindex problems --json | jq -r .path")
def problems(ctx: typer.Context) -> None:
    """List every file and folder that could not be taken in, and why."""
    session = session_of(ctx)
    problems = session.index.problems()
    for problem in problems:
        print(render.problem_json(problem) if session.json else render.problem_text(problem))
    if not problems:
        session.say("No problems.")


@command("hashindex forget ~/Downloads", "hashindex forget ~/QQ/Pic/old.gif")
def forget(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A file or a folder, there or gone.")],
) -> None:
    """Drop what the catalogue knows of a file or a folder. The files themselves are not touched."""
    session = session_of(ctx)
    forgotten = session.index.forget(path)
    session.sum_up(render.forgotten_json(forgotten), render.forgotten_text(forgotten))
