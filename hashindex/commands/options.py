"""The options that commands share, what they and the settings file come to, and what a command works with."""

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hashindex.core.errors import UsageError
from hashindex.core.options import Level, Limits
from hashindex.core.settings import CATALOGUE_VARIABLE, Settings, default_catalogue_path, read_settings
from hashindex.index.clusters import Engine
from hashindex.index.grouping import DEFAULT_HASH, Grouping
from hashindex.output.render import show_text
from hashindex.service import HashIndex

# What every command takes, before or after its name. A value given after the name wins.
COMMON: dict[str, Any] = {
    "catalogue": Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help=f"The catalogue file; else ${CATALOGUE_VARIABLE}, else the settings', else one in your data folder.",
        ),
    ],
    "config": Annotated[
        Path | None, typer.Option(metavar="PATH", help="The settings file (TOML); else the one in your config folder.")
    ],
    "json": Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output, nothing else.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and what was asked for.")],
    "verbose": Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            help="Say more, as every step of organize; twice for every file.",
        ),
    ],
    "wait": Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.0, help="How long to wait for another process's lock. [default: 30]"),
    ],
}
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
"""What commands that decode take too, see command."""
ABSENT = {"catalogue": None, "config": None, "json": False, "quiet": False, "verbose": 0, "wait": None}


@dataclass(frozen=True, slots=True)
class Session:
    """What one command works with."""

    index: HashIndex
    settings: Settings
    json: bool
    quiet: bool
    asked_limits: Mapping[str, Any]
    """Those of LIMITS that were given."""
    verbose: bool = False

    def say(self, message: str) -> None:
        """A message for the person: standard error, unless asked to be quiet."""
        if not self.quiet:
            print(message, file=sys.stderr, flush=True)

    def sum_up(self, line: str, text: str) -> None:
        """What a command did, in its last words on standard output: line with --json, else text unless it is quiet."""
        if self.json:
            print(line)
        elif not self.quiet:
            print(text)

    def limits(self) -> Limits:
        """Options before settings before defaults."""
        return self.limits_by(self.settings)

    def limits_by(self, settings: Settings) -> Limits:
        """The same by settings that may be others than the session's."""

        def first(name: str, default: Any) -> Any:
            return self.asked_limits.get(name) or getattr(settings, name) or default

        usual = Limits()
        return Limits(
            first("max_pixels", usual.pixels),
            first("max_frames", usual.frames),
            first("max_bytes", usual.bytes),
            first("max_seconds", usual.seconds),
            first("max_memory", usual.memory),
        )


LevelOption = Annotated[
    Level | None,
    typer.Option(help="copies of one picture, similar (copies and variants), or radius of a hash. [default: copies]"),
]
ClientOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="A chat client's picture folders: qq, tim, wechat, discord or telegram; repeatable."
    ),
]
HashOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"By distance alone: phash, dhash, ahash, whash, phash256 or dhash256. [default: {DEFAULT_HASH}]",
    ),
]
RadiusOption = Annotated[
    int | None, typer.Option(metavar="BITS", help="How many bits may differ, 0 to all; a default for each hash.")
]
PassesOption = Annotated[
    str | None,
    typer.Option(metavar="BITS,...", help="Several radii, as 8,11,14,17: each pass groups what the last left over."),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        metavar="RULE,...",
        help="Which picture of a group is its keeper: best, largest, pixels, oldest, newest or under:FOLDER; several "
        "are asked in this order. [default: best]",
    ),
]
EngineOption = Annotated[
    Engine | None,
    typer.Option(help="What finds neighbours: a BK-tree, packed keys, or what suits; same groups. [default: auto]"),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes that read and compare pictures. [default: one a processor]"),
]
MirroredOption = Annotated[bool, typer.Option("--mirrored", help="Also mirror images of each other.")]
RotatedOption = Annotated[bool, typer.Option("--rotated", help="Also pictures turned by a quarter or a half.")]


def session_of(ctx: typer.Context) -> Session:
    """What the common options of a command, merged into its context, and the settings file come to."""
    given = ctx.obj
    settings = read_settings(given["config"])
    level = {0: logging.WARNING, 1: logging.INFO}.get(given["verbose"], logging.DEBUG)
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")
    if given["json"]:
        # JSON is UTF-8 whatever the console's own encoding is.
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    named = given["catalogue"] or (
        Path(settings.catalogue).expanduser()
        if settings.catalogue and not os.environ.get(CATALOGUE_VARIABLE)
        else default_catalogue_path()
    )
    wait = settings.wait if given["wait"] is None else given["wait"]
    index = HashIndex(named, wait_s=wait, on_notice=_notice)
    ctx.call_on_close(index.close)
    asked_limits = {name: given[name] for name in LIMITS if name in given}
    return Session(index, settings, given["json"], given["quiet"], asked_limits, given["verbose"] > 0)


def _notice(sentence: str) -> None:
    """What a person must hear, also when asked to be quiet."""
    print(f"hashindex: {show_text(sentence)}", file=sys.stderr, flush=True)


def grouping_of(
    session: Session,
    *,
    level: Level | None = None,
    hash: str | None = None,
    radius: int | None = None,
    passes: str | None = None,
    keep: str | None = None,
    engine: Engine | None = None,
    mirrored: bool = False,
    rotated: bool = False,
    workers: int | None = None,
    settings: Settings | None = None,
) -> Grouping:
    """How to group: the options of a command before the settings, which may be others than the session's.

    The hash, radius, passes and engine of the settings count only where pictures go by distance, because the settings
    or the command say so; a radius, and passes, only with the hash that the settings mean them for.
    """
    settings = settings or session.settings
    radii = _radii(passes)
    by_radius = hash is not None or radius is not None or bool(radii)
    # Asked for mirrored pictures, a person wants the judge, whatever the settings say.
    if level is None and not by_radius and not (mirrored or rotated):
        level = settings.level
    found: dict[str, Any] = {"hash": hash, "radius": radius, "passes": radii}
    if level is Level.RADIUS or (level is None and by_radius):
        usual = settings.hash or DEFAULT_HASH
        found["hash"] = hash or usual
        if radius is None and not radii and found["hash"] == usual:
            found |= {"radius": settings.radius, "passes": settings.passes}
        engine = engine or Engine(settings.engine)
    return Grouping(
        level=level,
        keep=keep or settings.keep,
        engine=engine or Engine.AUTO,
        mirrored=mirrored,
        rotated=rotated,
        limits=session.limits_by(settings),
        workers=workers or settings.workers,
        **found,
    )


def _radii(passes: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in passes.split(",")) if passes else ()
    except ValueError:
        raise UsageError(f"--passes takes whole numbers with commas between, as 8,11,14,17; not {passes!r}.") from None
