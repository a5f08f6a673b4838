"""Pictures for tests, drawn here: each seed a different one, with enough detail to be compared by hash."""

import os
import random
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw

LONG_AGO_NS = 1_600_000_000_000_000_000
"""An mtime that no scan takes for just written."""


def draw(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Overlapping ellipses and boxes in random colours; two seeds are two pictures to everybody."""
    dice = random.Random(seed)
    picture = Image.new("RGB", size, tuple(dice.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        box = (x, y, x + dice.randrange(8, size[0] // 2), y + dice.randrange(8, size[1] // 2))
        colour = tuple(dice.randrange(256) for _ in range(3))
        (pen.ellipse if dice.random() < 0.5 else pen.rectangle)(box, fill=colour)
    return picture


def save(picture: Image.Image, path: Path, mtime_ns: int = LONG_AGO_NS, **options: object) -> Path:
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
