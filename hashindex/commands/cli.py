"""The command line: its commands, in the order of the help. Each command has a module of its own."""

from importlib import import_module
from typing import Annotated, Any, ClassVar

import typer

from hashindex import __version__
from hashindex.commands.command import EXIT_CODES, PlainGroup, built, with_common

COMMANDS = (
    "scan",
    "caches",
    "groups",
    "review",
    "query",
    "find",
    "explain",
    "calibrate",
    "dedupe",
    "organize",
    "same",
    "separate",
    "decisions",
    "tag",
    "untag",
    "tags",
    "undo",
    "history",
    "recover",
    "report",
    "watch",
    "status",
    "config",
    "doctor",
    "check",
    "backup",
    "problems",
    "forget",
    "demo.demo",
    "service.subcommands",
)
"""The modules of the commands in hashindex.commands. Each command has the name of its module or package."""

ALIASES = {"words": "decisions"}
"""Second names, which help does not show."""


class _Commands(PlainGroup):
    """Imports the module of a command only when that command is needed."""

    _modules: ClassVar = {module.partition(".")[0]: module for module in COMMANDS}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = ALIASES.get(cmd_name, cmd_name)
        if name in self._modules and name not in self.commands:
            module = import_module(f"hashindex.commands.{self._modules[name]}")
            self.commands[name] = built(getattr(module, name))
        return self.commands.get(name)


app = typer.Typer(
    name="hashindex",
    cls=_Commands,
    help="Find the pictures you have more than once, and tidy them up.",
    epilog=EXIT_CODES.replace("\n", " "),
    invoke_without_command=True,
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
    if ctx.invoked_subcommand is None:
        # Imported late: no command needs it.
        from hashindex.commands.first_steps import show_first_steps

        show_first_steps(ctx)


app.callback()(with_common(_main))
