"""Draws random pairs of pictures that were judged copies or variants, for inspection by a person.

    python benchmarks/judged_pairs.py FOLDER SHEET.jpg --relation copy|variant [--pairs 60] [--seed 1] [--exclude GLOB]

Scans FOLDER into a temporary catalogue and draws numbered pairs with the probabilities of a copy and of a similar
picture. An animation is represented by its middle frame. Prints the file names of each number. Pairs with equal bytes
are neither judged nor drawn.
"""

import argparse
import os
import random
import tempfile
from pathlib import Path

from common import count, folder
from PIL import Image, ImageDraw

from hashindex import HashIndex, ScanOptions, WalkRules
from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.pictures.frames import small_frames
from hashindex.store.catalogue import Catalogue

SIDE = 112
ACROSS = 5
GAP = 12
HEAD = 14
RELATIONS = {"copy": (Relation.COPY, Relation.IDENTICAL), "variant": (Relation.VARIANT,)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("sheet", type=Path, metavar="SHEET.jpg", help="the picture to write")
    parser.add_argument("--relation", choices=RELATIONS, required=True)
    parser.add_argument("--pairs", type=count, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="folders to leave out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "catalogue.db")
        rules = WalkRules(hidden=True, exclude=tuple(arguments.exclude))
        HashIndex(path).scan([arguments.folder], ScanOptions(rules=rules))
        with Catalogue(path) as catalogue:
            wanted = RELATIONS[arguments.relation]
            ids = {id for one in catalogue.verdicts.alike(min(wanted)) for id in (one.a, one.b)}
            judged = sorted(found for found in catalogue.verdicts.among(ids) if found.relation in wanted)
            chosen = random.Random(arguments.seed).sample(judged, min(arguments.pairs, len(judged)))
            found_files = catalogue.files_of({id for found in chosen for id in found[:2]})
            paths = {id: files[0].path_bytes for id, files in found_files.items()}
        print(f"{len(chosen)} of {len(judged):,} pairs judged {arguments.relation}")
        sheet(chosen, paths).save(arguments.sheet, quality=80)
        for number, found in enumerate(chosen, 1):
            names = (os.path.relpath(os.fsdecode(paths[id]), arguments.folder) for id in found[:2])
            print(number, *names, f"{found.copy:.2f} {found.similar:.2f}", sep="\t")


def sheet(pairs: list[Verdict], paths: dict[int, bytes]) -> Image.Image:
    rows = -(-len(pairs) // ACROSS)
    drawn = Image.new("RGB", (ACROSS * (2 * SIDE + GAP), rows * (SIDE + HEAD + 4)), "#dddddd")
    pen = ImageDraw.Draw(drawn)
    for number, found in enumerate(pairs):
        x, y = number % ACROSS * (2 * SIDE + GAP), number // ACROSS * (SIDE + HEAD + 4)
        pen.text((x + 2, y + 1), f"{number + 1}   {found.copy:.2f} {found.similar:.2f}", "black")
        for place, id in enumerate(found[:2]):
            frames = small_frames(Path(os.fsdecode(paths[id])).read_bytes(), Limits(), SIDE, 9)
            picture = frames[len(frames) // 2][0].convert("RGBA")
            ground = Image.new("RGB", (SIDE, SIDE), "white")
            ground.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2), picture)
            drawn.paste(ground, (x + place * (SIDE + 1), y + HEAD))
    return drawn


if __name__ == "__main__":
    main()
