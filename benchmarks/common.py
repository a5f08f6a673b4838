"""Shared by the benchmarks: finding and making pictures, the bare decode, running and sampling commands, tables."""

import argparse
import io
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hashindex.pictures import formats

if TYPE_CHECKING:
    import psutil

SAMPLE_S = 0.05
LONG_AGO_NS = 1_600_000_000_000_000_000
"""An mtime so old that no scan takes the file for just written."""


class Memory(NamedTuple):
    """Peaks in bytes of a command's processes; 0 where the system does not say.

    pss and rss are sums over the process tree, in PSS (Linux; shared pages counted once) and RSS (shared pages counted
    in every process); largest is the largest RSS of a single process.
    """

    pss: int
    rss: int
    largest: int


NOTHING = Memory(0, 0, 0)


class Ran(NamedTuple):
    """What one run of a command took, and what it printed."""

    seconds: float
    memory: Memory
    said: str
    cpu_s: float = 0.0
    """User and system time of all its processes, sampled like the memory; 0 if it was not sampled."""


def half_of(name: str) -> int:
    """0 or 1: half of the labelled pictures, by the name of an original or of a folder, to train on or to test with."""
    return zlib.crc32(name.encode()) % 2


def folder(text: str) -> Path:
    """An argparse type: a folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return path.resolve()


def count(text: str) -> int:
    """An argparse type: a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def pictures_below(root: Path) -> list[Path]:
    """Every regular file below root that is a picture by its first bytes, by path."""
    found = []
    for parent, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as source:
                    if formats.sniff(source.read(formats.HEAD_BYTES)) is not None:
                        found.append(path)
    return found


def make_tree(root: Path, files: int, folders: int = 1, others: int = 0) -> None:
    """Small files with old mtimes: in root itself, or as evenly as can be in so many folders below it.

    others: how many in a hundred are no pictures. The pictures are one PNG of 32 x 32 pixels, each with other bytes
    after its end, so that no two have the same digest and few the same size.
    """
    picture = _png(32)
    root.mkdir(parents=True)
    made = None
    for number in range(files):
        folder = number * folders // files
        # Two levels, as clients keep them: 50,000 folders in one would be a shape of its own.
        place = root / f"{folder // 250:04}" / f"{folder:06}" if folders > 1 else root
        if place != made:
            place.mkdir(parents=True, exist_ok=True)
            made = place
        is_picture = number % 100 >= others
        path = place / f"{number:08}{'.png' if is_picture else '.txt'}"
        path.write_bytes((picture if is_picture else b"") + b"%08d" % number + bytes(number % 1009))
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def _png(side: int) -> bytes:
    """Grey checks with enough detail for a hash. Without Pillow: see bare_decode."""
    rows = b"".join(b"\0" + bytes((x * y * 37) % 251 for x in range(side)) for y in range(side))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def bare_decode(data: bytes) -> None:
    """The least that Pillow can do for a hash: open and load the first frame, JPEG as luma of decode()'s size."""
    # Not at the top: the process that watches a scan's memory has to stay small itself.
    from PIL import Image

    from hashindex.pictures.pixels import jpeg_scale

    with Image.open(io.BytesIO(data)) as image:
        if image.format == "JPEG":
            scale = jpeg_scale(*image.size)
            image.draft("L", (image.width // scale, image.height // scale))
        image.load()


# Running commands


def run(command: Sequence[str], *, sample: bool = False, accepted: Sequence[int] = (0,)) -> Ran:
    """Runs a command to its end; accepted: the exit codes that are no failure.

    sample: look at the memory of its process tree every SAMPLE_S, which slows it down a little; else only the largest
    process is known, and that only where the system counts it. Ends this program where the command fails.
    """
    # As people run it: from the second time on Python's modules are compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        memory, cpu_s = _sampled(process) if sample else (Memory(0, 0, _waited(process)), 0.0)
        seconds = time.perf_counter() - began
        if process.returncode not in accepted:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}: {said}")
        out.seek(0)
        return Ran(seconds, memory, out.read().decode(errors="replace").strip(), cpu_s)


def _sampled(process: subprocess.Popen[bytes]) -> tuple[Memory, float]:
    # Only for those who measure memory: it is of the extra `bench`.
    import psutil

    pss = rss = largest = 0
    watched = psutil.Process(process.pid)
    cpu_of: dict[int, float] = {}
    while True:
        ended, used = _ended(process)
        largest = max(largest, used)
        if ended:
            return Memory(pss, rss, largest), sum(cpu_of.values())
        tree = _tree(watched)
        for each in tree:
            cpu_of[each.pid] = max(cpu_of.get(each.pid, 0.0), _cpu_s_of(each))
        of_tree = [_memory_of(each) for each in tree]
        pss = max(pss, sum(each.pss for each in of_tree))
        rss = max(rss, sum(each.rss for each in of_tree))
        largest = max([largest, *(each.rss for each in of_tree)])
        time.sleep(SAMPLE_S)


def _waited(process: subprocess.Popen[bytes]) -> int:
    """The largest RSS that it or a child it waited for ever had, where known."""
    if not hasattr(os, "wait4"):
        process.wait()
        return 0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return _bytes_of(usage.ru_maxrss)


def _ended(process: subprocess.Popen[bytes]) -> tuple[bool, int]:
    """Whether it has ended, and then what _waited gives."""
    if not hasattr(os, "wait4"):
        return process.poll() is not None, 0
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        return False, 0
    process.returncode = os.waitstatus_to_exitcode(status)
    return True, _bytes_of(usage.ru_maxrss)


def _bytes_of(maxrss: int) -> int:
    return maxrss * (1 if sys.platform == "darwin" else 1024)


def _tree(process: "psutil.Process") -> list["psutil.Process"]:
    import psutil

    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _cpu_s_of(process: "psutil.Process") -> float:
    import psutil

    try:
        times = process.cpu_times()
    except (psutil.Error, OSError):
        return 0.0
    return float(times.user + times.system)


def _memory_of(process: "psutil.Process") -> Memory:
    import psutil

    try:
        full = process.memory_full_info()
    except (psutil.Error, OSError):
        return NOTHING
    return Memory(getattr(full, "pss", 0), full.rss, full.rss)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, markdown: bool = False) -> None:
    """The first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (headers, *rows)]
    if markdown:
        rule = ["---", *["---:"] * (len(headers) - 1)]
        for line in (cells[0], rule, *cells[1:]):
            print("| " + " | ".join(line) + " |")
        return
    widths = [max(len(line[column]) for line in cells) for column in range(len(headers))]
    for line in cells:
        first, *others = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
