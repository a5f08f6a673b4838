"""Writes groups as one HTML page that opens from disk and loads nothing from a network: `page/` without a server.

File names are not trusted. They are embedded as JSON without <, > and &, and shown by textContent. The content
security policy allows only the page's own script and style, by their hashes, and pictures of this computer, which the
page shows when two are compared at full size.
"""

import base64
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

from hashindex import __version__
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, in_language, local
from hashindex.core.model import Group, Member, ReportSummary
from hashindex.core.options import Level, Limits, Sort
from hashindex.core.words import PictureWords
from hashindex.disk import files
from hashindex.hashing.recipes import RECIPES
from hashindex.output.page.bundle import report_page
from hashindex.output.text.common import show_path
from hashindex.pictures.thumbnails import Thumbnail, ThumbnailJob, ThumbnailSize, thumbnails
from hashindex.pictures.worker_pool import available_processors

GENERATOR: Final = b'<meta name="generator" content="hashindex '
"""The first KiB of each report contains it. A file without it is not overwritten."""

SLICE: Final = 64
"""Thumbnails in one block of the page. The browser parses a block when it shows a thumbnail of it."""

SIZES: Final = ((1_500, ThumbnailSize(144, 12)), (6_000, ThumbnailSize(112, 10)))
SMALLEST: Final = ThumbnailSize(96, 8)
"""Sizes of thumbnails by the largest number of contents. With large ones throughout, a page could have 200 MB."""


_LANGUAGES: Final = ("en", "zh")
"""The languages of page/words.json."""


def check_page(file: Path) -> None:
    """UsageError unless the name ends in .html or .htm."""
    if file.suffix.lower() not in (".html", ".htm"):
        raise UsageError(Message("{file}: a report is a page in HTML; give it a name that ends in .html.", file=file))


