"""Counts the groups of copies in which the original is kept, and measures the cost of the choice.

    python benchmarks/keeper.py [--labels FOLDER] [--originals FOLDER] [--pictures N] [--seed N] [--wrong]

--labels: a folder of edited pictures (FOLDER/ID/ID__EDIT.*), which hashindex groups. Without --labels the script makes
random edits (picture_edits.py, and some more) of pictures that it draws, or of the pictures in --originals. It scores
whole groups, and groups of two or three that are drawn from them: the original and others. A file counts as the
original if it has the same pixels, or is the whole picture in another tone or as a JPEG of quality 90 or more. Wrong
choices that judge/keeper.py doubts are counted separately, because the user is asked there. --wrong: lists each wrong
choice.
"""

import argparse
import io
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import picture_edits
from common import count, folder, pictures_below, print_table
from PIL import Image, ImageDraw, ImageFilter, ImageOps, ImageSequence

from hashindex import HashIndex
from hashindex.core.errors import UnreadablePicture
from hashindex.core.options import Limits
from hashindex.judge.keeper import choose
from hashindex.pictures.quality import Portrait, portrait

AS_GOOD = {
    "orig", "png_resave", "anim_apng", "exif6", "jpeg_q90", "sharpen", "bright_up", "bright_down", "contrast_up",
    "gamma_16", "satur_2", "toned",
}  # fmt: skip
DRAWS = (1, 1, 1, 2, 2)
"""The number of other copies in each of the small groups that are drawn from a whole group."""


class Copy(NamedTuple):
    """One file of a group."""

    edit: str
    data: bytes
    name: str


class Tally:
    """The results of groups of one kind."""

    def __init__(self) -> None:
        self.groups = self.right = self.doubted = self.members = 0
        self.cpu_s = 0.0
        self.wrong: Counter[str] = Counter()

    def row(self, name: str) -> tuple[str, ...]:
        share = self.right / max(1, self.groups)
        wrong = ", ".join(f"{edit} {count}" for edit, count in self.wrong.most_common(8))
        cost = 1000 * self.cpu_s / max(1, self.members)
        return name, str(self.groups), f"{share:.3f}", str(self.doubted), f"{cost:.1f}", wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=folder, metavar="FOLDER")
    parser.add_argument("--originals", type=folder, metavar="FOLDER")
    parser.add_argument("--pictures", type=count, default=60, help="the number of pictures to edit [default: 60]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wrong", action="store_true")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    if arguments.labels:
        groups = labelled(arguments.labels)
    else:
        groups = made(rng, arguments.pictures, arguments.originals)
    whole, small = Tally(), Tally()
    for group in groups:
        shown = [measured(copy) for copy in group]
        for one in shown:
            whole.cpu_s += one[1]
            small.cpu_s += len(DRAWS) * one[1] * 2.4 / len(group)
        judge(whole, group, [one[0] for one in shown], arguments.wrong)
        first = next(number for number, copy in enumerate(group) if copy.edit == "orig")
        rest = [number for number in range(len(group)) if number != first]
        for others in DRAWS:
            if len(rest) >= others:
                drawn = [first, *rng.sample(rest, others)]
                rng.shuffle(drawn)
                judge(
                    small, [group[number] for number in drawn], [shown[number][0] for number in drawn], arguments.wrong
                )
    headers = ("groups", "number", "original kept", "wrong, but doubted", "CPU ms a member", "kept instead")
    print_table(headers, [whole.row("whole"), small.row("of 2 or 3")], markdown=True)


def measured(copy: Copy) -> tuple[Portrait | None, float]:
    """The portrait and its cost in CPU seconds."""
    began = time.process_time()
    try:
        return portrait(copy.data, Limits()), time.process_time() - began
    except UnreadablePicture:
        return None, time.process_time() - began


def judge(tally: Tally, group: Sequence[Copy], portraits: Sequence[Portrait | None], name_wrong: bool) -> None:
    """Adds one group to the tally. The order of its files is their age."""
    began = time.process_time()
    choice = choose(portraits)
    tally.cpu_s += time.process_time() - began
    tally.members += len(group)
    tally.groups += 1
    number = min(range(len(group)), key=lambda number: choice.members[number].rank)
    kept = group[number]
    original = next(copy for copy in group if copy.edit == "orig")
    if kept.edit in AS_GOOD or pixels(kept.data) == pixels(original.data):
        tally.right += 1
        return
    tally.wrong[kept.edit] += 1
    tally.doubted += choice.doubt is not None
    if name_wrong:
        faults = [
            f"{copy.edit}: {[fault.name for fault in one.faults]}"
            for copy, one in zip(group, choice.members, strict=True)
        ]
        print(f"{kept.name}: {faults} {choice.doubt or ''}", file=sys.stderr)


def pixels(data: bytes) -> list[tuple[bytes, tuple[int, int]]]:
    with Image.open(io.BytesIO(data)) as image:
        frames = (ImageOps.exif_transpose(frame).convert("RGBA") for frame in ImageSequence.Iterator(image))
        return [(frame.tobytes(), frame.size) for frame in frames]


def labelled(root: Path) -> Iterator[list[Copy]]:
    """The groups that hashindex finds in the folder, if they contain an original."""
    with tempfile.TemporaryDirectory() as temporary:
        index = HashIndex(Path(temporary) / "catalogue.db")
        index.scan([root])
        for group in index.groups(keep="oldest"):
            paths = [Path(os.fsdecode(member.file.path_bytes)) for member in group.members]
            copies = [Copy(path.stem.partition("__")[2], path.read_bytes(), path.name) for path in paths]
            if any(copy.edit == "orig" for copy in copies):
                yield copies


