"""The command line: words in, words and exit codes out. All work is HashIndex's; all wording of results, render's."""

import inspect
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hashindex import __version__, progress, render
from hashindex.decode import allow
from hashindex.errors import HashIndexError, UsageError
from hashindex.files import WalkRules
from hashindex.model import Keep, Limits, Problem
from hashindex.samples import make_samples
from hashindex.scan import ScanOptions
from hashindex.service import DEFAULT_HASH, HashIndex
from hashindex.settings import CATALOGUE_VARIABLE, Settings, default_catalogue_path, read_settings

NOTHING_FOUND = 1
HAD_PROBLEMS = 3
INTERRUPTED = 130
SHOWN_PROBLEMS = 20

EXIT_CODES = """\
Exit codes: 0 done (query, groups: found); 1 nothing found (query, groups); 2 error or wrong usage; 3 done, but
files had problems met in this run; 4 the catalogue is missing, foreign, newer or damaged; 5 another process held
its lock longer than --wait; 130 interrupted."""

app = typer.Typer(
    name="hashindex",
    help="Find the pictures you have more than once: a persistent index of pictures by what they look like.",
    epilog=EXIT_CODES.replace("\n", " "),
    no_args_is_help=True,
    # Plain help reads the same in a terminal, in a pipe and in docs/cli.md, and needs no Rich at start-up.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No messages and no progress but errors.")],
    "verbose": Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Log to standard error; twice for every file.")
    ],
    "wait": Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.0, help="How long to wait for another process's lock. [default: 30]"),
    ],
}
_ABSENT = {"catalogue": None, "config": None, "json": False, "quiet": False, "verbose": 0, "wait": None}


@dataclass(frozen=True, slots=True)
class Session:
    """What one command works with."""

    index: HashIndex
    settings: Settings
    json: bool
    quiet: bool

    def say(self, message: str) -> None:
        """A message for the person: standard error, unless asked to be quiet."""
        if not self.quiet:
            print(message, file=sys.stderr, flush=True)

    def limits(self, pixels: int | None = None, frames: int | None = None, size: int | None = None) -> Limits:
        """Options before settings before defaults; this process's Pillow is told too."""
        limits = Limits()
        limits = Limits(
            pixels or self.settings.max_pixels or limits.pixels,
            frames or self.settings.max_frames or limits.frames,
            size or self.settings.max_bytes or limits.bytes,
        )
        allow(limits)
        return limits


