"""Options that several commands share, and the grouping and the selection that they and the settings give."""

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashindex.commands.help import EXPERTS
from hashindex.commands.session import Session
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.name_template import DEFAULT_NAME
from hashindex.core.options import DEFAULT_HASH, Engine, Level, Sort
from hashindex.core.organizing import Action
from hashindex.core.settings import Settings
from hashindex.output.text.terminal import Thumbnails

if TYPE_CHECKING:
    from hashindex.index.grouping import Grouping
    from hashindex.index.selection import Selection


class Mode(enum.StrEnum):
    """The values of --mode: those of PLACING, as an enum for typer."""

    COPY = Action.COPY
    HARDLINK = Action.HARDLINK
    SYMLINK = Action.SYMLINK
    MOVE = Action.MOVE


LevelOption = Annotated[
    Level | None,
    typer.Option(metavar="LEVEL", help="What to group: copies, or similar (copies and variants). [default: copies]"),
]
ClientOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="The picture folders of a chat client: qq, tim, wechat, discord or telegram; repeatable."
    ),
]
HashOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"Compare hashes only: phash, dhash, ahash, whash, phash256 or dhash256. [default: {DEFAULT_HASH}]",
        rich_help_panel=EXPERTS,
    ),
]
RadiusOption = Annotated[
    int | None,
    typer.Option(
        metavar="BITS", help="Most bits that may differ. [default: depends on the hash]", rich_help_panel=EXPERTS
    ),
]
PassesOption = Annotated[
    str | None,
    typer.Option(
        metavar="BITS,...",
        help="Several radii, such as 8,11,14,17: each pass groups the pictures that are still in no group.",
        rich_help_panel=EXPERTS,
    ),
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
    typer.Option(
        help="How to search hashes: a BK-tree or packed keys. The groups are the same. [default: auto]",
        rich_help_panel=EXPERTS,
    ),
]
ThumbnailsOption = Annotated[
    Thumbnails,
    typer.Option(
        metavar="WHEN",
        help="Pictures in the terminal: auto (if it can show them; needs the extra thumbnails), blocks (of colour) or "
        "never.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes that read and compare pictures. [default: one per processor]"),
]
GROUPING: dict[str, Any] = {
    "level": LevelOption,
    "hash": HashOption,
    "radius": RadiusOption,
    "passes": PassesOption,
    "keep": KeepOption,
    "engine": EngineOption,
    "workers": WorkersOption,
}
"""The options of the commands that make groups (@command(grouping=True))."""
SELECTION: dict[str, Any] = {
    "under": Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Only groups with a picture below this folder.")
    ],
    "between": Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="FOLDER FOLDER", help="Only groups with a picture below each of these two folders."),
    ],
    "words": Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Only groups with a picture that hashindex find finds by these words."),
    ],
    "min_bytes": Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Only groups whose pictures beside the keeper have N bytes or more."),
    ],
    "sort": Annotated[
        Sort | None,
        typer.Option(
            help="What comes first: space (most bytes beside the keeper), members (most pictures) or path. "
            "[default: space]"
        ),
    ],
    "limit": Annotated[int | None, typer.Option(metavar="N", min=1, help="Most groups to show. [default: all]")],
}
"""The options of the commands that show groups (@command(selection=True))."""
RestOption = Annotated[bool, typer.Option("--rest", help="Also place pictures that are in no group.")]
KeepersOption = Annotated[
    bool, typer.Option("--keepers", help="Place only the keeper of each group; with --rest also pictures in no group.")
]
NameOption = Annotated[
    str | None,
    typer.Option(metavar="TEMPLATE", help=f"Name of each new file, without extension. [default: {DEFAULT_NAME}]"),
]
FolderOption = Annotated[
    str | None,
    typer.Option(metavar="TEMPLATE", help="Folder below DEST of each new file, such as {date:%Y}/{kind}."),
]
MirroredOption = Annotated[bool, typer.Option("--mirrored", help="Also find mirror images.")]
RotatedOption = Annotated[bool, typer.Option("--rotated", help="Also find pictures rotated by 90, 180 or 270 degrees.")]


def grouping_of(session: Session, *, settings: Settings | None = None, **more: Any) -> "Grouping":
    """How to group, by the options in GROUPING. Command-line options override the settings.

    settings: those of the session if None. Their hash, radius, passes and engine apply only at Level.RADIUS. Their
    radius and passes apply only to their hash. more: values of options that are not in session.given, such as mirrored.
    """
    from hashindex.index.grouping import Grouping

    settings = settings or session.settings
    given = {**session.given, **more}
    level, hash, radius, engine = (given.get(name) for name in ("level", "hash", "radius", "engine"))
    mirrored, rotated = given.get("mirrored", False), given.get("rotated", False)
    radii = _radii(given.get("passes"))
    by_radius = hash is not None or radius is not None or bool(radii)
    # Only the judge finds mirrored and rotated pictures, so these options override a level in the settings.
    if level is None and not by_radius and not (mirrored or rotated):
        level = settings.level
    chosen: dict[str, Any] = {"hash": hash, "radius": radius, "passes": radii}
    if level is Level.RADIUS or (level is None and by_radius):
        default_hash = settings.hash or DEFAULT_HASH
        chosen["hash"] = hash or default_hash
        if radius is None and not radii and chosen["hash"] == default_hash:
            chosen |= {"radius": settings.radius, "passes": settings.passes}
        engine = engine or Engine(settings.engine)
    return Grouping(
        level=level,
        keep=given.get("keep") or settings.keep,
        engine=engine or Engine.AUTO,
        mirrored=mirrored,
        rotated=rotated,
        limits=session.limits(settings),
        workers=given.get("workers") or settings.workers,
        **chosen,
    )


def selection_of(session: Session, pictures: Sequence[str] = ()) -> "Selection":
    """Which groups to show, by the options in SELECTION."""
    from hashindex.index.selection import Selection

    given = {name: session.given[name] for name in SELECTION if session.given[name] is not None}
    words = given.pop("words", None)
    if words is not None:
        if pictures:
            raise UsageError(Message("Give pictures or --words, not both."))
        found = session.index.find(words, limit=None)
        pictures = [file.path for picture in found for file in picture.files]
        if not pictures:
            raise UsageError(Message("No picture has the words {words!r}; see hashindex find.", words=words))
    return Selection(pictures=pictures, **given)


def templates_of(settings: Settings, name: str | None, folder: str | None) -> dict[str, str]:
    """The templates of HashIndex.organize. Command-line options override the settings."""
    return {
        "name": settings.name if name is None else name,
        "folder": settings.folder if folder is None else folder,
    }


def _radii(passes: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(radius) for radius in passes.split(",")) if passes else ()
    except ValueError:
        raise UsageError(
            Message(
                "--passes takes whole numbers separated by commas, such as 8,11,14,17, not {given!r}.", given=passes
            )
        ) from None
