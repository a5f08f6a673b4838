"""Measures what an installation of this copy of the repository takes on the disk, package by package.

    python benchmarks/install_size.py

Makes a fresh virtual environment in a temporary folder and installs into it with pip. MB: the files that pip recorded
for a package. without .pyc: without the compiled modules, which pip writes and uv does not write.
"""

import argparse
import importlib.metadata
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from common import print_table

REPOSITORY = Path(__file__).resolve().parent.parent
MB = 1_000_000


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
        venv.create(temporary, with_pip=True)
        python = Path(temporary, "Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        tools = set(sizes(python))
        subprocess.run([python, "-m", "pip", "install", "--quiet", REPOSITORY], check=True)
        found = {name: size for name, size in sizes(python).items() if name not in tools}
    rows = sorted(found.items(), key=lambda row: -row[1][0])
    rows.append(("all", (sum(size for _, (size, _) in rows), sum(least for _, (_, least) in rows))))
    print_table(
        ("", "MB", "without .pyc"),
        [(name, f"{size / MB:.1f}", f"{least / MB:.1f}") for name, (size, least) in rows],
        markdown=True,
    )


def sizes(python: Path) -> dict[str, tuple[int, int]]:
    """Bytes of each installed package, with and without compiled modules."""
    asked = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = {}
    for package in importlib.metadata.distributions(path=[asked.stdout.strip()]):
        files = [path for path in map(Path, map(str, map(package.locate_file, package.files or ()))) if path.is_file()]
        of = {path: path.stat().st_size for path in files}
        found[package.name] = sum(of.values()), sum(size for path, size in of.items() if path.suffix != ".pyc")
    return found


if __name__ == "__main__":
    main()
