"""What a search by words takes at a given number of pictures, and what the index of words takes.

    python benchmarks/find.py                     100,000 pictures
    python benchmarks/find.py --pictures 1000000

Makes a catalogue of pictures with drawn text: seven in ten have a caption of 3 to 12 Chinese signs or of 1 to 6 English
words, one in ten is a screenshot of 30 lines, and two in ten have no text. File names are those of cameras and chat
clients. Times are processor seconds: of the search in a running process (the least of five), and of the whole command
beyond `hashindex history`, which opens the same catalogue (the least of three).
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from common import count

from hashindex import HashIndex
from hashindex.core.words import TextLine
from hashindex.store.catalogue import Catalogue

CAPTION = "收到请回复"
"""The caption of one picture in a thousand."""
ENGLISH = [
    *("the", "cat", "says", "hello", "good", "morning", "please", "reply", "received", "thanks", "boss", "working"),
    *("weekend", "money", "lunch", "night", "happy", "birthday", "friend", "okay", "never", "again", "monday", "sleep"),
    *("love", "you", "me", "we", "are", "not", "going", "today", "tomorrow", "office", "coffee", "tired", "why"),
]
QUERIES = {
    "a caption": CAPTION,
    "the same in traditional signs": "收到請回復",
    "with a wrong sign": "收到情回复",
    "two signs": "收到",
    "one sign": "请",
    "a word": "morning",
    "with a wrong letter": "mornimg",
    "five letters": "hello",
    "two words": "cat 收到",
    "in half of the names": "img",
    "nowhere": "qqqqzzzz",
    "eight words": "good morning please reply received thanks happy birthday",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=count, default=100_000)
    pictures = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "catalogue.db")
        index = HashIndex(path)
        fill(path, Path(place, "pictures"), pictures)
        before = path.stat().st_size
        began = time.process_time()
        index.find("nowhere")
        size = (path.stat().st_size - before) / pictures
        print(f"{pictures:,} pictures, indexed in {time.process_time() - began:.1f} s; {size:,.0f} bytes a picture\n")
        start = least(lambda: command_s("history", path), 3)
        print(f"start of a command: {start:.2f} s\n")
        print(f"{'':>32} {'found':>7} {'search, s':>10} {'command, s':>11}")
        for name, words in QUERIES.items():
            found = len(index.find(words, limit=None)) if pictures <= 200_000 else -1
            search = least(lambda words=words: searched_s(index, words), 5)  # type: ignore[misc]
            whole = least(lambda words=words: command_s("find", path, words), 3) - start  # type: ignore[misc]
            print(f"{name:>32} {found:>7,} {search:>10.4f} {whole:>11.3f}")


def fill(path: Path, folder: Path, pictures: int) -> None:
    """Makes a catalogue of that many pictures, and their files, which are empty."""
    rng = random.Random(1)
    folder.mkdir()
    with Catalogue(path, write=True) as catalogue, catalogue.atomic():
        run = catalogue.connection.execute
        run("INSERT INTO pipeline VALUES (1, '', '')")
        run("INSERT INTO folder (id, path) VALUES (1, ?)", (bytes(folder),))
        for id in range(1, pictures + 1):
            digest, name = rng.randbytes(32), name_of(rng, id)
            (folder / name).touch()
            run("INSERT INTO content VALUES (?, ?, 1, 'png', 1, 1, 1, 0, 9, NULL, NULL, 1)", (id, digest))
            run(
                "INSERT INTO file VALUES (1, ?, 1, 0, 0, x'', x'', ?, NULL, 0, 0, 0, 0, 0, NULL)",
                (os.fsencode(name), id),
            )
            catalogue.words.put(digest, "drawn", list(lines_of(rng, id)))


def name_of(rng: random.Random, id: int) -> str:
    if rng.random() < 0.5:
        return f"IMG_{rng.randint(2012, 2026)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}_{id:07}.jpg"
    return f"{rng.randbytes(16).hex().upper()}.png"


def lines_of(rng: random.Random, id: int) -> Iterator[TextLine]:
    kind = rng.random()
    for _ in range(0 if kind < 0.2 else 30 if kind > 0.9 else 1):
        text = caption_of(rng) if id % 1000 else CAPTION
        yield TextLine(text, 0.5 + rng.random() / 2)


def caption_of(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return " ".join(rng.choices(ENGLISH, k=rng.randint(1, 6)))
    # Frequent signs are frequent, as in any language (Zipf), and they are not neighbours in Unicode.
    return "".join(chr(0x4E00 + int(2500 ** rng.random()) * 7919 % 20_000) for _ in range(rng.randint(3, 12)))


def searched_s(index: HashIndex, words: str) -> float:
    began = time.process_time()
    index.find(words)
    return time.process_time() - began


def command_s(name: str, path: Path, *words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "hashindex", name, *words, "--catalogue", str(path)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(measure: Callable[[], float], times: int) -> float:
    return min(measure() for _ in range(times))


if __name__ == "__main__":
    main()
