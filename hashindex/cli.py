"""The command line: words in, words and exit codes out. All work is HashIndex's; all wording of results, render's."""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from hashindex import __version__, progress, render, render_watch
from hashindex.errors import HashIndexError, UsageError
from hashindex.grouping import DEFAULT_HASH
from hashindex.model import STOPPED_BY_PERSON, Action, Outcome, Problem, ScanOptions, Severity, Step, WalkRules
from hashindex.options import (
    ABSENT,
    COMMON,
    ClientOption,
    EngineOption,
    HashOption,
    KeepOption,
    LevelOption,
    MaxBytes,
    MaxFrames,
    MaxMemory,
    MaxPixels,
    MaxSeconds,
    MirroredOption,
    PassesOption,
    RadiusOption,
    RotatedOption,
    Session,
    grouping_arguments,
    session_of,
)
from hashindex.service import HashIndex
from hashindex.settings import Settings, read_settings

if TYPE_CHECKING:
    from hashindex.daemon import WatchOptions

NOTHING_FOUND = 1
SOMETHING_WRONG = 1
HAD_PROBLEMS = 3
INTERRUPTED = 130
SHOWN_PROBLEMS = 20

EXIT_CODES = """\
Exit codes: 0 done (query, groups: found); 1 nothing found (query, groups, caches), or a problem found (doctor, check);
2 error or wrong usage; 3 done, but files had problems met in this run; 4 the catalogue is missing, foreign, newer or
damaged; 5 another process held its lock longer than --wait; 130 interrupted."""

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


