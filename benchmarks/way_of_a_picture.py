"""Counts how many modules a picture passes from `scan` to `groups`, and how often the module changes.

    python benchmarks/way_of_a_picture.py [--pictures 1] [--trace]

Few modules and few changes mean code that can be followed. Everything runs in this process, the work of the worker
processes too. A change is a call of a function whose module is not the module of the call before it. --trace prints
each of them as module:function.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from types import FrameType
from typing import ParamSpec, TypeVar

from PIL import Image

from hashindex import HashIndex

Given = ParamSpec("Given")
Made = TypeVar("Made")


class InThisProcess(Executor):
    """Does each task at once, so that the profiler sees it."""

    def submit(self, fn: Callable[Given, Made], /, *args: Given.args, **kwargs: Given.kwargs) -> Future[Made]:
        future: Future[Made] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print every change of module")
    given = parser.parse_args()

    entered: Counter[str] = Counter()
    way: list[str] = []

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        if event != "call" or not module.startswith("hashindex"):
            return
        entered[module] += 1
        if not way or way[-1].split(":")[0] != module:
            way.append(f"{module}:{frame.f_code.co_qualname}")

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "pictures")
        folder.mkdir()
        for number in range(given.pictures):
            Image.effect_noise((150, 150), 60).resize((300, 300)).save(folder / f"{number}.png")
        index = HashIndex(Path(temporary, "catalogue.db"))
        sys.setprofile(profile)
        try:
            index.scan([folder], executor=InThisProcess())
            index.groups()
        finally:
            sys.setprofile(None)
    if given.trace:
        print("\n".join(way))
    print(f"{given.pictures} pictures: {len(entered)} modules entered, {len(way) - 1} changes of module")


if __name__ == "__main__":
    main()
