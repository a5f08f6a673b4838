"""The command line: its commands, in the order of the help. Each command has a module of its own."""

from typing import Annotated

import typer

from hashindex import __version__
from hashindex.commands import (
    backup,
    caches,
    calibrate,
    check,
    decisions,
    dedupe,
    doctor,
    explain,
    forget,
    groups,
    history,
    organize,
    problems,
    query,
    recover,
    report,
    same,
    scan,
    separate,
    status,
    undo,
    watch,
)
from hashindex.commands.command import EXIT_CODES, PlainGroup, add, with_common
from hashindex.commands.demo import demo
from hashindex.commands.service import subcommands as service

app = typer.Typer(
    name="hashindex",
    cls=PlainGroup,
    help="Find the pictures you have more than once, and tidy them up.",
    epilog=EXIT_CODES.replace("\n", " "),
    no_args_is_help=True,
    # Without Rich, help is the same in a terminal, in a pipe and in docs/cli.md, and starts faster.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"hashindex {__version__}")
        raise typer.Exit


def _main(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.callback()(with_common(_main))
app.add_typer(service.app, name="service")
add(
    app,
    (
        scan.scan,
        caches.caches,
        groups.groups,
        query.query,
        explain.explain,
        calibrate.calibrate,
        dedupe.dedupe,
        organize.organize,
        same.same,
        separate.separate,
        decisions.decisions,
        undo.undo,
        history.history,
        recover.recover,
        report.report,
        watch.watch,
        status.status,
        doctor.doctor,
        check.check,
        backup.backup,
        problems.problems,
        forget.forget,
        demo.demo,
    ),
)
