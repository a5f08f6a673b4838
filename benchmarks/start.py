"""Times the start of commands beside a Python that imports NumPy and Pillow.

    python benchmarks/start.py [--pictures N] [--runs N]

Draws N small pictures in a temporary folder, one in ten a copy of another in a second format, and scans them once.
Then each command runs with that catalogue. They take turns, run by run. ms: the median of the processor time of a run,
user and system, with all processes that it started. x: the medians of its ratios to the first and to the second row in
the same turn.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from operator import truediv
from pathlib import Path
from statistics import median

from common import count, print_table
from PIL import Image, ImageDraw

BASE = (sys.executable, "-c", "import numpy, PIL.Image")
ONE_THREAD = (sys.executable, "-c", "import os; os.environ['OPENBLAS_NUM_THREADS'] = '1'; import numpy, PIL.Image")
"""As hashindex imports NumPy: OpenBLAS starts no thread for each processor."""
HASHINDEX = (sys.executable, "-c", "from hashindex.__main__ import main; main()")
"""As the script that pip installs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=count, default=5_000, metavar="N", help="[default: 5000]")
    parser.add_argument("--runs", type=count, default=15, metavar="N", help="timed runs of each [default: 15]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
        folder = Path(temporary, "pictures")
        draw(folder, arguments.pictures)
        edited = Path(temporary, "edited.jpg")
        with Image.open(folder / "00000.png") as image:
            image.resize((120, 120)).save(edited, quality=60)
        os.environ["HASHINDEX_CATALOGUE"] = str(Path(temporary, "catalogue.db"))
        subprocess.run([*HASHINDEX, "scan", "-q", folder], check=True)
        commands = {
            "Python, NumPy and Pillow": BASE,
            "the same, OpenBLAS in one thread": ONE_THREAD,
            "--version": (*HASHINDEX, "--version"),
            "--help": (*HASHINDEX, "--help"),
            "status": (*HASHINDEX, "status"),
            "groups": (*HASHINDEX, "groups"),
            "query, a picture of the catalogue": (*HASHINDEX, "query", str(folder / "00000.png")),
            "query, an edited picture": (*HASHINDEX, "query", str(edited)),
        }
        runs: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.runs + 1):
            for name, command in commands.items():
                runs[name].append(cpu_seconds(command))
    print(f"{arguments.pictures:,} pictures, {arguments.runs} runs\n")
    # The first run of each fills the caches of the disk and of compiled modules.
    timed = {name: took[1:] for name, took in runs.items()}
    base, one_thread, *_ = timed.values()
    rows = [
        (
            name,
            f"{median(took) * 1000:.0f}",
            f"{median(map(truediv, took, base)):.2f}",
            f"{median(map(truediv, took, one_thread)):.2f}",
        )
        for name, took in timed.items()
    ]
    print_table(("", "ms", "x", "x, one thread"), rows, markdown=True)


def cpu_seconds(command: Sequence[str]) -> float:
    """Processor seconds of a command and the processes that it waited for. Ends this program if the command fails."""
    # As people run it: from the second time on Python's modules are compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def draw(folder: Path, pictures: int) -> None:
    """Shapes at random places, so that the hashes differ; one picture in ten is saved as JPEG too."""
    folder.mkdir()
    rng = random.Random(0)
    number = 0
    while number < pictures:
        image = Image.new("RGB", (96, 96), (rng.randrange(256), rng.randrange(256), rng.randrange(256)))
        pen = ImageDraw.Draw(image)
        for _ in range(12):
            x, y = rng.randrange(96), rng.randrange(96)
            box = (x, y, x + rng.randrange(8, 60), y + rng.randrange(8, 60))
            rng.choice((pen.ellipse, pen.rectangle))(box, fill=tuple(rng.randrange(256) for _ in range(3)))
        image.save(folder / f"{number:05}.png")
        number += 1
        if number % 10 == 1 and number < pictures:
            image.save(folder / f"{number:05}.jpg")
            number += 1


if __name__ == "__main__":
    main()
