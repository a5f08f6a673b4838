"""How many drawn captions hashindex reads and finds again, and what reading takes.

    python benchmarks/words.py [--captions N] [--seed N] [--least-side PIXELS] [--detector-pixels N] [--folder FOLDER]

Captions in Chinese, English and both, of 16 to 60 pixels, outlined, are drawn on photos, drawings, stickers and
animations (caption_drawings.py); with them come screenshots of chats. They are scanned and read, and then found by
HashIndex.find. The table has these columns for every kind, script and size of letters:

pictures      how many there are
all words     share that is found by all words of the caption
one word      share that is found by one of its words, chosen at random
CPU           processor time of reading one, on average, in seconds

Below it: the wrong hits among the first five for all words (find also shows pictures that have nearly these words,
after those that have them), and the memory of the process that reads. --folder: reads the pictures in a folder instead,
and prints only what that takes. The other options change constants of the reader.
"""

import argparse
import os
import random
import resource
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Before NumPy is imported: a process of one thread is forked, and a fork has this module and its constants.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from caption_drawings import KINDS, SCRIPTS, Captioned, draw_captions
from case_drawings import chats
from common import count, folder, print_table

from hashindex import HashIndex
from hashindex.core.options import Limits
from hashindex.index.read_words import read_words
from hashindex.pictures import read_text, text_engine
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.read_text import TextJob, TextResult
from hashindex.pictures.text_engine import TextModels, installed_models
from hashindex.store.catalogue import Catalogue

CAPTIONS, SCREENS = "captions", "screens"
SCREENSHOTS = 24
FIRST = 5
SIZES = ((16, 24), (24, 36), (36, 61))


class Cost(NamedTuple):
    """What it took a worker to read one picture."""

    cpu_s: float
    memory: int
    """Peak of the process so far, in bytes."""


def timed(job: TextJob, models: TextModels, limits: Limits) -> tuple[TextResult, Cost]:
    """Reads a picture. Run in a worker, whose engine is loaded first."""
    read_text._engine(models)
    began = time.process_time()
    result = read_text.read_text(job, models, limits)
    return result, Cost(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def read_all(index: HashIndex) -> dict[str, Cost]:
    """Reads every picture in one worker. Returns the cost of each by its name."""
    # Seconds by the clock: other work on the machine must not end the benchmark.
    models, limits, costs = installed_models(), Limits(seconds=600), dict[str, Cost]()

    def run(jobs: Sequence[TextJob]) -> Iterator[TextResult]:
        for job in jobs:
            result, costs[os.path.basename(os.fsdecode(job.path))] = worker.run(timed, job, models, limits)
            yield result

    with IsolatedWorker(limits) as worker, Catalogue(index.path, write=True) as catalogue:
        print(read_words(catalogue, models, run))
    return costs


def folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


class Found(NamedTuple):
    """How a caption was found."""

    by_all: bool
    by_one: bool
    wrong: int
    """Among the first hits for all words: pictures whose captions lack one of the words."""
    wrong_before: int
    """Of these, those that come before the picture."""


def search(index: HashIndex, place: Path, drawn: Sequence[Captioned], rng: random.Random) -> dict[str, Found]:
    captions = {one.name: folded(one.caption) for one in drawn}

    def hits(words: str) -> list[list[str]]:
        found = index.find(words, limit=None, under=place)
        return [[os.path.basename(os.fsdecode(file.path)) for file in (one.file, *one.copies)] for one in found]

    result = {}
    for one in drawn:
        by_all = hits(one.caption)
        by_one = hits(rng.choice(one.words))
        wrong = [
            not any(all(folded(word) in captions.get(name, "") for word in one.words) for name in names)
            for names in by_all[:FIRST]
        ]
        before = next((place for place, names in enumerate(by_all[:FIRST]) if one.name in names), FIRST)
        all_found, one_found = (any(one.name in names for names in found) for found in (by_all, by_one))
        result[one.name] = Found(all_found, one_found, sum(wrong), sum(wrong[:before]))
    return result


def report(drawn: Sequence[Captioned], found: dict[str, Found], costs: dict[str, Cost]) -> None:
    def row(name: str, wanted: Callable[[Captioned], bool]) -> tuple[str, ...]:
        chosen = [one.name for one in drawn if wanted(one)]
        shares = (sum(found[name][place] for name in chosen) / max(1, len(chosen)) for place in (0, 1))
        cpu = sum(costs[name].cpu_s for name in chosen if name in costs) / max(1, len(chosen))
        return name, str(len(chosen)), *(f"{share:.3f}" for share in shares), f"{cpu:.2f}"

    rows = [row("all", lambda one: True)]
    rows += [row(kind, lambda one, kind=kind: one.kind == kind) for kind in KINDS]  # type: ignore[misc]
    rows += [row(script, lambda one, script=script: one.script == script) for script in SCRIPTS]  # type: ignore[misc]
    rows += [
        row(f"{least} to {most - 1} px", lambda one, least=least, most=most: least <= one.size < most)  # type: ignore[misc]
        for least, most in SIZES
    ]
    screens = [cost.cpu_s for name, cost in costs.items() if name.startswith("chat")]
    rows.append(("screenshots", str(len(screens)), "", "", f"{sum(screens) / max(1, len(screens)):.2f}"))
    print_table(("", "pictures", "all words", "one word", "CPU"), rows)
    wrong, before = (sum(getattr(one, name) for one in found.values()) for name in ("wrong", "wrong_before"))
    print(
        f"{wrong} wrong hits among the first {FIRST} of {len(found)} queries, {before} of them before the right picture"
    )


def draw_into(place: Path, number: int, seed: int) -> list[Captioned]:
    """Captions, and screenshots in a folder of their own: their words are not known here."""
    drawn = draw_captions(number, seed)
    for name in (CAPTIONS, SCREENS):
        (place / name).mkdir()
    for one in drawn:
        (place / CAPTIONS / one.name).write_bytes(one.data)
    rng = random.Random(seed)
    for screen in range(SCREENSHOTS):
        chats(rng)[0].frames[0].save(place / SCREENS / f"chat{screen}.png")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=count, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least-side", type=count, default=read_text.LEAST_SIDE)
    parser.add_argument("--detector-pixels", type=count, default=text_engine.DETECTOR_PIXELS)
    parser.add_argument("--folder", type=folder)
    chosen = parser.parse_args()
    # The worker is a fork of this process.
    read_text.LEAST_SIDE = chosen.least_side  # type: ignore[misc]
    text_engine.DETECTOR_PIXELS = chosen.detector_pixels  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as made:
        index = HashIndex(Path(made) / "catalogue.db")
        place = chosen.folder or Path(made) / "pictures"
        place.mkdir(exist_ok=True)
        drawn = [] if chosen.folder else draw_into(place, chosen.captions, chosen.seed)
        index.scan([place])
        costs = read_all(index)
        if drawn:
            report(drawn, search(index, place / CAPTIONS, drawn, random.Random(chosen.seed)), costs)
    each = sorted(cost.cpu_s for cost in costs.values())
    if each:
        print(f"CPU s: mean {sum(each) / len(each):.3f}, median {each[len(each) // 2]:.3f}, most {each[-1]:.2f}")
        print(f"memory of the reading process: {max(cost.memory for cost in costs.values()) / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
