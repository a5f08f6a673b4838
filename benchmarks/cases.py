"""Draws families of nearly equal pictures and copies of each, and counts the errors of hashindex's groups.

    python benchmarks/cases.py [--kinds KIND ...] [--families N] [--copies N] [--seed N] [--keep FOLDER] [--list]

Each kind (case_drawings.py) is drawn into a separate folder, which the public API scans and groups at the level copies.
The table has these columns for every kind:

files          drawings and their copies
pairs          pairs of pictures of one family that are not copies, such as two chats with different words in one bubble
wrong          the number of these pairs that are in one group
copies         copies of a drawing: recompressed, resized, cropped a little, grey, dropped frames, trimmed, ...
missed         the number of copies that are not in the group of their drawing
of strangers   groups with pictures of two families

Half of the kinds are a hold-out set ("unseen"): they are not used to set bounds or to train trees.
"""

import argparse
import io
import operator
import os
import random
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import picture_edits
from case_drawings import SEEN, UNSEEN, Draw, Picture
from common import count, print_table
from PIL import Image, ImageEnhance, ImageFilter

from hashindex import HashIndex

LEGIBLE = 9
"""A mark keeps at least this height, in pixels, when a picture is reduced."""
SMALL = 14
"""Pictures with a smaller mark, in pixels, get gentle edits only: stronger edits make it illegible for people too."""


class Drawn(NamedTuple):
    """One file of a kind."""

    path: Path
    family: int
    picture: int
    copy: str
    """The edits of the drawing; empty for the drawing itself."""


# Copies of stills

Edit = Callable[[random.Random, Image.Image], Image.Image]


def through(image: Image.Image, kind: str, **options: int) -> Image.Image:
    target = io.BytesIO()
    image.save(target, kind, **options)
    with Image.open(target) as again:
        return again.convert("RGB")


def recompressed(rng: random.Random, image: Image.Image) -> Image.Image:
    return through(image, "JPEG", quality=rng.choice((40, 55, 70, 85)))


def gently_recompressed(rng: random.Random, image: Image.Image) -> Image.Image:
    return through(image, "JPEG", quality=rng.choice((75, 85, 92)))


def as_webp(rng: random.Random, image: Image.Image) -> Image.Image:
    return through(image, "WEBP", quality=rng.choice((60, 80)), method=0)


def fewer_colours(rng: random.Random, image: Image.Image) -> Image.Image:
    return image.quantize(rng.choice((48, 128, 256))).convert("RGB")


def grey(rng: random.Random, image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def cropped(rng: random.Random, image: Image.Image) -> Image.Image:
    """Crops up to 3 % of each side."""
    left, top, right, bottom = (rng.uniform(0, 0.03) for _ in range(4))
    box = image.width * left, image.height * top, image.width * (1 - right), image.height * (1 - bottom)
    return image.crop(tuple(map(round, box)))  # type: ignore[arg-type]


def bordered(rng: random.Random, image: Image.Image) -> Image.Image:
    edge = max(2, round(rng.uniform(0.01, 0.06) * min(image.size)))
    wide = Image.new("RGB", (image.width + 2 * edge, image.height + 2 * edge), rng.choice(("white", "black", "gray")))
    wide.paste(image, (edge, edge))
    return wide


def brighter(rng: random.Random, image: Image.Image) -> Image.Image:
    return ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(rng.uniform(0.85, 1.12))).enhance(
        rng.uniform(0.85, 1.12)
    )


def sharper(rng: random.Random, image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(1.2, 60, 2))


def blurred(rng: random.Random, image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.9)))


def watermarked(rng: random.Random, image: Image.Image) -> Image.Image:
    return picture_edits.watermarked(rng, image)


GENTLE: tuple[Edit, ...] = (gently_recompressed, as_webp, fewer_colours, grey, cropped, bordered, brighter)
EDITS: tuple[Edit, ...] = (*GENTLE, recompressed, sharper, blurred, watermarked)