def write_report(
    groups: Sequence[Group],
    file: Path,
    *,
    limits: Limits,
    sort: Sort = Sort.SPACE,
    title: str = "",
    workers: int | None = None,
    made_ns: int | None = None,
    words: Mapping[int, PictureWords] = MappingProxyType({}),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReportSummary:
    """Writes the page, readable by its owner only. An earlier report is replaced when the new one is complete.

    sort: the order in which the page shows the groups at first. title: "" for the default title in the browser's
    language. words: of contents, by id. on_progress: called with the number of thumbnails done and of all. Pictures
    that are gone, changed or unreadable get a placeholder. UsageError if the file exists and is not a report, or if its
    folder does not exist. Starts worker processes. Time: see benchmarks/report.py.
    """
    wanted = contents_of(groups)
    numbers = {each.digest: number for number, each in enumerate(wanted)}
    size = next((size for most, size in SIZES if len(wanted) <= most), SMALLEST)
    data = {
        "version": __version__,
        "made": (time.time_ns() if made_ns is None else made_ns) // 1_000_000,
        "title": title,
        "separator": os.sep,
        "sort": sort,
        "level": groups[0].level if groups else Level.COPIES,
        "slice": SLICE,
        "contents": _contents(groups, numbers),
        "groups": [_group(group, numbers) for group in groups],
        "words": _words(groups, numbers, words),
    }
    head, tail = report_page(embedded(data))
    failed = 0
    with replacing(file, Message("report"), GENERATOR) as target:
        target.write(head.encode("utf-8"))
        block: list[Mapping[str, object]] = []
        made = thumbnails(wanted, size, limits, workers or available_processors())
        for number, thumbnail in enumerate(made):
            failed += thumbnail.trouble is not None
            block.append(_thumbnail(thumbnail))
            if len(block) == SLICE or number + 1 == len(wanted):
                name = number // SLICE
                target.write(b'<script type="application/json" id="t%d">%s</script>\n' % (name, _ascii(block)))
                block = []
            on_progress(number + 1, len(wanted))
        target.write(tail.encode("utf-8"))
        length = target.tell()
    return ReportSummary(file, len(groups), sum(len(group.members) for group in groups), failed, length)


def contents_of(groups: Sequence[Group]) -> list[ThumbnailJob]:
    """Each content once, in the order of the groups, with all of its files."""
    paths: dict[bytes, list[bytes]] = {}
    for group in groups:
        for member in group.members:
            paths.setdefault(member.file.content.digest, []).append(member.file.path_bytes)
    return [ThumbnailJob(digest, tuple(held)) for digest, held in paths.items()]


def embedded(value: object) -> str:
    """JSON for a script element of HTML: ASCII, without <, > and &."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@contextmanager
def replacing(file: Path, what: str, mark: bytes) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces `file` when it is complete; readable by its owner only.

    A link is followed. mark: an existing file is replaced only if its first KiB contains these bytes. UsageError if it
    does not, or if the file cannot be written.
    """
    target = os.path.realpath(file)
    check_replaceable(file, what, mark)
    part = os.path.join(os.path.dirname(target), f".{os.path.basename(target)[:100]}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(part, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            # Checked again: another program may have written this file in the meantime.
            check_replaceable(file, what, mark)
            os.replace(part, target)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        reason = files.system_reason(error)
        raise UsageError(
            Message(
                "{file}: the {what} cannot be written there: {reason}.", file=_named(file), what=what, reason=reason
            )
        ) from error


def check_replaceable(file: Path, what: str, mark: bytes) -> None:
    """UsageError if the folder does not exist, or if the file exists and its first KiB does not contain `mark`."""
    target = os.fsencode(os.path.realpath(file))
    if not os.path.isdir(os.path.dirname(target)):
        raise UsageError(Message("{file}: there is no such folder; make it first or name another.", file=_named(file)))
    try:
        with files.opened(target) as old:
            ours = mark in old.read(1024)
    except FileNotFoundError:
        return
    except OSError:
        ours = False
    if not ours:
        raise UsageError(
            Message(
                "{file} exists already and is not a {what} of hashindex; name another file.",
                file=_named(file),
                what=what,
            )
        )


def _named(file: Path) -> str:
    return show_path(os.fsencode(file))


def _contents(groups: Sequence[Group], numbers: Mapping[bytes, int]) -> list[list[object]]:
    rows: list[list[object]] = [[] for _ in numbers]
    for group in groups:
        for member in group.members:
            content = member.file.content
            facts = [content.format, content.width, content.height, content.frames, content.duration_ms]
            rows[numbers[content.digest]] = facts
    return rows


def _words(
    groups: Sequence[Group], numbers: Mapping[bytes, int], words: Mapping[int, PictureWords]
) -> dict[int, PictureWords]:
    """Number of a content -> [its lines, its tags]; contents without words are left out."""
    contents = [member.file.content for group in groups for member in group.members]
    return {numbers[content.digest]: words[content.id] for content in contents if content.id in words}


def _group(group: Group, numbers: Mapping[bytes, int]) -> dict[str, object]:
    bits = next((recipe.bits for recipe in RECIPES if recipe.name == group.hash), 64)
    return {
        "id": group.id,
        "bits": bits,
        "widest": group.widest,
        "why": _spoken(group.why),
        "doubt": _spoken(group.doubt or ""),
        "members": [_member(member, numbers) for member in group.members],
    }


def _member(member: Member, numbers: Mapping[bytes, int]) -> list[object]:
    """[content, shown path, real path or 0 if equal, bytes, mtime in ms, distance, 1 if the file is gone, relation]"""
    file = member.file
    shown_path, real_path = show_path(file.path_bytes), _real_path(file.path_bytes)
    return [
        numbers[file.content.digest],
        shown_path,
        0 if real_path is None or real_path == shown_path else real_path,
        file.size,
        file.mtime_ns // 1_000_000,
        member.distance,
        0 if files.is_regular_file(file.path_bytes) else 1,
        None if member.relation is None else member.relation.label,
    ]


def _real_path(path: bytes) -> str | None:
    """The path as text, without escapes; None if it is not valid UTF-8."""
    text = os.fsdecode(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return text


def _spoken(message: str) -> str | dict[str, str]:
    """A message in each language of the page."""
    if not message:
        return ""
    texts = {}
    for name in _LANGUAGES:
        with in_language(name):
            texts[name] = local(message)
    return texts


def _thumbnail(thumbnail: Thumbnail) -> dict[str, object]:
    if thumbnail.trouble is not None:
        return {"trouble": thumbnail.trouble, "reason": _spoken(thumbnail.reason)}
    entry: dict[str, object] = {"width": thumbnail.width, "height": thumbnail.height}
    entry["still"] = base64.b64encode(thumbnail.still).decode("ascii")
    if thumbnail.moving:
        entry["moving"] = base64.b64encode(thumbnail.moving).decode("ascii")
    return entry


def _ascii(value: object) -> bytes:
    return embedded(value).encode("ascii")
