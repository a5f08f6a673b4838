"""Options that several commands share, and the grouping that they and the settings give."""

from typing import Annotated, Any

import typer

from hashindex.commands.session import Session
from hashindex.core.errors import UsageError
from hashindex.core.options import Level
from hashindex.core.settings import Settings
from hashindex.index.clusters import Engine
from hashindex.index.grouping import DEFAULT_HASH, Grouping

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
    ),
]
RadiusOption = Annotated[
    int | None, typer.Option(metavar="BITS", help="Most bits that may differ. [default: depends on the hash]")
]
PassesOption = Annotated[
    str | None,
    typer.Option(
        metavar="BITS,...",
        help="Several radii, such as 8,11,14,17: each pass groups the pictures that are still in no group.",
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
    typer.Option(help="How to search hashes: a BK-tree or packed keys. The groups are the same. [default: auto]"),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes that read and compare pictures. [default: one per processor]"),
]
MirroredOption = Annotated[bool, typer.Option("--mirrored", help="Also find mirror images.")]
RotatedOption = Annotated[bool, typer.Option("--rotated", help="Also find pictures rotated by 90, 180 or 270 degrees.")]


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
    """How to group. Command-line options override the settings.

    settings: those of the session if None. Their hash, radius, passes and engine apply only at Level.RADIUS. Their
    radius and passes apply only to their hash.
    """
    settings = settings or session.settings
    radii = _radii(passes)
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
        keep=keep or settings.keep,
        engine=engine or Engine.AUTO,
        mirrored=mirrored,
        rotated=rotated,
        limits=session.limits(settings),
        workers=workers or settings.workers,
        **chosen,
    )


def _radii(passes: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(radius) for radius in passes.split(",")) if passes else ()
    except ValueError:
        raise UsageError(
            f"--passes takes whole numbers separated by commas, such as 8,11,14,17, not {passes!r}."
        ) from None
