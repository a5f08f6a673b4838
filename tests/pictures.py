"""Pictures for tests, drawn here: each seed a different one, with enough detail to be compared by hash."""

import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

LONG_AGO_NS = 1_600_000_000_000_000_000
"""An mtime that no scan takes for just written."""


def draw(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Overlapping ellipses and boxes in random colours; two seeds are two pictures to everybody."""
    rng = random.Random(seed)
    picture = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        box = (x, y, x + rng.randrange(8, size[0] // 2), y + rng.randrange(8, size[1] // 2))
        colour = tuple(rng.randrange(256) for _ in range(3))
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=colour)
    return picture


def captioned(picture: Image.Image, words: str) -> Image.Image:
    """The picture with a white strip of 40 pixels below it that holds the words."""
    tall = Image.new("RGB", (picture.width, picture.height + 40), "white")
    tall.paste(picture, (0, 0))
    pen = ImageDraw.Draw(tall)
    pen.text((picture.width / 2, picture.height + 20), words, "black", ImageFont.load_default(26), "mm")
    return tall


def moving(seed: int, numbers: Iterable[int]) -> list[Image.Image]:
    """Frames, by their numbers, of a face that moves over the scene of a seed; frame 0 is the same for every seed."""
    frames = []
    for number in numbers:
        picture = draw(seed if number else 0, (128, 128))
        pen = ImageDraw.Draw(picture)
        x = 10 + 6 * number
        pen.ellipse((x, 30, x + 56, 86), "yellow", "black", 3)
        pen.ellipse((x + 12, 46, x + 20, 56), "black")
        pen.ellipse((x + 34, 46, x + 42, 56), "black")
        pen.arc((x + 12, 50, x + 42, 76), 20, 160, "red", 4)
        frames.append(picture)
    return frames


def save(picture: Image.Image, path: Path, mtime_ns: int = LONG_AGO_NS, **options: Any) -> Path:
    """Writes a picture (format by suffix unless said) with an old mtime."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def write(path: Path, data: bytes, mtime_ns: int = LONG_AGO_NS) -> Path:
    """Writes bytes with an old mtime."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def fill(folder: Path, seeds: Iterable[int], suffix: str = ".png") -> list[Path]:
    """One picture a seed: folder/SEED.png."""
    return [save(draw(seed), folder / f"{seed}{suffix}") for seed in seeds]
