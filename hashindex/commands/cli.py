"""The command line: which commands there are, in the order of its help. What each does is in the room of its family.

Words in, words and exit codes out: all work is HashIndex's, all wording of results render's.
"""

from typing import Annotated

import typer

from hashindex import __version__
from hashindex.commands import (
    care_commands,
    demo_command,
    find_commands,
    index_commands,
    judge_commands,
    organize_commands,
    service_command,
    watch_command,
)
from hashindex.commands.command import EXIT_CODES, PlainGroup, add, with_common

app = typer.Typer(
    name="hashindex",
    cls=PlainGroup,
    help="Find the pictures you have more than once: a persistent index of pictures by what they look like.",
    epilog=EXIT_CODES.replace("\n", " "),
    no_args_is_help=True,
    # Plain help reads the same in a terminal, in a pipe and in docs/cli.md, and needs no Rich at start-up.
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
app.add_typer(service_command.app, name="service")
add(
    app,
    (
        index_commands.scan,
        index_commands.caches,
        find_commands.groups,
        find_commands.query,
        judge_commands.explain,
        judge_commands.calibrate,
        organize_commands.organize,
        judge_commands.same,
        judge_commands.separate,
        judge_commands.words,
        organize_commands.undo,
        organize_commands.history,
        organize_commands.recover,
        find_commands.report,
        watch_command.watch,
        index_commands.status,
        care_commands.doctor,
        care_commands.check,
        care_commands.backup,
        index_commands.problems,
        index_commands.forget,
        demo_command.demo,
    ),
)