def _with_common(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a function the options of COMMON; they reach it in the context, merged with those before the command."""

    def wrapper(ctx: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in COMMON}
        ctx.obj = {
            name: value if value != _ABSENT[name] else (ctx.obj or _ABSENT)[name] for name, value in given.items()
        }
        try:
            function(ctx, **values)
        except HashIndexError as error:
            print(f"hashindex: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("hashindex: interrupted; what was done so far is kept.", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None

    parameters = list(inspect.signature(function).parameters.values())
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_ABSENT[name], annotation=annotation)
        for name, annotation in COMMON.items()
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters[1:]]
    wrapper.__signature__ = inspect.Signature([parameters[0], *own, *common])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {**function.__annotations__, **COMMON}
    wrapper.__doc__, wrapper.__name__ = function.__doc__, function.__name__
    return wrapper


def _command(*examples: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command under its function's name, with examples in its help and the common options."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        text = "\n\n".join(
            [inspect.getdoc(function) or "", "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)]
        )
        app.command(name=function.__name__.rstrip("_"), help=text)(_with_common(function))
        return function

    return register


def _session(ctx: typer.Context) -> Session:
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
    return Session(HashIndex(named, wait_s=wait), settings, given["json"], given["quiet"])


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


app.callback()(_with_common(_main))

HashOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"phash, dhash, ahash, whash, phash256 or dhash256. [default: {DEFAULT_HASH}]"),
]
RadiusOption = Annotated[
    int | None, typer.Option(metavar="BITS", help="How many bits may differ, 0 to all; a default for each hash.")
]
PassesOption = Annotated[
    str | None,
    typer.Option(metavar="BITS,...", help="Several radii, as 8,11,14,17: each pass groups what the last left over."),
]
KeepOption = Annotated[
    Keep | None, typer.Option(help="Which picture of a group is its keeper; ties go on by size, pixels, age, path.")
]
MaxPixels = Annotated[int | None, typer.Option(metavar="N", min=1, help="Largest width x height of a picture.")]
MaxFrames = Annotated[int | None, typer.Option(metavar="N", min=1, help="Most frames of an animation.")]
MaxBytes = Annotated[int | None, typer.Option(metavar="N", min=1, help="Largest picture file.")]


@_command(
    "hashindex scan ~/QQ/Pic ~/Downloads",
    "hashindex scan                         # every folder scanned before",
    "hashindex scan ~/Pictures --exclude '*/Thumb/*' --workers 1",
)
def scan_(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to scan; all known ones if none.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Take only files like this; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Leave out files and folders like this; may be repeated.")
    ] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden/--no-hidden", help="Take hidden files and folders too.")
    ] = None,
    links: Annotated[bool | None, typer.Option("--links/--no-links", help="Follow links out of the folders.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that read; 1 for spinning and network drives. [default: all]"),
    ] = None,
    max_pixels: MaxPixels = None,
    max_frames: MaxFrames = None,
    max_bytes: MaxBytes = None,
) -> None:
    """Read folders into the catalogue: the first time everything, later what changed.

    Pictures are recognised by their content, never by their names. Nothing in the folders is changed. Ctrl-C keeps
    what was done. A file that is gone keeps its row; a folder that cannot be reached, or is empty and was not, is
    left as it was.
    """
    session = _session(ctx)
    settings = session.settings
    rules = WalkRules(
        tuple(include or settings.include),
        tuple(exclude or settings.exclude),
        settings.hidden if hidden is None else hidden,
        settings.links if links is None else links,
    )
    options = ScanOptions(rules, session.limits(max_pixels, max_frames, max_bytes), workers or settings.workers)
    problems = 0

    def on_problem(problem: Problem) -> None:
        nonlocal problems
        problems += 1
        if session.json:
            print(render.json_line({"event": "problem", "path": os.fsdecode(problem.path), "reason": problem.reason}))
        elif problems <= SHOWN_PROBLEMS:
            session.say(render.problem_text(problem))

    with progress.shown(session.quiet) as on_progress:
        summary = session.index.scan(folders or (), options, on_problem=on_problem, on_progress=on_progress)
    if problems > SHOWN_PROBLEMS and not session.json:
        session.say(f"... and {problems - SHOWN_PROBLEMS:,} more problems; see: hashindex problems")
    print(render.scan_json(summary) if session.json else render.scan_text(summary))
    if summary.problems:
        raise typer.Exit(HAD_PROBLEMS)


@_command(
    "hashindex groups",
    "hashindex groups --hash dhash --radius 2",
    "hashindex groups --passes 8,11,14,17 --json > groups.jsonl",
)
def groups_(
    ctx: typer.Context,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
) -> None:
    """Show similar pictures, a paragraph a group, the keeper first.

    Pictures whose hashes differ in at most --radius bits are neighbours; neighbours of neighbours are one group.
    Files of equal bytes always are. A picture with hardly any detail is grouped only with equal pixels.
    """
    session = _session(ctx)
    groups = session.index.groups(**_grouping(session.settings, hash, radius, passes, keep))
    for text in map(render.group_json, groups) if session.json else render.groups_text(groups):
        print(text)
    if not groups:
        session.say("No two pictures are alike within that radius.")
        raise typer.Exit(NOTHING_FOUND)


@_command(
    "hashindex query ~/Desktop/cat.jpg",
    "hashindex query ~/Desktop/cat.jpg --radius 16 --limit 50 --json",
    "curl -s https://example.org/cat.gif | hashindex query -",
)
def query_(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="A picture, in the catalogue or not; - is standard input.")
    ],
    hash: HashOption = None,
    radius: RadiusOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Most files to show; 0 shows all.")] = 10,
    max_pixels: MaxPixels = None,
    max_frames: MaxFrames = None,
    max_bytes: MaxBytes = None,
) -> None:
    """Find the files that look like a picture, nearest first.

    Also files that are gone by now. The asked file itself is not shown.
    """
    session = _session(ctx)
    name = hash or session.settings.hash or DEFAULT_HASH
    limits = session.limits(max_pixels, max_frames, max_bytes)
    given: dict[str, Any] = {"data": sys.stdin.buffer.read(limits.bytes + 1)} if image == "-" else {"image": image}
    answer = session.index.query(**given, hash=name, radius=radius, limit=limit or None, limits=limits)
    for hit in answer.hits:
        print(render.hit_json(hit) if session.json else render.hit_text(hit, name))
    for note in render.answer_notes(answer):
        session.say(note)
    if not answer.hits:
        session.say("Nothing in the catalogue looks like it.")
        raise typer.Exit(NOTHING_FOUND)


@_command(
    "hashindex organize ~/Stickers",
    "hashindex organize ~/Stickers --rest --keep pixels",
    "hashindex organize ~/Stickers --json | jq -r .target",
)
def organize_(
    ctx: typer.Context,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The folder for the groups; it need not exist yet.")],
    rest: Annotated[bool, typer.Option("--rest", help="Also number the pictures that are in no group.")] = False,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
) -> None:
    """Print what would go where: a number a group, 00012.gif, 00012_1.jpg, and so on.

    The keeper has the bare number, every file the suffix that its content calls for. Numbering goes on from what
    DEST holds. Nothing is changed: this prints a plan.
    """
    session = _session(ctx)
    plan = session.index.plan(dest, rest=rest, **_grouping(session.settings, hash, radius, passes, keep))
    for step in plan.steps:
        print(render.step_json(step) if session.json else render.step_text(step))
    print(render.plan_summary_json(plan) if session.json else render.plan_summary_text(plan))


@_command("hashindex status", "hashindex status --json")
def status_(ctx: typer.Context) -> None:
    """Show what the catalogue holds: files by state and format, folders and when they were scanned."""
    session = _session(ctx)
    status = session.index.status()
    print(render.status_json(status) if session.json else render.status_text(status))


@_command("hashindex problems", "hashindex problems --json | jq -r .path")
def problems_(ctx: typer.Context) -> None:
    """List every file and folder that could not be taken in, and why."""
    session = _session(ctx)
    problems = session.index.problems()
    for problem in problems:
        print(render.problem_json(problem) if session.json else render.problem_text(problem))
    if not problems:
        session.say("No problems.")


@_command("hashindex forget ~/Downloads", "hashindex forget ~/QQ/Pic/old.gif")
def forget_(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A file or a folder, there or gone.")],
) -> None:
    """Drop what the catalogue knows of a file or a folder. The files themselves are not touched."""
    session = _session(ctx)
    dropped = session.index.forget(path)
    print(render.json_line({"event": "summary", "forgotten": dropped}) if session.json else f"Forgot {dropped:,} rows.")


@_command("hashindex demo", "hashindex demo ~/Pictures")
def demo_(
    ctx: typer.Context,
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="Your own folder; sample pictures are drawn if none.")
    ] = None,
) -> None:
    """Show the whole of it once: scan a folder, its groups, and how they would be organized.

    Uses a catalogue of its own and leaves nothing behind. Nothing in the folder is changed.
    """
    session = _session(ctx)
    with tempfile.TemporaryDirectory(prefix="hashindex-demo-") as scratch:
        index = HashIndex(Path(scratch) / "catalogue.db")
        place = folder or os.path.join(scratch, "pictures")
        if folder is None:
            session.say(f"Drew {make_samples(Path(place))} sample files as a chat client would leave them.")
        with progress.shown(session.quiet) as on_progress:
            summary = index.scan([place], ScanOptions(limits=session.limits()), on_progress=on_progress)
        groups = index.groups()
        plan = index.plan(os.path.join(os.path.expanduser("~"), "Stickers"), rest=True)
        if session.json:
            print(render.scan_json(summary))
            for line in map(render.group_json, groups):
                print(line)
            print(render.plan_summary_json(plan))
            return
        for problem in index.problems()[:SHOWN_PROBLEMS]:
            session.say(render.problem_text(problem))
        print(f"\nhashindex scan {place}\n\n{render.scan_text(summary)}\n\nhashindex groups\n")
        for text in render.groups_text(groups):
            print(text)
        print("\nhashindex organize ~/Stickers --rest\n")
        for step in plan.steps:
            print(render.step_text(step))
        print(render.plan_summary_text(plan))


def _grouping(
    settings: Settings, hash: str | None, radius: int | None, passes: str | None, keep: Keep | None
) -> dict[str, Any]:
    """Arguments of HashIndex.groups; a radius or passes given as options set those of the settings aside."""
    if radius is None and passes is None:
        radius, radii = settings.radius, settings.passes
    else:
        radii = _radii(passes)
    return {
        "hash": hash or settings.hash or DEFAULT_HASH,
        "radius": radius,
        "passes": radii,
        "keep": keep or settings.keep,
    }


def _radii(passes: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in passes.split(",")) if passes else ()
    except ValueError:
        raise UsageError(f"--passes takes whole numbers with commas between, as 8,11,14,17; not {passes!r}.") from None
