"""Times a cold scan as a whole process, beside image-dedup-ai and beside the bare decode of the same pictures.

    python benchmarks/scan.py FOLDER [--runs N] [--workers N ...] [--only SUFFIX ...] [--copies N]

Needs the extra `bench`. "Cold" is a fresh catalogue; the files were read once before, so that no one pays for the disk.

cold     `hashindex scan -q --hidden FOLDER` (six hashes) and image-dedup-ai's Index.add (three hashes), from the start
         of the process to its end; and ImageHash's phash, dhash, average_hash and whash of every picture one by one in
         one process, which stores nothing
bare     as many processes that only read, open and load, with Pillow, every file that is a picture by its content;
         JPEG is decoded as luma, at the same reduced size
rescan   the same again with nothing changed

The commands take turns, run by run, without progress. `peer / own` is the median of the runs' ratios of
image-dedup-ai's time to the row's own, and `own / bare` that of the row's own to the bare decode's.
Memory comes from one more run that is sampled every 50 ms: peak of the sum over the process tree, as PSS (Linux; shared
pages counted once) and as RSS (shared pages counted in every process), and the largest RSS of a single process.
image-dedup-ai takes files by their suffix, hidden ones too, and works in threads; `pictures` is how many each took in.
"""

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from common import NOTHING, Memory, bare_decode, count, folder, pictures_below, print_table, run

from hashindex.pictures import formats
from hashindex.pictures.worker_pool import available_processors

PEER = """
import sys
from image_dedup_ai import Index
database, folder, workers = sys.argv[1:]
with Index(database) as index:
    print(index.add([folder], workers=int(workers) or None))
"""
NOTEBOOK = """
import sys
import imagehash
from PIL import Image
done = 0
for path in open(sys.argv[1], "rb").read().split(b"\\0"):
    try:
        with Image.open(path) as image:
            for function in (imagehash.phash, imagehash.dhash, imagehash.average_hash, imagehash.whash):
                function(image)
        done += 1
    except Exception:
        pass
print(done)
"""


