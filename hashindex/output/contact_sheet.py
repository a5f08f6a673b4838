"""Draws groups as one PNG, one row per group. Reads pictures for thumbnails."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from hashindex.core.language import Message, plural, sentence
from hashindex.core.model import Group, Member, ReportSummary
from hashindex.core.options import Limits
from hashindex.output.drawing import drawn_language, font_of, shortened, write
from hashindex.output.report import check_replaceable, contents_of, replacing
from hashindex.output.text.common import show_bytes, show_groups, show_path, show_pictures
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.thumbnails import Thumbnail, ThumbnailProblem, ThumbnailSize, opened, thumbnails
from hashindex.pictures.worker_pool import available_processors

MARK: Final = b"hashindex contact sheet"
"""In a text chunk in the first KiB of the PNG. A file without it is not overwritten."""

GROUPS: Final = 20
"""Most groups on a sheet; more go on further sheets."""
MEMBERS: Final = 14
"""Most pictures of a group. The sheet counts those that it does not show."""

FEWEST: Final = 4
MOST_ACROSS: Final = 7
"""Least and most pictures side by side; in between, as many as the largest group has."""
MARGIN: Final = 28
SIDE: Final = 136
CELL: Final = 169
CELL_HEIGHT: Final = SIDE + 62
HEAD_HEIGHT: Final = 44

GROUND, CARD, LINE, TILE = "#f5f4f0", "#ffffff", "#e3e0d8", "#f3f2ee"
TEXT, MUTED, ACCENT, SOFT = "#1f1f22", "#63626a", "#0a6b62", "#e6f3f0"


class _SheetRow(NamedTuple):
    group: Group
    members: tuple[Member, ...]
    across: int
    top: int

    @property
    def height(self) -> int:
        return HEAD_HEIGHT + -(-len(self.members) // self.across) * CELL_HEIGHT + 14


@drawn_language()
def write_contact_sheets(
    groups: Sequence[Group],
    file: Path,
    *,
    limits: Limits,
    most: int = GROUPS,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ReportSummary]:
    """Draws `most` groups on each sheet, at most 1,239 pixels wide: sheet.png, sheet-2.png, and so on.

    Each summary counts what was drawn. Names are shortened to fit their cell. Characters that no installed font has
    become question marks. Otherwise as write_report.
    """
    pages = [groups[start : start + most] for start in range(0, len(groups), most)] or [groups]
    names = [file, *(file.with_stem(f"{file.stem}-{number}") for number in range(2, len(pages) + 1))]
    for name in names:
        check_replaceable(name, Message("contact sheet"), MARK)
    pictures = sum(len(group.members) for group in groups)
    title = sentence("{groups}, {pictures}", groups=show_groups(len(groups)), pictures=show_pictures(pictures))
    rows_of = [_rows(page) for page in pages]
    wanted_of = [contents_of([row.group._replace(members=row.members) for row in rows]) for rows in rows_of]
    total, done = sum(map(len, wanted_of)), 0
    written = []
    for number, (name, rows, wanted) in enumerate(zip(names, rows_of, wanted_of, strict=True), 1):
        made = {}
        found = thumbnails(wanted, ThumbnailSize(SIDE, 1), limits, workers or available_processors())
        for each, thumbnail in zip(wanted, found, strict=True):
            made[each.digest] = thumbnail
            done += 1
            on_progress(done, total)
        page = sentence("sheet {number} of {all}", number=number, all=len(pages)) if len(pages) > 1 else ""
        written.append(_write_sheet(name, rows, (title, page), made, limits))
    return written


def _rows(groups: Sequence[Group]) -> list[_SheetRow]:
    """The groups of one sheet and their places."""
    across = max([FEWEST, *(min(MOST_ACROSS, len(group.members)) for group in groups)])
    rows: list[_SheetRow] = []
    top = MARGIN + 58
    for group in groups:
        rows.append(_SheetRow(group, group.members[:MEMBERS], across, top))
        top += rows[-1].height + 14
    return rows


def _write_sheet(
    file: Path, rows: Sequence[_SheetRow], titles: tuple[str, str], made: dict[bytes, Thumbnail], limits: Limits
) -> ReportSummary:
    """titles: at the left and at the right."""
    width = 2 * MARGIN + (rows[0].across if rows else FEWEST) * CELL
    bottom = rows[-1].top + rows[-1].height + 14 if rows else MARGIN + 58
    sheet = Image.new("RGB", (width, bottom + 14), GROUND)
    pen = ImageDraw.Draw(sheet)
    write(pen, (MARGIN, MARGIN - 4), "hashindex", 15, ACCENT)
    write(pen, (MARGIN, MARGIN + 16), titles[0], 22, TEXT)
    write(pen, (width - MARGIN - font_of(15).getlength(titles[1]), MARGIN + 22), titles[1], 15, MUTED)
    with IsolatedWorker(limits) as worker:
        for row in rows:
            _draw_row(sheet, row, made, worker)
    metadata = PngInfo()
    metadata.add_text("Software", MARK.decode("ascii"))
    with replacing(file, Message("contact sheet"), MARK) as target:
        sheet.save(target, "PNG", pnginfo=metadata, compress_level=6)
        length = target.tell()
    failed = sum(thumbnail.trouble is not None for thumbnail in made.values())
    return ReportSummary(file, len(rows), sum(len(row.members) for row in rows), failed, length)


def _draw_row(sheet: Image.Image, row: _SheetRow, made: dict[bytes, Thumbnail], worker: IsolatedWorker) -> None:
    pen = ImageDraw.Draw(sheet)
    group, left = row.group, MARGIN - 12
    pen.rounded_rectangle((left, row.top, sheet.width - left, row.top + row.height), 16, CARD, LINE)
    title = sentence("Group {number}", number=group.id)
    write(pen, (MARGIN + 4, row.top + 13), title, 17, TEXT)
    counts = sentence(
        "{pictures}, at most {bits} apart",
        pictures=show_pictures(len(group.members)),
        bits=_counted_bits(group.widest),
    )
    if len(group.members) > len(row.members):
        counts = sentence("{counts}; {hidden:,} not shown", counts=counts, hidden=len(group.members) - len(row.members))
    write(pen, (MARGIN + 18 + font_of(17).getlength(title), row.top + 15), counts, 14, MUTED)
    for number, member in enumerate(row.members):
        across, down = number % row.across, number // row.across
        x, y = MARGIN + across * CELL, row.top + HEAD_HEIGHT + down * CELL_HEIGHT
        thumbnail = made[member.file.content.digest]
        _draw_member(sheet, (x, y), group, member, thumbnail, opened(thumbnail, worker, SIDE))


def _draw_member(
    sheet: Image.Image,
    at: tuple[int, int],
    group: Group,
    member: Member,
    thumbnail: Thumbnail,
    picture: Image.Image | None,
) -> None:
    pen = ImageDraw.Draw(sheet)
    (x, y), content = at, member.file.content
    keeper = member is group.keeper
    box = (x + 4, y, x + CELL - 10, y + SIDE + 16)
    pen.rounded_rectangle(box, 10, SOFT if keeper else TILE, ACCENT if keeper else None, 3 if keeper else 0)
    centre = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
    if picture is not None:
        sheet.paste(picture, (centre[0] - picture.width // 2, centre[1] - picture.height // 2), picture)
    else:
        note = sentence("no thumbnail ({reason})", reason=_TROUBLES[thumbnail.trouble or ThumbnailProblem.UNREADABLE])
        write(pen, (centre[0] - font_of(12).getlength(note) / 2, centre[1] - 8), note, 12, MUTED)
    name = show_path(os.path.basename(member.file.path_bytes))
    width = box[2] - box[0] - 4
    write(pen, (box[0] + 2, box[3] + 4), shortened(name, 13, width), 13, TEXT)
    if keeper:
        mark = sentence("keep")
    elif content.digest == group.keeper.file.content.digest:
        mark = sentence("same bytes")
    else:
        mark = sentence("same pixels") if member.distance is None else _counted_bits(member.distance)
    facts = f"{mark}, {content.width} x {content.height}, {show_bytes(member.file.size)}"
    write(pen, (box[0] + 2, box[3] + 21), shortened(facts, 12, width), 12, ACCENT if keeper else MUTED)


def _counted_bits(number: int) -> str:
    return plural(number, "{count} bit", "{count} bits")


_TROUBLES: Final = {
    ThumbnailProblem.GONE: Message("gone"),
    ThumbnailProblem.CHANGED: Message("changed"),
    ThumbnailProblem.UNREADABLE: Message("unreadable"),
}