def resized(rng: random.Random, image: Image.Image, mark: int) -> Image.Image:
    """Resizes by a factor that leaves the mark legible and the picture large enough to compare."""
    least = max(0.35, LEGIBLE / mark, 48 / min(image.size))
    scale = rng.uniform(least, 1.0) if least < 0.9 and rng.random() < 0.8 else rng.uniform(1.05, 1.4)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, rng.choice((Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.BOX)))


def copy_of_still(rng: random.Random, picture: Picture) -> tuple[str, Image.Image]:
    image = picture.frames[0]
    names = []
    for edit in rng.sample(GENTLE if picture.mark < SMALL else EDITS, rng.choice((0, 1, 1, 2))):
        image = edit(rng, image)
        names.append(edit.__name__)
    if not names or rng.random() < 0.4:
        image = resized(rng, image, picture.mark)
        names.append(resized.__name__)
    return " ".join(names), image


# Copies of animations

Frames = list[Image.Image]


def copy_of_animation(rng: random.Random, picture: Picture) -> tuple[str, Frames, int]:
    """The names of the edits, the frames, and milliseconds a frame. Frames that distinguish the animation are kept."""
    frames, kept = list(enumerate(picture.frames)), picture.kept
    ms = 80
    names = []
    for kind in rng.sample(
        ("dropped", "trimmed", "retimed", "resized", "fewer colours", "cropped", "faded"), rng.choice((1, 1, 2))
    ):
        if kind == "dropped" and len(frames) >= 8:
            frames = [(n, frame) for place, (n, frame) in enumerate(frames) if place % 2 == 0 or n in kept]
            ms *= 2
        elif kind == "trimmed" and len(frames) >= 8:
            least, most = (min(kept), max(kept)) if kept else (0, len(frames))
            cut = len(frames) // 8
            at_end = most < frames[-1][0] - cut
            if not at_end and least <= frames[0][0] + cut:
                continue
            frames = frames[: len(frames) - cut] if at_end else frames[cut:]
        elif kind == "retimed":
            ms = rng.choice((40, 120, 200))
        elif kind == "resized":
            image = frames[0][1]
            smallest = max(0.5, LEGIBLE / picture.mark)
            scale = rng.uniform(smallest, 1.0) if smallest < 0.9 else rng.uniform(1.1, 1.4)
            size = round(image.width * scale), round(image.height * scale)
            frames = [(n, one.resize(size, Image.Resampling.BILINEAR)) for n, one in frames]
        elif kind == "fewer colours":
            frames = [(n, one.quantize(32).convert("RGB")) for n, one in frames]
        elif kind == "cropped":
            cuts = [rng.uniform(0, 0.03) for _ in range(4)]
            image = frames[0][1]
            box = tuple(
                round(s)
                for s in (
                    image.width * cuts[0],
                    image.height * cuts[1],
                    image.width * (1 - cuts[2]),
                    image.height * (1 - cuts[3]),
                )
            )
            frames = [(n, one.crop(box)) for n, one in frames]  # type: ignore[arg-type]
        elif kind == "faded" and 0 not in kept:
            blank = Image.new("RGB", frames[0][1].size, "white")
            frames = [(-1, Image.blend(blank, frames[0][1], share)) for share in (0.0, 0.4)] + frames
        else:
            continue
        names.append(kind)
    return " ".join(names), [frame for _, frame in frames], ms


# Files


def write_still(rng: random.Random, image: Image.Image, stem: Path) -> Path:
    kind = rng.choice(("png", "png", "jpg", "webp"))
    path = stem.with_suffix(f".{kind}")
    if kind == "png":
        image.save(path)
    else:
        image.save(path, quality=rng.choice((80, 90)))
    return path


def write_animation(rng: random.Random, frames: Frames, ms: int, stem: Path) -> Path:
    kind = rng.choice(("gif", "gif", "webp"))
    path = stem.with_suffix(f".{kind}")
    options = {"quality": 85, "method": 0} if kind == "webp" else {"optimize": False}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=ms, loop=0, **options)
    return path