@dataclass
class Case:
    """One row: a command, what has to be fresh before each run of it, and what its runs gave."""

    who: str
    what: str
    workers: int
    """0 is the command's own default."""
    command: list[str]
    fresh: Path | None = None
    """The database that a cold run begins without."""
    seconds: list[float] = field(default_factory=list)
    memory: Memory = NOTHING
    said: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("--runs", type=count, default=5, metavar="N", help="timed runs of each [default: 5]")
    parser.add_argument(
        "--workers",
        type=default_or_count,
        nargs="+",
        default=[0, 1],
        metavar="N",
        help="how many each may have; 0 is its own default: one a processor, image-dedup-ai at most 8 [default: 0 1]",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="SUFFIX",
        help="measure with the pictures of these true suffixes alone, as in .jpg or .png .gif; makes --copies of them, "
        "one of each if not said otherwise",
    )
    parser.add_argument(
        "--copies",
        type=count,
        metavar="N",
        help="measure with N distinct files made from FOLDER's pictures in a temporary folder: the same pictures over "
        "and over, each with a few other bytes after its end, so that no two have the same digest or, of one picture, "
        "the same size",
    )
    parser.add_argument("--bare", nargs=2, metavar=("LIST", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        decode_all(Path(arguments.bare[0]), int(arguments.bare[1]))
        return
    if arguments.folder is None:
        parser.error("name a FOLDER of pictures")
    try:
        peer = f"image-dedup-ai {importlib.metadata.version('image-dedup-ai')}"
    except importlib.metadata.PackageNotFoundError:
        parser.error("image-dedup-ai is not installed: pip install '.[bench]'")
    pictures = pictures_below(arguments.folder)
    if arguments.only:
        pictures = [picture for picture in pictures if true_suffix(picture) in arguments.only]
        arguments.copies = arguments.copies or len(pictures)
    if not pictures:
        parser.error(f"there are no such pictures in {arguments.folder}")
    with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
        root, room = arguments.folder, Path(temporary)
        if arguments.copies:
            root = room / "pictures"
            pictures = list(copies(pictures, arguments.copies, root))
        cases = make_cases(root, pictures, room, peer, arguments.workers)
        measure(cases, arguments.runs)
        report(cases, len(pictures), arguments.runs)


def default_or_count(text: str) -> int:
    """An argparse type: 0 or a whole number of 1 or more."""
    return 0 if text == "0" else count(text)


def true_suffix(picture: Path) -> str:
    with picture.open("rb") as source:
        form = formats.sniff(source.read(formats.HEAD_BYTES))
    return form.extension if form else ""


def copies(pictures: Sequence[Path], wanted: int, root: Path) -> Iterator[Path]:
    """Files of distinct bytes; those of one picture differ in size too, as files of a real folder mostly do."""
    root.mkdir()
    for number in range(wanted):
        source = pictures[number % len(pictures)]
        target = root / f"{number:07}{source.suffix}"
        target.write_bytes(source.read_bytes() + b"%08d" % number + bytes(number // len(pictures)))
        yield target


def decode_all(listing: Path, workers: int) -> None:
    """The bare decode of the files that the list names; what cannot be decoded is passed over."""
    paths = listing.read_bytes().split(b"\0")
    # A plain fork is the cheapest start there is, and this process has no threads.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    from PIL import Image

    Image.init()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        print(sum(pool.map(decode_one, paths, chunksize=16)))


def decode_one(path: bytes) -> bool:
    with open(path, "rb") as source:
        data = source.read()
    try:
        bare_decode(data)
    except Exception:  # noqa: BLE001 - decoders raise anything on damaged files
        return False
    return True


def make_cases(root: Path, pictures: Sequence[Path], room: Path, peer: str, workers: Sequence[int]) -> list[Case]:
    # Settings of the user must not slow one side down or speed it up.
    settings = room / "settings.toml"
    settings.touch()
    listing = room / "pictures.list"
    listing.write_bytes(b"\0".join(map(os.fsencode, pictures)))
    python = sys.executable
    notebook = f"ImageHash {importlib.metadata.version('imagehash')}"
    cases = [Case(notebook, "cold", 1, [python, "-c", NOTEBOOK, str(listing)])]
    for number in workers:
        ours, theirs = room / f"ours-{number}.db", room / f"theirs-{number}.db"
        own = [
            python,
            "-m",
            "hashindex",
            "--catalogue",
            str(ours),
            "--config",
            str(settings),
            "scan",
            "-q",
            "--hidden",
            str(root),
        ]
        if number:
            own += ["--workers", str(number)]
        other = [python, "-c", PEER, str(theirs), str(root), str(number)]
        bare = [python, __file__, "--bare", str(listing), str(number or available_processors())]
        cases += [
            Case("hashindex", "cold", number, own, ours),
            Case(peer, "cold", number, other, theirs),
            Case("Pillow", "bare", number, bare),
        ]
        if number == workers[0]:
            cases += [Case("hashindex", "rescan", number, own), Case(peer, "rescan", number, other)]
    return cases


# Measuring


def measure(cases: Sequence[Case], runs: int) -> None:
    """Everything once to warm up and sample the memory, then the timed runs, the commands taking turns."""
    for case in cases:
        _run(case, sample=True)
    for _ in range(runs):
        for case in cases:
            case.seconds.append(_run(case, sample=False))


def _run(case: Case, *, sample: bool) -> float:
    if case.fresh is not None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{case.fresh}{suffix}").unlink(missing_ok=True)
    # 3: done, but some files had problems.
    ran = run(case.command, sample=sample, accepted=(0, 3))
    if sample:
        case.memory = ran.memory
        case.said = _pictures_in(case.command) if case.who == "hashindex" else ran.said
    return ran.seconds


def _pictures_in(command: Sequence[str]) -> str:
    """How many pictures the catalogue of this scan holds."""
    until_scan = command[: command.index("scan")]
    status = subprocess.run([*until_scan, "--json", "status"], check=True, capture_output=True, text=True)
    return str(json.loads(status.stdout)["states"]["present"])


# Reporting


def report(cases: Sequence[Case], pictures: int, runs: int) -> None:
    print(f"{pictures:,} pictures, {available_processors()} processors, {runs} timed runs\n")
    headers = ("", "run", "workers", "pictures", "seconds", "pictures/s", "peer / own", "own / bare")
    print_table((*headers, "PSS MB", "RSS MB", "largest MB"), [_row(case, cases) for case in cases])


def _row(case: Case, cases: Sequence[Case]) -> list[str]:
    # The notebook's one row is set against the first of the others.
    group = next(other.workers for other in cases[1:]) if case is cases[0] else case.workers
    alike = {(other.who.split()[0], other.what): other for other in cases[1:] if other.workers == group}
    bare = alike["Pillow", "bare"]
    peer = alike["image-dedup-ai", "cold" if case is bare else case.what]
    seconds = median(case.seconds)
    return [
        case.who,
        case.what,
        str(case.workers or "default"),
        case.said,
        f"{seconds:.2f}",
        f"{int(case.said) / seconds:,.0f}",
        "" if case is peer else _ratio(peer, case),
        "" if case.what != "cold" else _ratio(case, bare),
        *(f"{value / 1e6:.0f}" if value else "-" for value in case.memory),
    ]


def _ratio(upper: Case, lower: Case) -> str:
    return f"{median(a / b for a, b in zip(upper.seconds, lower.seconds, strict=True)):.2f}"


if __name__ == "__main__":
    main()
