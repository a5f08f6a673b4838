"""Draws random groups of copies with the picture that is kept first, for inspection by a person.

    python benchmarks/keeper_sheet.py FOLDER SHEET.jpg [--groups 40] [--seed 1] [--exclude GLOB]

Scans FOLDER into a temporary catalogue. Each row is a group with two different contents or more: the kept picture, then
up to five others, each with its size, format and faults. Every picture is scaled to one box, so that a copy of fewer
pixels looks coarser. An animation is represented by its middle frame. Prints the sentence and the file names of each
number.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common import count, folder
from PIL import Image, ImageDraw

from hashindex import Group, HashIndex, Member, ScanOptions, WalkRules
from hashindex.core.options import Limits
from hashindex.pictures.frames import small_frames

SIDE = 150
SHOWN = 6
"""Most pictures of a group in the sheet."""
LINE = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("sheet", type=Path, metavar="SHEET.jpg", help="the picture to write")
    parser.add_argument("--groups", type=count, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="folders to leave out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        index = HashIndex(Path(temporary, "catalogue.db"))
        index.scan([given.folder], ScanOptions(rules=WalkRules(hidden=True, exclude=tuple(given.exclude))))
        found = [group for group in index.groups() if len(contents_of(group)) > 1]
        chosen = random.Random(given.seed).sample(found, min(given.groups, len(found)))
        sheet(chosen).save(given.sheet, quality=80)
        print(f"{len(chosen)} of {len(found):,} groups of different copies")
        for number, group in enumerate(chosen, 1):
            names = (os.path.relpath(os.fsdecode(one.file.path_bytes), given.folder) for one in contents_of(group))
            print(number, group.why, group.doubt or "", *names, sep="\t")


def contents_of(group: Group) -> list[Member]:
    """The members, without those that have the bytes of an earlier one."""
    return list({member.file.content.id: member for member in reversed(group.members)}.values())[::-1]


def sheet(groups: Sequence[Group]) -> Image.Image:
    height = SIDE + 3 * LINE
    drawn = Image.new("RGB", (SHOWN * (SIDE + 4), len(groups) * height), "#dddddd")
    pen = ImageDraw.Draw(drawn)
    for number, group in enumerate(groups):
        y = number * height
        title = f"{number + 1}  {group.why}" + (f"; look first: {group.doubt}" if group.doubt else "")
        pen.text((2, y), title, "black")
        for place, member in enumerate(contents_of(group)[:SHOWN]):
            x = place * (SIDE + 4)
            content = member.file.content
            pen.text((x + 2, y + LINE), f"{content.format} {content.width} x {content.height}", "black")
            pen.text((x + 2, y + 2 * LINE), ", ".join(member.faults)[:28], "black")
            drawn.paste(thumbnail(member), (x, y + 3 * LINE))
    return drawn


def thumbnail(member: Member) -> Image.Image:
    frames = small_frames(Path(os.fsdecode(member.file.path_bytes)).read_bytes(), Limits(), SIDE, 9)
    picture = frames[len(frames) // 2][0].convert("RGBA")
    scale = SIDE / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
    ground = Image.new("RGB", (SIDE, SIDE), "white")
    ground.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2), picture)
    return ground


if __name__ == "__main__":
    main()
