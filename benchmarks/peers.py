"""Other programs that find equal pictures, each as groups of paths, for accuracy.py.

Each peer groups at its defaults, or by the radius in its name. A peer that is not installed raises Absent with a
sentence. None of them changes a picture; they store their files in a temporary folder.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from common import pictures_below

from hashindex.hashing.unionfind import UnionFind

Groups = list[list[str]]
"""Absolute paths, two or more a group."""

PASSES = (8, 11, 14, 17)
"""Radii of the notebook, one after the other."""


class Absent(Exception):
    """Why a peer cannot run here: a sentence."""


class Peer(NamedTuple):
    name: str
    rule: str
    """By what it groups, in words."""
    groups: Callable[[Path], Groups]


def peers() -> list[Peer]:
    radii = [Peer("ImageHash, union-find", f"phash, {radius}", within(radius)) for radius in (4, 8, 10)]
    return [
        *radii,
        Peer("the notebook", f"dhash, passes {', '.join(map(str, PASSES))}", notebook),
        Peer("image-dedup-ai", "its default", image_dedup_ai),
        Peer("czkawka (Python)", "its default", czkawka),
        Peer("imagededup", "PHash, its default", lambda root: imagededup(root, "PHash")),
        Peer("imagededup", "CNN, its default", lambda root: imagededup(root, "CNN")),
    ]


# ImageHash alone


class Hashed(NamedTuple):
    path: str
    phash: int
    dhash: int


@cache
def hashed(root: Path) -> list[Hashed]:
    """As the notebook did it: whatever Pillow opens, without flattening what is transparent."""
    import imagehash
    from PIL import Image

    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in pictures_below(root):
            try:
                with Image.open(path) as image:
                    values = [int(str(algorithm(image)), 16) for algorithm in (imagehash.phash, imagehash.dhash)]
            except Exception:  # noqa: BLE001 - decoders raise anything; the notebook skipped what it could not read
                continue
            found.append(Hashed(str(path), *values))
    return found


def within(radius: int) -> Callable[[Path], Groups]:
    """Union-find over all pairs of pHash within so many of 64 bits."""

    def groups(root: Path) -> Groups:
        import numpy as np

        pictures = hashed(root)
        keys = np.array([picture.phash for picture in pictures], np.uint64)
        sets = UnionFind()
        for number, key in enumerate(keys):
            near = np.flatnonzero(np.bitwise_count(keys[number + 1 :] ^ key) <= radius) + number + 1
            sets.join_all((number, int(other)) for other in near)
        return [[pictures[id].path for id in ids] for ids in sets.sets()]

    return groups


def notebook(root: Path) -> Groups:
    """Hashes in sorted order, each compared with the one before it alone; each pass takes what the last left over."""
    left = sorted(hashed(root), key=lambda picture: picture.dhash)
    found: Groups = []
    for radius in PASSES:
        runs: list[list[Hashed]] = []
        for picture in left:
            if runs and (runs[-1][-1].dhash ^ picture.dhash).bit_count() <= radius:
                runs[-1].append(picture)
            else:
                runs.append([picture])
        found += [[picture.path for picture in run] for run in runs if len(run) > 1]
        left = [run[0] for run in runs if len(run) == 1]
    return found


# Programs and libraries


def image_dedup_ai(root: Path) -> Groups:
    try:
        from image_dedup_ai import Index
    except ImportError as error:
        raise _not_installed("image-dedup-ai", error) from error
    with tempfile.TemporaryDirectory() as place, Index(os.path.join(place, "index")) as index:
        index.add([str(root)])
        result = index.find_duplicates()
        return [list(group) for group in result.groups]


def czkawka(root: Path) -> Groups:
    try:
        from czkawka import ImageSimilarity
    except ImportError as error:
        raise _not_installed("czkawka", error) from error
    finder = ImageSimilarity()
    finder.set_directories([root])
    return [[str(path) for path in group] for group in finder.find_similar()]


IMAGEDEDUP = """
import json, sys
from imagededup import methods
method = getattr(methods, sys.argv[1])()
found = method.find_duplicates(image_dir=sys.argv[2], recursive=True, **json.loads(sys.argv[3]))
print(json.dumps(found))
"""


def imagededup(root: Path, method: str) -> Groups:
    """$IMAGEDEDUP_PYTHON is a Python that has it, where this one has not: it brings PyTorch along."""
    python = os.environ.get("IMAGEDEDUP_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import imagededup"], capture_output=True, check=False).returncode:
        raise Absent("imagededup is not installed")
    done = subprocess.run(
        [python, "-c", IMAGEDEDUP, method, str(root), json.dumps({"num_enc_workers": 0})],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Absent(
            f"imagededup's {method} did not run: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
        )
    near: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return _joined((os.path.join(root, name), [os.path.join(root, other) for other in of]) for name, of in near.items())


def _joined(near: Iterable[tuple[str, Sequence[str]]]) -> Groups:
    numbers: dict[str, int] = {}
    sets = UnionFind()
    for path, others in near:
        one = numbers.setdefault(path, len(numbers))
        sets.join_all((one, numbers.setdefault(other, len(numbers))) for other in others)
    paths = list(numbers)
    return [[paths[id] for id in ids] for ids in sets.sets() if len(ids) > 1]


def _not_installed(package: str, error: ImportError) -> Absent:
    return Absent(f"{package} is not installed ({error})")
