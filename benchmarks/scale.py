"""Measures how processor time and memory grow with the number of pictures.

    python benchmarks/scale.py [--pictures 2000 10000 ...] [--seed 1] [--workers N]

Needs the extra `bench`. For each number it draws pictures into a temporary folder, as people have them: half of them
single, a third in families of two to six copies (picture_edits.py), the others templates with other words or figures
(case_drawings.py), with copies. Then it runs whole commands on a catalogue of their own, one after the other:

scan      `hashindex scan`: hashes, candidates, and the pairs that may be copies
groups    `hashindex groups`: what the guard asks for, and the best copy of each group
again     the same once more
similar   `hashindex groups --level similar`: the pairs that the scan left
query     `hashindex query` of one of the pictures
plan      `hashindex organize`, without --apply

Columns: processor time (user and system, of all processes, sampled every 50 ms) in seconds and in ms a picture, time by
the clock, the peak of the sum of memory (PSS; shared pages counted once), and judged pairs a picture after the command.
A hundred thousand pictures take an hour or more, and 3 GB of disk.
"""

import argparse
import itertools
import random
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from case_drawings import SEEN, UNSEEN, Draw, scenery
from common import count, print_table, run
from picture_edits import copy_of, flat
from PIL import Image

SINGLE, COPIED = 0.5, 0.83
"""Shares of the pictures: single ones, and those with copies added."""
KINDS: tuple[Draw, ...] = tuple(draw for name, draw in (SEEN | UNSEEN).items() if "frames" not in name)
FAMILIES_A_FOLDER = 50
FORMATS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("jpg", {"quality": 85}),
    ("jpg", {"quality": 60}),
    ("png", {}),
    ("webp", {"quality": 75, "method": 0}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=count, nargs="+", default=[2_000, 10_000], metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=count, metavar="N", help="of the scan [default: one a processor]")
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    for pictures in arguments.pictures:
        with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
            folder = Path(temporary)
            draw_pictures(folder / "pictures", pictures, arguments.seed)
            rows += commands(folder, pictures, arguments.workers)
    print_table(("", "pictures", "CPU s", "ms a picture", "clock s", "PSS MB", "pairs a picture"), rows)


# Pictures


def draw_pictures(folder: Path, pictures: int, seed: int) -> None:
    """Exactly this many files, by family."""
    made: list[Path] = []
    numbers = itertools.count()
    with ProcessPoolExecutor() as pool:
        while len(made) < pictures:
            for family in pool.map(partial(save_family, folder, seed), itertools.islice(numbers, 200), chunksize=10):
                made += family
    for path in made[pictures:]:
        path.unlink()


def save_family(folder: Path, seed: int, number: int) -> list[Path]:
    rng = random.Random(f"{seed} {number}")
    place = folder / f"{number // FAMILIES_A_FOLDER:05}"
    place.mkdir(parents=True, exist_ok=True)
    paths = []
    for member, image in enumerate(drawn_family(rng)):
        extension, options = rng.choice(FORMATS)
        path = place / f"{number:06}-{member}.{extension}"
        flat(image).save(path, **options)
        paths.append(path)
    return paths


def drawn_family(rng: random.Random) -> Iterator[Image.Image]:
    # A family counts by its pictures: fewer families than pictures have copies.
    kind = rng.choices(("single", "copied", "template"), (SINGLE, (COPIED - SINGLE) / 4, (1 - COPIED) / 5))[0]
    if kind == "template":
        for one in rng.choice(KINDS)(rng):
            yield one.frames[0]
            yield from (copy_of(rng, one.frames[0], 2) for _ in range(rng.choice((0, 0, 1, 2))))
        return
    picture = scenery(rng, (rng.randint(120, 480), rng.randint(120, 480)))
    yield picture
    if kind == "copied":
        yield from (copy_of(rng, picture) for _ in range(rng.randint(1, 5)))


# Commands


def commands(folder: Path, pictures: int, workers: int | None) -> Iterator[list[str]]:
    # The user's settings must not apply.
    (folder / "settings.toml").touch()
    catalogue = folder / "catalogue.db"
    common = [
        sys.executable,
        "-m",
        "hashindex",
        "--catalogue",
        str(catalogue),
        "--config",
        str(folder / "settings.toml"),
    ]
    limited = ["--workers", str(workers)] if workers else []
    asked = min((folder / "pictures").rglob("*-0.*"))
    for what, words in {
        "scan": ["scan", "-q", str(folder / "pictures"), *limited],
        "groups": ["groups", "--json"],
        "again": ["groups", "--json"],
        "similar": ["groups", "--json", "--level", "similar"],
        "query": ["query", str(asked)],
        "plan": ["organize", str(folder / "there")],
    }.items():
        ran = run([*common, *words], sample=True, accepted=(0, 1))
        yield [
            what,
            f"{pictures:,}",
            f"{ran.cpu_s:.1f}",
            f"{1000 * ran.cpu_s / pictures:.2f}",
            f"{ran.seconds:.1f}",
            f"{ran.memory.pss / 1e6:.0f}",
            f"{judged_pairs(catalogue) / pictures:.2f}",
        ]


def judged_pairs(catalogue: Path) -> int:
    connection = sqlite3.connect(f"{catalogue.as_uri()}?mode=ro", uri=True)
    (found,) = connection.execute("SELECT count(*) FROM judged_pair WHERE relation IS NOT NULL").fetchone()
    connection.close()
    return int(found)


if __name__ == "__main__":
    main()
