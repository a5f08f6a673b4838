"""Measures what preparing and hashing a picture costs, and which bits its shortcuts change.

    python benchmarks/preparation.py FOLDER [--runs N]

Detail      pictures whose detail is under each of several gates: below decode.DETAIL_GATE no hash is compared.
Reduced     bits by which each hash of a JPEG that is decoded at 1/2, 1/4 or 1/8 differs from the same preparation after
            a full decode; of the folder's own JPEGs, and of large ones made from its pictures: enlarged, then blurred,
            and even gradients. "again": how many pixels.is_steady had decoded in full, which then differ by nothing.
Decoding    decode() beside Pillow's open and load (JPEG as luma, at decode's own size), by format, one process.
Hashing     hashes.compute for all six beside ImageHash's functions one by one, on the same prepared pictures.
Digest      SHA-256, by which contents are identified, beside blake2b.

Times are medians of the runs, in which what is compared takes turns, and ratios are medians of the runs' ratios.
"""

import argparse
import hashlib
import io
import os
import random
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar
from unittest.mock import patch

from common import bare_decode, count, folder, pictures_below, print_table

from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.pictures import decode as decoding
from hashindex.pictures.decode import DETAIL_GATE, decode, set_pillow_limits
from hashindex.pictures.pixels import SIDE, jpeg_scale

GATES = (4, 6, 8, 10, 12)
BATCH = 256
"""As many pictures as a scan hashes at a time."""
DIGEST_BYTES = 16 * 2**20
MOST_DIGESTED = 256 * 2**20
"""As much of the folder is held in memory to be digested."""
MADE = 100
"""About as many pictures are made of each kind."""
LIMITS = Limits()
Thing = TypeVar("Thing")


def main() -> None:
    # As the command line does, before NumPy is first imported: its threads would wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("--runs", type=count, default=3, metavar="N", help="timed runs of each [default: 3]")
    arguments = parser.parse_args()
    paths = pictures_below(arguments.folder)
    if not paths:
        parser.error(f"there are no pictures in {arguments.folder}")
    # decode never warns; the bare decode beside it would.
    warnings.simplefilter("ignore")
    set_pillow_limits(LIMITS)
    decoded = {path: decode(path.read_bytes(), LIMITS) for path in paths}
    hashed = {path: picture for path, picture in decoded.items() if picture.prepared is not None}
    print(f"{len(paths):,} pictures, of which {len(hashed):,} can be hashed")
    detail(list(hashed.values()))
    reduced({path: picture for path, picture in hashed.items() if picture.format == "jpeg"}, list(hashed))
    decode_times({path: picture.format for path, picture in hashed.items() if not picture.problem}, arguments.runs)
    hash_times([picture.prepared for picture in hashed.values() if picture.prepared], arguments.runs)
    digest_times(paths, arguments.runs)


def detail(pictures: Sequence[Decoded]) -> None:
    print(f"\nDetail (the gate is {DETAIL_GATE})\n")
    rows = []
    for gate in GATES:
        under = sum(picture.detail < gate for picture in pictures)
        rows.append((f"under {gate}", under, f"{100 * under / max(1, len(pictures)):.2f} %"))
    print_table(("detail", "pictures", "share"), rows)


