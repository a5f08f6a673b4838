"""The options of every command, and the session that they and the settings file give to a command."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashindex.core.options import Limits
from hashindex.core.paths import paths_bytes
from hashindex.core.settings import (
    CATALOGUE_VARIABLE,
    Settings,
    chosen_catalogue,
    default_settings_path,
    read_settings,
)
from hashindex.output.progress import Display, ProgressStyle
from hashindex.output.text.common import PathText, path_text, show_message, show_path
from hashindex.output.text.messages import message_json
from hashindex.output.text.terminal import PLAIN, Color, Terminal, terminal_of

if TYPE_CHECKING:
    from hashindex.service import HashIndex

COMMON: dict[str, Any] = {
    "catalogue": Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help=f"The catalogue file. [default: from ${CATALOGUE_VARIABLE} or the settings, else in your data folder]",
        ),
    ],
    "config": Annotated[
        Path | None, typer.Option(metavar="PATH", help="The settings file (TOML). [default: in your config folder]")
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print only JSON, one object a line.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and requested results.")],
    "verbose": Annotated[
        int,
        typer.Option("--verbose", "-v", count=True, help="Print more, such as each step of organize; -vv: each file."),
    ],
    "color": Annotated[
        Color | None,
        typer.Option(
            metavar="WHEN",
            help="Colours: always, never, or auto (on a terminal, unless NO_COLOR is set). [default: auto]",
        ),
    ],
    "progress": Annotated[
        ProgressStyle | None,
        typer.Option(
            metavar="STYLE",
            help="Progress and messages on standard error: auto, or json for one JSON object a line. [default: auto]",
        ),
    ],
    "lang": Annotated[
        str | None,
        typer.Option(
            metavar="LANGUAGE",
            help="The language of messages: en or zh_CN. [default: from the settings, else from LC_ALL or LANG]",
        ),
    ],
    "wait": Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="How long to wait for another process's lock. [default: 30]"),
    ],
}
"""Options of every command, before or after its name. A value after the name wins."""
ABSENT = {
    "catalogue": None,
    "config": None,
    "json": False,
    "quiet": False,
    "verbose": 0,
    "color": None,
    "progress": None,
    "lang": None,
    "wait": None,
}
"""The value of each option in COMMON that was not given."""
LIMITS: dict[str, Any] = {
    "max_pixels": Annotated[int | None, typer.Option(metavar="N", min=1, help="Largest width x height of a picture.")],
    "max_frames": Annotated[int | None, typer.Option(metavar="N", min=1, help="Most frames of an animation.")],
    "max_bytes": Annotated[int | None, typer.Option(metavar="N", min=1, help="Largest picture file.")],
    "max_seconds": Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.1, help="Longest time to decode one picture. [default: 30]")
    ],
    "max_memory": Annotated[
        int | None,
        typer.Option(metavar="BYTES", min=2**26, help="Most memory to decode one picture (Linux). [default: 4 GiB]"),
    ],
}
"""More options of the commands that decode pictures (@command(limits=True))."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one command works with."""

    index: "HashIndex"
    settings: Settings
    json: bool
    quiet: bool
    given: Mapping[str, Any]
    """Values of the options that @command added from SELECTION, GROUPING and LIMITS; None for those not given."""
    verbose: bool = False
    out: Terminal = PLAIN
    """Standard output."""
    err: Terminal = PLAIN
    """Standard error."""
    progress: Display = Display()  # noqa: RUF009 - frozen

    def show(self, text: str, hang: int | None = None) -> None:
        """Prints text on standard output, wrapped on a terminal. hang: see Terminal.wrapped."""
        print(self.out.wrapped(text, hang))

    def say(self, message: str, hang: int | None = None) -> None:
        """Prints a message for the user on standard error, unless --quiet."""
        if not self.quiet:
            _print_message(message, self.err, self.progress.style, hang=hang)

    def path_text(self) -> PathText:
        """How to show paths on standard output: relative to the scanned folders on a terminal, else absolute."""
        return show_path if self.out.width is None else path_text(paths_bytes(self.index.roots()))

    def sum_up(self, line: str, text: str) -> None:
        """Prints the last line of a command on standard output: `line` with --json, else `text` unless --quiet."""
        if self.json:
            print(line)
        elif not self.quiet:
            self.show(text)

    def limits(self, settings: Settings | None = None) -> Limits:
        """Command-line options override the settings, which override the defaults.

        settings: those of the session if None.
        """

        def first(name: str, default: Any) -> Any:
            return self.given.get(name) or getattr(settings or self.settings, name) or default

        default = Limits()
        return Limits(
            first("max_pixels", default.pixels),
            first("max_frames", default.frames),
            first("max_bytes", default.bytes),
            first("max_seconds", default.seconds),
            first("max_memory", default.memory),
        )


def session_of(ctx: typer.Context) -> Session:
    """The session of a command: its context holds the options that @command added; reads the settings file."""
    # Imported late: --help, --version and wrong usage need neither.
    import logging

    from hashindex.service import HashIndex

    common = ctx.obj
    settings = read_settings(common["config"])
    level = {0: logging.WARNING, 1: logging.INFO}.get(common["verbose"], logging.DEBUG)
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")
    if common["json"]:
        # JSON is UTF-8, whatever the encoding of the console.
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    path, _ = chosen_catalogue(common["catalogue"], settings)
    wait = settings.wait if common["wait"] is None else common["wait"]
    style = common["progress"] or ProgressStyle.AUTO
    index = HashIndex(path, wait_s=wait, on_notice=partial(_print_notice, style))
    ctx.call_on_close(index.close)
    err = terminal_of(sys.stderr, common["color"])
    given = {name: value for name, value in common.items() if name not in COMMON}
    return Session(
        index,
        settings,
        common["json"],
        common["quiet"],
        given,
        common["verbose"] > 0,
        out=PLAIN if common["json"] else terminal_of(sys.stdout, common["color"]),
        err=err,
        progress=Display(common["quiet"], err.has_color, style),
    )


def settings_path_of(ctx: typer.Context) -> Path:
    """The settings file of a command, which may be missing."""
    path: Path = ctx.obj["config"] or default_settings_path()
    return path.absolute()


def _print_notice(style: ProgressStyle, notice: str) -> None:
    """Prints a notice that matters with --quiet too."""
    _print_message(show_message(notice), terminal_of(sys.stderr), style, prefix="hashindex: ")


def _print_message(
    message: str, terminal: Terminal, style: ProgressStyle, *, prefix: str = "", hang: int | None = None
) -> None:
    is_json = style is ProgressStyle.JSON
    line = message_json(message) if is_json else terminal.wrapped(f"{prefix}{message}", hang)
    print(line, file=sys.stderr, flush=True)
