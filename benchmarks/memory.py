"""Measures the peak memory of whole commands, with all processes that they start.

    python benchmarks/memory.py [--cold N ...] [--rescan N] [--workers N]
                                [--catalogue CATALOGUE --contents N ... [--judged]]

Needs the extra `bench`. Every row is one run of a command on files that are made for it in a temporary folder.

scan, cold      `hashindex scan -q` of N small pictures with a fresh catalogue
rescan          the same again with nothing changed
others          on catalogues of N contents, whose keys are made from those of CATALOGUE (see synthetic.py) and whose
                neighbours are kept, as after a scan; about 110,000 groups in a million. `groups` at the levels and the
                plan of `organize` with --judged only: each content has a look and two verdicts then, nearly five
                kilobytes, and a million take ten minutes to make. CATALOGUE must be of today's hashindex.
                `scan` is of an empty folder, `scan, new` of some 30 drawn pictures, which are compared with all

Memory is sampled every 50 ms: peak of the sum over the process tree, as PSS (Linux; shared pages counted once) and as
RSS (shared pages counted in every process), and the largest RSS of a single process. Larger pictures take more: a
worker holds one decoded picture at a time. The rows of a kind are one function, below `# Rows`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common import Memory, count, make_tree, print_table, run

FILES_A_FOLDER = 100
COPIES = 0.13


class Row(NamedTuple):
    """One run of a command. size: how many pictures there are."""

    command: str
    size: int
    seconds: float
    memory: Memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cold", type=count, nargs="+", default=[1_000, 20_000], metavar="N", help="pictures [default: 1000 20000]"
    )
    parser.add_argument("--rescan", type=count, default=100_000, metavar="N", help="pictures [default: 100000]")
    parser.add_argument("--workers", type=count, metavar="N", help="of a scan [default: one a processor]")
    parser.add_argument("--catalogue", type=Path, metavar="CATALOGUE", help="any that hashindex scan made")
    parser.add_argument("--contents", type=count, nargs="+", default=[5_000, 1_000_000], metavar="N")
    parser.add_argument("--judged", action="store_true", help="with looks and verdicts")
    arguments = parser.parse_args()
    rows = []
    for size in arguments.cold:
        rows += list(scans(size, arguments.workers, again=False))
    rows += list(scans(arguments.rescan, arguments.workers, again=True))
    for size in arguments.contents if arguments.catalogue else ():
        rows += list(questions(arguments.catalogue, size, judged=arguments.judged))
    print_table(("", "pictures", "seconds", "PSS MB", "RSS MB", "largest MB"), [cells(row) for row in rows])


def cells(row: Row) -> list[str]:
    memory = (f"{value / 1e6:.0f}" if value else "-" for value in row.memory)
    return [row.command, f"{row.size:,}", f"{row.seconds:.1f}", *memory]


# Rows


def scans(size: int, workers: int | None, *, again: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
        room = Path(temporary)
        make_tree(room / "pictures", size, max(1, size // FILES_A_FOLDER))
        # Settings of the user must not change what is scanned.
        settings = room / "settings.toml"
        settings.touch()
        command = [sys.executable, "-m", "hashindex", "--catalogue", str(room / "catalogue.db")]
        command += ["--config", str(settings), "scan", "-q", str(room / "pictures")]
        if workers:
            command += ["--workers", str(workers)]
        for what in ("scan, cold", "rescan") if again else ("scan, cold",):
            ran = run(command, sample=True)
            yield Row(what, size, ran.seconds, ran.memory)


def questions(real: Path, size: int, *, judged: bool) -> Iterator[Row]:
    from synthetic import make_catalogue, real_hashes, real_looks

    from hashindex.commands.samples import make_samples
    from hashindex.index.neighbours import keep_neighbours
    from hashindex.store.catalogue import Catalogue

    with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
        room = Path(temporary)
        path, pictures, empty = room / "catalogue.db", room / "pictures", room / "empty"
        make_catalogue(path, size, real_hashes(real), COPIES, looks=real_looks(real) if judged else ())
        with Catalogue(path, write=True) as catalogue:
            keep_neighbours(catalogue)
        make_samples(pictures)
        empty.mkdir()
        (room / "settings.toml").touch()
        asked = min(one for one in pictures.rglob("*") if one.suffix == ".png")
        commands = {
            "query": ["query", str(asked)],
            "groups --hash": ["groups", "--hash", "phash256"],
            "groups --hash --json": ["groups", "--hash", "phash256", "--json"],
            "status": ["status"],
            "scan": ["scan", "-q", str(empty)],
        }
        if judged:
            for level in ("copies", "similar"):
                commands[f"groups, {level}"] = ["groups", "--level", level, "--json"]
                commands[f"organize, {level}"] = ["organize", str(room / "there"), "--level", level]
            commands["scan, new"] = ["scan", "-q", str(pictures)]
        common = ["--catalogue", str(path), "--config", str(room / "settings.toml")]
        for what, words in commands.items():
            # 3: some of the drawn files are broken.
            ran = run([sys.executable, "-m", "hashindex", *common, *words], sample=True, accepted=(0, 1, 3))
            yield Row(what, size, ran.seconds, ran.memory)


if __name__ == "__main__":
    main()
