"""Runs the tests of the compiled functions with sanitizers for memory and undefined behaviour.

    python benchmarks/sanitize.py [--compiler gcc]

Builds hashindex/judge/_kernels.c with -fsanitize=address,undefined in a copy of the repository, and runs
tests/test_compiled.py there: hostile arrays (empty, of other types, strides and shapes, numbers that are no numbers),
all pairs of the test pictures, and random frames. Needs gcc or clang. Exit code 1 after a finding.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ("-g", "-O1", "-ffp-contract=off", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-fPIC", "-shared")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="gcc", help="[default: gcc]")
    compiler = parser.parse_args().compiler
    with tempfile.TemporaryDirectory(prefix="sanitize-") as temporary:
        place = Path(temporary)
        for name in ("hashindex", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        source = place / "hashindex" / "judge" / "_kernels.c"
        # The sanitizers start after the loader has chosen between two versions of a loop, so there is only one.
        macros = ["-DPy_LIMITED_API=0x030b0000", "-DNO_CLONES"]
        include = f"-I{sysconfig.get_paths()['include']}"
        target = ["-o", str(source.with_suffix(".abi3.so")), "-lm"]
        build = [compiler, *FLAGS, "-fsanitize=address,undefined", *macros, include, str(source), *target]
        subprocess.run(build, check=True)
        asan, ubsan = (
            subprocess.run(
                [compiler, f"-print-file-name=lib{name}.so"], check=True, capture_output=True, text=True
            ).stdout.strip()
            for name in ("asan", "ubsan")
        )
        environment = {
            **os.environ,
            "LD_PRELOAD": f"{asan}:{ubsan}",
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",  # CPython itself leaves memory at its end
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": str(place),
        }
        environment.pop("HASHINDEX_NO_COMPILED", None)
        uses = "from hashindex.judge import compiled; assert compiled.kernels, compiled.why_not"
        subprocess.run([sys.executable, "-c", uses], cwd=place, env=environment, check=True)
        tests = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-rs", "tests/test_compiled.py"]
        return min(1, abs(subprocess.run(tests, cwd=place, env=environment, check=False).returncode))


if __name__ == "__main__":
    sys.exit(main())