def reduced(jpegs: dict[Path, Decoded], pictures: Sequence[Path]) -> None:
    from hashindex.hashing.recipes import RECIPES

    sources = pictures[:: max(1, len(pictures) // MADE)]
    kinds: dict[str, Iterator[bytes]] = {"the folder's": (path.read_bytes() for path in jpegs)}
    kinds |= {kind: made(kind, sources) for kind in ("enlarged", "blurred", "gradients")}
    rows = []
    for kind, files in kinds.items():
        count = again = 0
        differing: list[list[int]] = []
        for data in files:
            count += 1
            bits, full = bits_by_reduction(data)
            again += full
            differing += [bits] if bits else []
        if not differing:
            continue
        columns = list(zip(*differing, strict=True))
        rows.append((kind, count, len(differing), again, *(f"{sum(bits) / count:.3f}" for bits in columns)))
        rows.append(("  of those reduced", "", "", "", *(f"{sum(bits) / len(bits):.2f}" for bits in columns)))
        rows.append(("  largest", "", "", "", *(max(bits) for bits in columns)))
    print("\nReduced: bits that differ from a full decode, mean\n")
    print_table(("JPEGs", "all", "reduced", "again", *(recipe.name for recipe in RECIPES)), rows)


def bits_by_reduction(data: bytes) -> tuple[list[int], bool]:
    """Bits that differ from the same preparation after a full decode, by recipe; none of a JPEG that is not reduced.

    And whether decode itself found that it had to decode it in full.
    """
    from hashindex.hashing import recipes

    header = decode(data, LIMITS)
    if jpeg_scale(header.width, header.height) == 1 or header.prepared is None:
        return [], False
    # Only decode's own use is replaced: the whole factor still follows from the size, all of it by box averages.
    with patch.object(decoding, "jpeg_scale", lambda width, height: 1):
        full = decode(data, LIMITS).prepared
    with patch.object(decoding, "is_steady", lambda small: True):
        once = decode(data, LIMITS).prepared
    assert full is not None
    values = recipes.compute([header.prepared, full])
    bits = [
        (int.from_bytes(values[0][recipe.name], "big") ^ int.from_bytes(values[1][recipe.name], "big")).bit_count()
        for recipe in recipes.RECIPES
    ]
    return bits, header.prepared != once


def made(kind: str, sources: Sequence[Path]) -> Iterator[bytes]:
    """Large JPEGs of which little is known but their kind; the same in every run."""
    from PIL import Image, ImageFilter

    dice = random.Random(kind)
    for source in sources:
        side = dice.choice((500, 700, 900, 1300, 2000, 3000))
        if kind == "gradients":
            ramp = dice.choice((Image.linear_gradient, Image.radial_gradient))("L").rotate(dice.choice((0, 33, 77, 90)))
            least, span = dice.randrange(150), dice.randrange(20, 106)
            levels = [least + level * span // 255 for level in range(256)]
            image = ramp.resize((side, side * dice.choice((9, 12, 16)) // 12), Image.Resampling.BICUBIC).point(levels)
        else:
            try:
                with Image.open(source) as opened:
                    image = opened.convert("RGB")
            except Exception:  # noqa: BLE001 - decoders raise anything
                continue
            scale = side / min(image.size)
            if max(image.size) * scale > 5000:
                continue
            size = round(image.width * scale), round(image.height * scale)
            image = image.resize(size, Image.Resampling.LANCZOS)
            if kind == "blurred":
                image = image.filter(ImageFilter.GaussianBlur(side * dice.choice((0.01, 0.02, 0.05, 0.1))))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=dice.choice((75, 85, 92)))
        yield buffer.getvalue()


def decode_times(format_of: dict[Path, str], runs: int) -> None:
    print("\nDecoding, microseconds a picture\n")
    files: dict[str, list[Path]] = defaultdict(list)
    for path, name in format_of.items():
        if _is_bare(path):
            files[name].append(path)
    times: dict[str, list[list[float]]] = {name: [[], []] for name in files}
    sides: tuple[Callable[[bytes], object], ...] = (bare_decode, lambda data: decode(data, LIMITS))
    for _ in range(runs):
        for name, paths in files.items():
            sums = [0.0, 0.0]
            for number, path in enumerate(paths):
                data = path.read_bytes()
                # Whichever comes second finds warmer caches, so they take turns picture by picture too.
                for side in (0, 1) if number % 2 else (1, 0):
                    sums[side] += _seconds(partial(sides[side], data))
            for side in (0, 1):
                times[name][side].append(sums[side] / len(paths) * 1e6)
    rows = [
        (
            name,
            len(files[name]),
            f"{median(times[name][0]):.0f}",
            f"{median(times[name][1]):.0f}",
            f"{median(own / bare for bare, own in zip(*times[name], strict=True)):.2f}",
        )
        for name in sorted(files, key=lambda name: -len(files[name]))
    ]
    print_table(("format", "pictures", "open and load", "decode()", "ratio"), rows)


def _is_bare(path: Path) -> bool:
    """Whether Pillow reads it without our help too; not so for some damaged files."""
    try:
        bare_decode(path.read_bytes())
    except Exception:  # noqa: BLE001 - decoders raise anything
        return False
    return True


def hash_times(prepared: Sequence[bytes], runs: int) -> None:
    import imagehash
    from PIL import Image

    from hashindex.hashing import recipes

    functions: dict[str, Callable[[Image.Image], object]] = {
        "phash": imagehash.phash,
        "dhash": imagehash.dhash,
        "ahash": imagehash.average_hash,
        "whash": imagehash.whash,
        "phash256": lambda image: imagehash.phash(image, hash_size=16),
        "dhash256": lambda image: imagehash.dhash(image, hash_size=16),
    }
    images = [Image.frombytes("L", (SIDE, SIDE), picture) for picture in prepared]
    theirs: dict[str, list[float]] = defaultdict(list)
    ours: list[float] = []
    alone: list[float] = []
    some = prepared[:: max(1, len(prepared) // 200)]

    def in_batches() -> None:
        for start in range(0, len(prepared), BATCH):
            recipes.compute(prepared[start : start + BATCH])

    def one_by_one() -> None:
        for picture in some:
            recipes.compute([picture])

    recipes.compute(prepared[:BATCH])
    for function in functions.values():
        function(images[0])
    for _ in range(runs):
        ours.append(_seconds(in_batches) / len(prepared) * 1e6)
        alone.append(_seconds(one_by_one) / len(some) * 1e6)
        for name, function in functions.items():
            theirs[name].append(_seconds(partial(_each, function, images)) / len(images) * 1e6)
    totals = [sum(times) for times in zip(*theirs.values(), strict=True)]
    print("\nHashing, microseconds a picture\n")
    rows: list[tuple[str, str, str]] = [
        (f"ImageHash {name}", f"{median(times):.0f}", "") for name, times in theirs.items()
    ]
    rows.append(("ImageHash, all six", f"{median(totals):.0f}", "1.0"))
    for words, own in ((f"compute, batches of {BATCH}", ours), ("compute, one at a time", alone)):
        rows.append((words, f"{median(own):.0f}", f"{median(a / b for a, b in zip(totals, own, strict=True)):.1f}"))
    print_table(("", "time", "times as fast"), rows)


def digest_times(paths: Sequence[Path], runs: int) -> None:
    print("\nDigest, nanoseconds a byte\n")
    files: list[bytes] = []
    volume = 0
    for path in paths:
        if volume < MOST_DIGESTED:
            files.append(path.read_bytes())
            volume += len(files[-1])
    block = os.urandom(DIGEST_BYTES)
    digests: dict[str, Callable[[bytes], object]] = {"sha256": hashlib.sha256, "blake2b": hashlib.blake2b}
    on_block: dict[str, list[float]] = defaultdict(list)
    on_files: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        for name, digest in digests.items():
            on_block[name].append(_seconds(partial(digest, block)) / len(block) * 1e9)
            on_files[name].append(_seconds(partial(_each, digest, files)) / volume * 1e9)
    rows = [(name, f"{median(on_block[name]):.2f}", f"{median(on_files[name]):.2f}") for name in digests]
    print_table(("", "one block of 16 MiB", "the files one by one"), rows)


def _each(action: Callable[[Thing], object], things: Sequence[Thing]) -> None:
    for thing in things:
        action(thing)


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