def made(rng: random.Random, pictures: int, originals: Path | None) -> Iterator[list[Copy]]:
    """Groups of a picture and its edits."""
    paths = [] if originals is None else sorted(pictures_below(originals))
    if originals is not None:
        rng.shuffle(paths)
    done = 0
    for number in range(10 * pictures):
        if done == pictures or (originals is not None and number >= len(paths)):
            return
        if originals is None:
            picture, data, name = drawn(rng), None, f"drawn{number}"
        else:
            try:
                with Image.open(paths[number]) as image:
                    if getattr(image, "n_frames", 1) > 1 or min(image.size) < 64:
                        continue
                    picture = ImageOps.exif_transpose(image).convert("RGBA")
                    if min(picture.getchannel("A").tobytes()) > 200:
                        picture = picture.convert("RGB")
            except Exception:  # noqa: BLE001 - real folders contain broken files
                continue
            data, name = paths[number].read_bytes(), paths[number].name
        done += 1
        copies = [Copy("orig", data or encoded(picture), name)]
        shown = on_white(copies[0].data)
        for edit, data in edits(rng, picture):
            # White words on a white background are invisible.
            if edit == "flattened" or on_white(data) != shown:
                copies.append(Copy(edit, data, f"{edit} of {name}"))
        rng.shuffle(copies)
        yield copies


def on_white(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return picture_edits.flat(ImageOps.exif_transpose(image).convert("RGBA")).tobytes()


def drawn(rng: random.Random) -> Image.Image:
    """A picture with gradients, edges and grain, drawn large and reduced, like the output of a camera or a renderer."""
    width, height = rng.randrange(120, 420), rng.randrange(120, 420)
    large = Image.new("RGB", (3 * width, 3 * height), picture_edits.colour(rng))
    light = Image.linear_gradient("L").resize(large.size).rotate(rng.choice((0, 90, 180, 270)))
    large = Image.blend(large, Image.merge("RGB", [light] * 3), rng.uniform(0.0, 0.6))
    pen = ImageDraw.Draw(large)
    for _ in range(rng.randrange(8, 40)):
        x, y = rng.randrange(large.width), rng.randrange(large.height)
        box = (x, y, x + rng.randrange(12, large.width // 2), y + rng.randrange(12, large.height // 2))
        shape = rng.choice((pen.ellipse, pen.rectangle, pen.ellipse))
        shape(box, fill=picture_edits.colour(rng), outline=rng.choice((None, "black")), width=rng.randrange(2, 9))
    picture = large.resize((width, height), Image.Resampling.LANCZOS)
    grain = Image.effect_noise((width, height), 24).filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.7)))
    return Image.blend(picture, Image.merge("RGB", [grain] * 3), rng.choice((0.0, 0.04, 0.1, 0.2)))


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, format, **options)
    return target.getvalue()


def edits(rng: random.Random, picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Edits of the picture with their names; no edit uses the parameters of the labelled edits."""
    flat = picture_edits.flat(picture)
    width, height = picture.size

    def sized(factor: float) -> Image.Image:
        return picture.resize((round(width * factor), round(height * factor)), Image.Resampling.LANCZOS)

    yield "enlarged", encoded(sized(rng.uniform(1.3, 2.2)))
    yield "reduced", encoded(sized(rng.uniform(0.3, 0.85)))
    small = flat.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)
    yield "thumbnail_enlarged", encoded(small.resize((width, height), Image.Resampling.BICUBIC))
    noise = Image.merge("RGB", [Image.effect_noise(picture.size, 40)] * 3)
    yield "noise", encoded(Image.blend(flat, noise, 0.2))
    yield "blurred", encoded(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.0))))
    yield "jpeg_low", encoded(flat, "JPEG", quality=rng.choice((15, 40, 55, 80)))
    yield "webp_low", encoded(picture, "WEBP", quality=rng.choice((30, 60, 85)))
    yield "gif", encoded(flat.quantize(rng.choice((32, 128, 256))), "GIF")
    yield "grey", encoded(flat.convert("L"))
    if picture.mode == "RGBA":
        yield "flattened", encoded(picture_edits.flat(picture, rng.choice(((255, 255, 255), (0, 0, 0), (90, 120, 40)))))
    yield "jpeg_q90", encoded(flat, "JPEG", quality=rng.choice((90, 95)))
    side = rng.choice((0.02, 0.04, 0.07))
    yield (
        "cropped",
        encoded(
            picture.crop(
                (round(side * width), round(side * height), round((1 - side) * width), round((1 - side) * height))
            )
        ),
    )
    yield "one_side_cropped", encoded(picture.crop((round(rng.uniform(0.03, 0.1) * width), 0, width, height)))
    yield "bordered", encoded(ImageOps.expand(flat, rng.randrange(4, 20), picture_edits.colour(rng)))
    yield "letterboxed", encoded(picture_edits.letterboxed(rng, picture))
    yield (
        "turned",
        encoded(flat.rotate(rng.choice((-5, -3, 3, 5)), Image.Resampling.BICUBIC, expand=True, fillcolor="white")),
    )
    yield "watermarked", encoded(picture_edits.watermarked(rng, picture))
    yield "toned", encoded(picture_edits.toned(rng, picture))


if __name__ == "__main__":
    main()