def _with_common(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a function the options of COMMON; they reach it in the context, merged with those before the command."""

    def wrapper(ctx: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in COMMON}
        ctx.obj = {name: value if value != ABSENT[name] else (ctx.obj or ABSENT)[name] for name, value in given.items()}
        try:
            function(ctx, **values)
        except HashIndexError as error:
            print(f"hashindex: {render.show_text(str(error))}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("hashindex: interrupted; what was done so far is kept.", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None

    parameters = list(inspect.signature(function).parameters.values())
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=ABSENT[name], annotation=annotation)
        for name, annotation in COMMON.items()
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters[1:]]
    wrapper.__signature__ = inspect.Signature([parameters[0], *own, *common])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {**function.__annotations__, **COMMON}
    wrapper.__doc__, wrapper.__name__ = function.__doc__, function.__name__
    return wrapper


def _command(
    *examples: str, to: typer.Typer = app, name: str = "", **settings: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command under its function's name, with examples in its help and the common options.

    to: the app or group that it belongs to; name: instead of the function's; settings: of its context.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        text = "\n\n".join(
            [inspect.getdoc(function) or "", "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)]
        )
        own = name or function.__name__.rstrip("_")
        to.command(name=own, help=text, context_settings=settings or None)(_with_common(function))
        return function

    return register


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


@_command(
    "hashindex scan ~/QQ/Pic ~/Downloads",
    "hashindex scan                         # every folder scanned before",
    "hashindex scan --client qq --client wechat",
    "hashindex scan ~/Pictures --exclude '*/old/*' --workers 1",
)
def scan_(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to scan; all known ones if none.")
    ] = None,
    client: ClientOption = None,
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
    max_seconds: MaxSeconds = None,
    max_memory: MaxMemory = None,
) -> None:
    """Read folders into the catalogue: the first time everything, later what changed.

    Pictures are recognised by their content, never by their names. Nothing in the folders is changed. Ctrl-C keeps
    what was done. A file that is gone keeps its row; a folder that cannot be reached, or is empty and was not, is
    left as it was.
    """
    session = session_of(ctx)
    settings = session.settings
    rules = WalkRules(
        tuple(include or settings.include),
        tuple(exclude or settings.exclude),
        settings.hidden if hidden is None else hidden,
        settings.links if links is None else links,
    )
    options = ScanOptions(
        rules, session.limits(max_pixels, max_frames, max_bytes, max_seconds, max_memory), workers or settings.workers
    )
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
    print(render.scan_json(summary) if session.json else render.scan_text(summary))
    if summary.problems:
        raise typer.Exit(HAD_PROBLEMS)


@_command("hashindex caches", "hashindex caches --json | jq -r '.pictures[]'")
def caches_(ctx: typer.Context) -> None:
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


@_command(
    "hashindex groups                       # copies of one picture",
    "hashindex groups --level similar       # and other captions, colours, crops",
    "hashindex groups --mirrored --rotated --json > groups.jsonl",
    "hashindex groups --hash dhash --radius 2",
)
def groups_(
    ctx: typer.Context,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
    mirrored: MirroredOption = False,
    rotated: RotatedOption = False,
) -> None:
    """Show pictures that belong together, a paragraph a group, the keeper first.

    copies are one picture to a person: saved again, resized, recoloured a little, cropped or bordered a little. similar
    adds variants: other words, another colour, something drawn in, a larger crop, a still of an animation. With --hash,
    --radius or --passes pictures go together by the distance of their hashes alone, whatever they show. A picture with
    hardly any detail is grouped only with equal pixels. What hashindex same and separate said goes before everything.
    """
    session = session_of(ctx)
    arguments = grouping_arguments(session.settings, level, hash, radius, passes, keep, engine)
    groups = session.index.groups(**arguments, mirrored=mirrored, rotated=rotated)
    for text in map(render.group_json, groups) if session.json else render.groups_text(groups):
        print(text)
    if not groups:
        session.say("No two pictures belong together.")
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
    mirrored: MirroredOption = False,
    rotated: RotatedOption = False,
    family: Annotated[
        bool, typer.Option("--family", help="Also thumbnails and unfinished downloads of pictures that are there.")
    ] = False,
    max_pixels: MaxPixels = None,
    max_frames: MaxFrames = None,
    max_bytes: MaxBytes = None,
    max_seconds: MaxSeconds = None,
    max_memory: MaxMemory = None,
) -> None:
    """Find the files that look like a picture, the most alike first, and say what each is to it.

    identical, a copy of the same picture, a variant of it, or different, though its hash is near. Also files that are
    gone by now. The asked file itself is not shown.
    """
    session = session_of(ctx)
    name = hash or session.settings.hash or DEFAULT_HASH
    limits = session.limits(max_pixels, max_frames, max_bytes, max_seconds, max_memory)
    given: dict[str, Any] = {"data": sys.stdin.buffer.read(limits.bytes + 1)} if image == "-" else {"image": image}
    answer = session.index.query(
        **given,
        hash=name,
        radius=radius,
        limit=limit or None,
        limits=limits,
        mirrored=mirrored,
        rotated=rotated,
        family=family,
    )
    for hit in answer.hits:
        print(render.hit_json(hit) if session.json else render.hit_text(hit, name))
    for note in render.answer_notes(answer):
        session.say(note)
    if not answer.hits:
        session.say("Nothing in the catalogue looks like it.")
        raise typer.Exit(NOTHING_FOUND)


@_command(
    "hashindex explain cat.png cat.jpg",
    "hashindex explain cat.png cat-with-words.png --picture why.png",
    "hashindex explain cat.png mirrored-cat.png --mirrored --json",
)
def explain_(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A picture, in the catalogue or not.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    mirrored: Annotated[bool, typer.Option("--mirrored", help="Also try A as a mirror image.")] = False,
    rotated: Annotated[bool, typer.Option("--rotated", help="Also try A turned by a quarter or a half.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also draw both, one over the other, and what differs.")
    ] = None,
    max_pixels: MaxPixels = None,
    max_frames: MaxFrames = None,
    max_bytes: MaxBytes = None,
    max_seconds: MaxSeconds = None,
    max_memory: MaxMemory = None,
) -> None:
    """Say what two pictures are to each other, and why.

    Identical, a copy, a variant or different; with the distance of every hash, how one lies on the other, where they
    differ, and how sure the judge is. No catalogue is needed; where there is one, what same and separate said counts.
    A file that is gone is judged by what the catalogue kept of it.
    """
    from hashindex.explain_picture import check_picture, write_picture
    from hashindex.render_judgement import explanation_json, explanation_text

    session = session_of(ctx)
    limits = session.limits(max_pixels, max_frames, max_bytes, max_seconds, max_memory)
    if picture is not None:
        check_picture(picture)
    found = session.index.explain(a, b, mirrored=mirrored, rotated=rotated, limits=limits)
    print(explanation_json(found) if session.json else explanation_text(found))
    if picture is not None:
        write_picture(found, picture)
        session.say(f"Wrote {render.show_path(os.fsencode(picture))}.")


@_command(
    "hashindex calibrate                        # by what same and separate said",
    "hashindex calibrate pairs.tsv --plot curves.png",
    "hashindex calibrate labels.tsv --folder ~/Pictures --json",
)
def calibrate_(
    ctx: typer.Context,
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS", help="Pairs, tab-separated: path_a, path_b, label (same, variant or different)."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What the paths are relative to. [default: that of LABELS]")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also draw precision against recall, a curve a hash.")
    ] = None,
    max_pixels: MaxPixels = None,
    max_frames: MaxFrames = None,
    max_bytes: MaxBytes = None,
    max_seconds: MaxSeconds = None,
    max_memory: MaxMemory = None,
) -> None:
    """Show how well each hash at each radius, and each level, does on pairs that you labelled.

    By your own words (hashindex same, hashindex separate) and a file of pairs, if one is named: its first line is
    path_a, path_b, label with tabs between, or file, original_id, edit, expect. Each pair is asked about by itself;
    groups may also join two by way of a third. Nothing is changed.
    """
    from hashindex.calibration_plot import check_plot, write_plot
    from hashindex.render_judgement import calibration_json, calibration_text

    session = session_of(ctx)
    limits = session.limits(max_pixels, max_frames, max_bytes, max_seconds, max_memory)
    if plot is not None:
        check_plot(plot)
    with progress.counted(session.quiet, "pairs") as on_progress:
        found = session.index.calibrate(labels, folder=folder, limits=limits, on_progress=on_progress)
    print(calibration_json(found) if session.json else calibration_text(found))
    for skipped in found.skipped[:SHOWN_PROBLEMS]:
        session.say(f"{render.show_path(skipped.path)}: {render.show_text(skipped.reason)}")
    if len(found.skipped) > SHOWN_PROBLEMS:
        session.say(f"... and {len(found.skipped) - SHOWN_PROBLEMS:,} more pairs were left out.")
    if plot is not None:
        write_plot(found, plot)
        session.say(f"Wrote {render.show_path(os.fsencode(plot))}.")


@_command(
    "hashindex organize ~/Stickers                     # print the plan",
    "hashindex organize ~/Stickers --apply             # copy",
    "hashindex organize ~/Stickers --mode move --rest --apply",
    "hashindex organize ~/Stickers --json | jq -r .target",
)
def organize_(
    ctx: typer.Context,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The folder for the groups; it need not exist yet.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry the plan out; hashindex undo takes it back.")] = False,
    mode: Annotated[
        Action, typer.Option(help="copy keeps the originals; move makes a chat client fetch or miss them.")
    ] = Action.COPY,
    rest: Annotated[bool, typer.Option("--rest", help="Also number the pictures that are in no group.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also place again what was deleted, moved or renamed in DEST.")
    ] = False,
    from_client_cache: Annotated[
        bool, typer.Option("--from-client-cache", help="With --mode move: also out of a chat client's own folders.")
    ] = False,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
) -> None:
    """Place pictures by group: a number a group, 00012.gif, 00012_1.jpg, and so on.

    Without --apply this prints what it would do and changes nothing. The keeper has the bare number, every file the
    suffix that its content calls for. A later run only adds: a new copy of group 12 becomes 00012_2, nothing in DEST
    is renamed or replaced, and what was placed once is not placed again. copy, hardlink and symlink place one file of
    each content, move takes every file.
    """
    session = session_of(ctx)
    how: dict[str, Any] = {"action": mode, "rest": rest, "again": again} | grouping_arguments(
        session.settings, level, hash, radius, passes, keep, engine
    )
    if not apply:
        plan = session.index.plan(dest, **how)
        for step in plan.steps:
            print(render.step_json(step) if session.json else render.step_text(step))
        print(render.plan_summary_json(plan) if session.json else render.plan_summary_text(plan))
        for note in render.plan_notes(plan):
            session.say(note)
        return

    def on_step(step: Step) -> None:
        if session.json:
            print(render.step_json(step))
        elif not session.quiet:
            print(render.step_text(step))

    with _deferred_interrupt() as stop:
        organized = session.index.organize(dest, **how, from_client_cache=from_client_cache, stop=stop, on_step=on_step)
    for batch in organized.recovered:
        session.say(render.recovered_text(batch))
    plan, outcome = organized.plan, organized.outcome
    _show_refusals(session, outcome)
    if session.json:
        print(render.organized_json(plan, outcome))
    elif outcome.batch is not None or not session.quiet:
        print(render.organized_text(plan, outcome))
    for note in render.plan_notes(plan):
        session.say(note)
    _end(session, outcome)


PicturesArgument = Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Two files or more.")]
UndoOption = Annotated[bool, typer.Option("--undo", help="Take that back.")]


@_command("hashindex same a.gif b.gif", "hashindex same a.gif b.gif --undo")
def same_(ctx: typer.Context, pictures: PicturesArgument, undo: UndoOption = False) -> None:
    """Say that pictures are one and the same: they are copies from now on, whatever the judge thinks.

    It is kept by content, not by name, and goes before every verdict in groups, organize and query.
    """
    _say(session_of(ctx), pictures, undo, same=True)


@_command("hashindex separate cat1.gif cat2.gif", "hashindex separate cat1.gif cat2.gif --undo")
def separate_(ctx: typer.Context, pictures: PicturesArgument, undo: UndoOption = False) -> None:
    """Say that pictures do not belong together: no two of them are in one group from now on.

    It is kept by content, not by name, and goes before every verdict in groups, organize and query.
    """
    _say(session_of(ctx), pictures, undo, same=False)


def _say(session: Session, pictures: list[str], undo: bool, *, same: bool) -> None:
    if len(pictures) < 2:
        raise UsageError("Name two pictures or more.")
    if undo:
        count = session.index.take_back(*pictures, same=same)
    else:
        count = len(session.index.same(*pictures) if same else session.index.separate(*pictures))
    print(render.said_json(count, same, undo) if session.json else render.said_text(count, same, undo))
    if undo and not count:
        raise typer.Exit(NOTHING_FOUND)


@_command(
    "hashindex words",
    "hashindex words --export words.jsonl",
    "hashindex words --import words.jsonl",
)
def words_(
    ctx: typer.Context,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them as JSON lines; - is standard output.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add those of such a file; - is standard input.")
    ] = None,
) -> None:
    """List what same and separate said, the oldest first; carry it to another catalogue.

    Pictures are named by the SHA-256 of their bytes, so it holds wherever the same pictures are.
    """
    from hashindex.words import from_lines, to_lines

    session = session_of(ctx)
    if import_ is not None:
        text = _text_of(import_)
        words = from_lines(text.splitlines(), str(import_))
        session.index.add_words(words)
        print(render.imported_json(len(words)) if session.json else f"Read {len(words):,} words.")
        return
    words = session.index.words()
    if export is not None and str(export) != "-":
        _write_text(export, "".join(f"{line}\n" for line in to_lines(words)))
        session.say(f"Wrote {len(words):,} words.")
        return
    for line in to_lines(words) if session.json or export is not None else map(render.word_text, words):
        print(line)
    if not words:
        session.say("Nothing was said yet; see hashindex same and hashindex separate.")


def _text_of(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8.") from None


def _write_text(path: Path, text: str) -> None:
    try:
        # The owner's alone, as everything is that names a person's pictures.
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            target.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error


@_command("hashindex undo", "hashindex undo 3")
def undo_(
    ctx: typer.Context,
    batch: Annotated[
        int | None, typer.Argument(metavar="BATCH", help="Which one, see hashindex history; the last if none.")
    ] = None,
) -> None:
    """Take an organize --apply back, last file first.

    What has changed since is left as it is and said; the rest goes on. A copy whose original is gone is kept.
    """
    session = session_of(ctx)
    with _deferred_interrupt() as stop:
        outcome = session.index.undo(batch, stop=stop)
    _show_refusals(session, outcome)
    print(render.undone_json(outcome) if session.json else render.undone_text(outcome))
    _end(session, outcome)


@_command("hashindex history", "hashindex history --json")
def history_(ctx: typer.Context) -> None:
    """List every organize --apply, oldest first: when, where, how many files, and what became of it."""
    session = session_of(ctx)
    batches = session.index.history()
    for batch in batches:
        print(render.batch_json(batch) if session.json else render.batch_text(batch))
    if not batches:
        session.say("Nothing was organized yet.")


@_command("hashindex recover")
def recover_(ctx: typer.Context) -> None:
    """End what a killed organize or undo left open, by what the disk says.

    Every organize --apply and undo does so by itself. Each picture is then in one place and the history is true. Where
    the disk does not say what became of a picture (a drive is not there, a file cannot be read) the batch stays open,
    with the reason, and nothing is guessed.
    """
    session = session_of(ctx)
    batches = session.index.recover()
    for batch in batches:
        print(render.batch_json(batch) if session.json else render.recovered_text(batch))
    if not batches:
        session.say("Nothing was left open.")
    if any(batch.trouble is not None for batch in batches):
        raise typer.Exit(HAD_PROBLEMS)


@_command(
    "hashindex report report.html",
    "hashindex report ~/report.html --contact-sheet ~/sheet.png --hash dhash --radius 2",
)
def report_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The page to write, as report.html.")],
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", metavar="PNG", help="Also draw the groups into one picture.")
    ] = None,
    level: LevelOption = None,
    hash: HashOption = None,
    radius: RadiusOption = None,
    passes: PassesOption = None,
    keep: KeepOption = None,
    engine: EngineOption = None,
) -> None:
    """Write the groups as one page to look at, with thumbnails.

    It opens from disk, needs no network, and speaks English or Chinese. An earlier report is replaced; any other file
    of that name is left alone.
    """
    # Only this command draws; a query should not wait for the modules.
    from hashindex.contact_sheet import write_contact_sheet
    from hashindex.report import write_report

    session = session_of(ctx)
    groups = session.index.groups(**grouping_arguments(session.settings, level, hash, radius, passes, keep, engine))
    limits, workers = session.limits(), session.settings.workers
    with progress.counted(session.quiet, "thumbnails") as on_progress:
        page = write_report(groups, file, limits=limits, workers=workers, on_progress=on_progress)
        written = [page]
        if sheet is not None:
            written.append(write_contact_sheet(groups, sheet, limits=limits, workers=workers, on_progress=on_progress))
    for summary in written:
        print(render.report_json(summary) if session.json else render.report_text(summary))


@_command(
    "hashindex watch                          # every folder scanned before",
    "hashindex watch ~/QQ/Pic --json",
    "hashindex watch --organize ~/Stickers --every 1d",
    "hashindex watch --notify 'notify-picture --stdin'",
)
def watch_(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to watch; all known ones if none.")
    ] = None,
    client: ClientOption = None,
    organize: Annotated[
        str | None, typer.Option(metavar="DEST", help="Organize into this folder now and then, as with --apply.")
    ] = None,
    every: Annotated[str, typer.Option(metavar="TIME", help="How often to organize: 30m, 12h, 1d, 1w.")] = "1d",
    mode: Annotated[
        Action, typer.Option(help="How to organize; move makes a chat client fetch or miss the files.")
    ] = Action.COPY,
    from_client_cache: Annotated[
        bool, typer.Option("--from-client-cache", help="With --mode move: also out of a chat client's own folders.")
    ] = False,
    rest: Annotated[bool, typer.Option("--rest", help="Also number the pictures that are in no group.")] = False,
    notify: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run this for each change, its JSON on standard input.")
    ] = None,
    settle: Annotated[
        str, typer.Option(metavar="TIME", help="How long a file must hold still before it is read.")
    ] = "1s",
    sweep: Annotated[
        str, typer.Option(metavar="TIME", help="How often to look through all folders, whatever events say.")
    ] = "5m",
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes that read a burst. [default: all]")
    ] = None,
) -> None:
    """Keep the catalogue in step with folders while pictures come and go, until Ctrl-C.

    Looks through the folders first, then follows what happens there, and looks through them again every few minutes.
    A file is read when it is whole. Each new picture is shown with what it is a copy of. Other commands work beside
    it; one catalogue has one hashindex watch. SIGHUP reads the settings again.
    """
    from hashindex.watch_command import run_watch, watch_options

    session = session_of(ctx)
    chosen = [*(folders or ()), *map(os.fsdecode, session.index.client_roots(client or ()))]

    def options(settings: Settings) -> "WatchOptions":
        how = {"action": mode, "rest": rest, "from_client_cache": from_client_cache}
        return watch_options(session, settings, chosen, organize, every, how, notify, settle, sweep, workers)

    given = ctx.obj
    interrupted = run_watch(
        session,
        options(session.settings),
        wait_s=given["wait"] or 0.0,
        reread=lambda: options(read_settings(given["config"])),
    )
    if interrupted:
        raise typer.Exit(INTERRUPTED)


@_command("hashindex status", "hashindex status --json")
def status_(ctx: typer.Context) -> None:
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


@_command("hashindex doctor", "hashindex doctor --json | jq -r 'select(.severity == \"problem\") | .says'")
def doctor_(ctx: typer.Context) -> None:
    """Look at everything hashindex needs, and say what is wrong and what to do about it.

    Programs, the catalogue's soundness, folders that cannot be read, free space, limits of watching, what a crash left
    behind. Changes nothing. Exit code 1 if there is a problem.
    """
    session = session_of(ctx)
    findings = session.index.doctor()
    for finding in findings:
        print(render.finding_json(finding) if session.json else render.finding_text(finding))
    if not session.json:
        print(render.findings_text(findings))
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise typer.Exit(SOMETHING_WRONG)


@_command("hashindex check", "hashindex check --full", "hashindex check --json | jq -r .says")
def check_(
    ctx: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="Every file and every neighbour, not some drawn by lot.")
    ] = False,
) -> None:
    """Check the catalogue: its pages, its hashes and neighbours, and whether files still hold the bytes it knows.

    A quick check takes some seconds and draws 100 files by lot; --full reads and decodes every picture, as a first scan
    does. Mends nothing; where a new catalogue is needed, it leaves word for the next scan. Exit code 1 if there is a
    problem; each comes with the way out.
    """
    session = session_of(ctx)
    with progress.counted(session.quiet, "files") as on_progress:
        findings = session.index.check(full=full, on_progress=on_progress)
    for finding in findings:
        print(render.finding_json(finding) if session.json else render.finding_text(finding))
    if not session.json:
        print(render.findings_text(findings))
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise typer.Exit(SOMETHING_WRONG)


@_command("hashindex backup ~/catalogue-2026-11.db")
def backup_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; one that is there is never replaced.")],
) -> None:
    """Copy the catalogue into a file, while hashindex watch and others go on writing.

    To go back to it: stop hashindex watch, move the catalogue and what lies beside it (NAME-wal, NAME-shm) away, and
    put the copy in its place. No picture is in it.
    """
    session = session_of(ctx)
    written = session.index.backup(file)
    print(render.backup_json(file, written) if session.json else render.backup_text(file, written))


service_app = typer.Typer(
    help="Keep hashindex watch running in the background, from each login on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(service_app, name="service")


@_command(
    "hashindex service install                          # every folder scanned before",
    "hashindex service install ~/QQ/Pic --organize ~/Stickers --every 1d",
    "hashindex service install --print                  # show it, write nothing",
    to=service_app,
    allow_extra_args=True,
    ignore_unknown_options=True,
)
def install_(
    ctx: typer.Context,
    show: Annotated[bool, typer.Option("--print", help="Show what would be written and run; write nothing.")] = False,
) -> None:
    """Start hashindex watch now, and from now on whenever you log in.

    Takes the folders and options of hashindex watch. A systemd unit, a LaunchAgent or a start-up entry of yours is
    written; no special rights are needed. An earlier one is replaced.
    """
    from hashindex import service_command

    session = session_of(ctx)
    watch = service_command.watch_arguments(typer.main.get_command(app), ctx.args)
    service = service_command.service(session, ctx.obj["config"], watch)
    if show:
        print(service_command.preview(service, session.json))
        return
    service.install()
    print(service_command.told(service, "Installed and started", session.json))
    session.say(f"{service.entry.note}.")


@_command("hashindex service uninstall", to=service_app)
def uninstall_(ctx: typer.Context) -> None:
    """Stop the service and remove what install wrote. The catalogue and your settings stay."""
    from hashindex import service_command

    session = session_of(ctx)
    service = service_command.service(session)
    what = "Stopped and removed" if service.uninstall() else "Nothing to remove: not installed"
    print(service_command.told(service, what, session.json))


@_command("hashindex service start", to=service_app)
def start_(ctx: typer.Context) -> None:
    """Start the installed service."""
    from hashindex import service_command

    session = session_of(ctx)
    service = service_command.service(session)
    service.start()
    print(service_command.told(service, "Started", session.json))


@_command("hashindex service stop", to=service_app)
def stop_(ctx: typer.Context) -> None:
    """Stop the service until the next login, or until it is started."""
    from hashindex import service_command

    session = session_of(ctx)
    service = service_command.service(session)
    service.stop()
    print(service_command.told(service, "Stopped", session.json))


@_command("hashindex service status", "hashindex service status --json", to=service_app, name="status")
def service_status_(ctx: typer.Context) -> None:
    """Say whether the service is installed and running. Exit code 1 if it is not running.

    What it does, its queue and its last trouble are shown by hashindex status.
    """
    from hashindex import service_command

    session = session_of(ctx)
    text, running = service_command.status(service_command.service(session), session.json)
    print(text)
    if not running:
        raise typer.Exit(NOTHING_FOUND)


@_command("hashindex service logs", to=service_app)
def logs_(ctx: typer.Context) -> None:
    """Show the last lines that the service wrote."""
    from hashindex import service_command

    session = session_of(ctx)
    lines = service_command.service(session).logs()
    for line in lines.splitlines():
        print(render.show_text(line))
    if not lines:
        session.say("It has written nothing yet.")


@_command("hashindex problems", "hashindex problems --json | jq -r .path")
def problems_(ctx: typer.Context) -> None:
    """List every file and folder that could not be taken in, and why."""
    session = session_of(ctx)
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
    session = session_of(ctx)
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
    import tempfile

    from hashindex.samples import make_samples

    session = session_of(ctx)
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


def _show_refusals(session: Session, outcome: Outcome) -> None:
    for refusal in outcome.refused:
        if session.json:
            print(render.refusal_json(refusal))
        else:
            print(render.refusal_text(refusal), file=sys.stderr)


def _end(session: Session, outcome: Outcome) -> None:
    """The exit code of a batch, with a sentence where it stopped early."""
    if outcome.stopped is not None:
        print(f"hashindex: {render.show_text(render.stopped_text(outcome))}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED if outcome.stopped == STOPPED_BY_PERSON else HashIndexError.exit_code)
    if outcome.refused:
        raise typer.Exit(HAD_PROBLEMS)


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end a batch after the current file. Yields what tells whether one of them came.

    A second one ends it at once, as where it is still waiting for the lock; the journal is put in order then too.
    """
    came = False

    def note(number: int, frame: object) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