def draw_kind(name: str, draw: Draw, folder: Path, families: int, copies: int, seed: int) -> Iterator[Drawn]:
    """Draws one kind into a folder; the same seed draws the same pictures."""
    folder.mkdir(parents=True)
    for family in range(families):
        rng = random.Random(f"{seed} {name} {family}")
        for number, picture in enumerate(draw(rng)):
            stem = folder / f"{family:03}-{number}"
            if len(picture.frames) > 1:
                yield Drawn(write_animation(rng, list(picture.frames), 80, stem), family, number, "")
            else:
                yield Drawn(write_still(rng, picture.frames[0], stem), family, number, "")
            for copy in range(copies):
                stem = folder / f"{family:03}-{number}-copy{copy}"
                if len(picture.frames) > 1:
                    done, frames, ms = copy_of_animation(rng, picture)
                    if len(frames) > 1 and done:
                        yield Drawn(write_animation(rng, frames, ms, stem), family, number, done)
                else:
                    done, image = copy_of_still(rng, picture)
                    yield Drawn(write_still(rng, image, stem), family, number, done)


# Scores


class Score(NamedTuple):
    files: int
    pairs: int
    wrong: int
    copies: int
    missed: int
    of_strangers: int
    notes: list[str]
    """One line for each error."""


def scored(drawn: list[Drawn], folder: Path, catalogue: Path, level: str = "copies") -> Score:
    """Scans and groups a folder by the public API."""
    index = HashIndex(catalogue)
    index.scan([folder])
    group_of = {
        os.fsdecode(member.file.path_bytes): number
        for number, group in enumerate(index.groups(level=level))
        for member in group.members
    }
    group = {one: group_of.get(str(one.path), -1 - number) for number, one in enumerate(drawn)}
    families: dict[int, list[Drawn]] = {}
    for one in drawn:
        families.setdefault(one.family, []).append(one)
    pairs = wrong = copies = missed = 0
    notes = []
    for members in families.values():
        for a, b in combinations(members, 2):
            if a.picture != b.picture:
                pairs += 1
                if group[a] == group[b]:
                    wrong += 1
                    notes.append(f"wrong   {a.path.name} ({a.copy}), {b.path.name} ({b.copy})")
        originals = {one.picture: one for one in members if not one.copy}
        for one in members:
            if one.copy:
                copies += 1
                if group[one] != group[originals[one.picture]]:
                    missed += 1
                    notes.append(f"missed  {one.path.name} ({one.copy})")
    families_in = Counter(number for number, _ in {(group[one], one.family) for one in drawn})
    return Score(len(drawn), pairs, wrong, copies, missed, sum(n > 1 for n in families_in.values()), notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["seen", "unseen"], help="names of kinds, or seen, or unseen")
    parser.add_argument("--families", type=count, default=8, help="families of each kind [default: 8]")
    parser.add_argument("--copies", type=count, default=2, help="copies of each picture [default: 2]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="draw into this folder, which must not exist, and keep it")
    parser.add_argument("--list", action="store_true", help="list every wrong pair and every missed copy")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    known = SEEN | UNSEEN
    groups = {"seen": list(SEEN), "unseen": list(UNSEEN)}
    names = [name for chosen in arguments.kinds for name in groups.get(chosen, [chosen])]
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no kind called {unknown[0]}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.keep or Path(temporary, "cases")
        total: dict[str, Score] = {}
        rows = []
        for name in names:
            folder = root / name.replace(" ", "-")
            drawn = list(draw_kind(name, known[name], folder, arguments.families, arguments.copies, arguments.seed))
            found = scored(drawn, folder, Path(temporary, f"{zlib.crc32(name.encode())}.db"))
            part = "seen" if name in SEEN else "unseen"
            rows.append([name, part, *map(str, found[:6])])
            sums = total.get(part, Score(0, 0, 0, 0, 0, 0, []))
            total[part] = Score(*map(operator.add, sums, found))
            if arguments.list:
                print(f"{name}:", *found.notes, sep="\n  ", flush=True)
        for part, found in total.items():
            rows.append(["all", part, *map(str, found[:6])])
    print_table(
        ("kind", "part", "files", "pairs", "wrong", "copies", "missed", "of strangers"),
        rows,
        markdown=arguments.markdown,
    )


if __name__ == "__main__":
    main()
