"""Rules out, by keys and sizes alone, candidate pairs that cannot be copies. Does no I/O.

A scan judges the other candidates; pairs that are ruled out are judged when variants are wanted, and are never copies.
Boosted trees that benchmarks/train_prefilter.py trained on verdicts give the chance that the judge does not refuse
the pair as copies. The bound is so low that hardly any copy is lost (docs/judgement.md).
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.judge.candidates import OWN, STEPS_RADIUS, WAVES_RADIUS, words_of
from hashindex.judge.trees import Trees

FEATURES: Final = (
    "waves",
    "steps",
    "both",
    "waves_whole",
    "steps_whole",
    "waves_inside",
    "steps_inside",
    "waves_own",
    "steps_own",
    "both_own",
    "near_waves",
    "near_steps",
    "views_of_a",
    "views_of_b",
    "mixed",
    "animated",
    "shape",
    "area",
)
"""The names of the numbers that rows_of returns, in order. Distances are in bits; the first ten and the two counts of
near keys are of the two views that are nearest to each other."""

NO_COPY: Final = 0.02
"""Below this probability a pair is ruled out as copies."""

_WORK: Final = 2_000_000
# Pairs of keys that are compared at once.


class KeyedPicture(NamedTuple):
    """What the prefilter knows of a picture."""

    keys: bytes
    """As candidates.packed_keys makes them, not empty."""
    width: int
    height: int
    frames: int


Pairs = Sequence[tuple[int, int]]


def ruled_out(pairs: Pairs, pictures: Mapping[int, KeyedPicture]) -> list[tuple[int, int]]:
    """The pairs that cannot be copies. pictures: of all ids in pairs. Cost: 20 us a pair, more with many frames."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        is_out = _trees().probabilities(rows_of(chunk, pictures)) < NO_COPY
        found += [chunk[number] for number in np.flatnonzero(is_out).tolist()]
    return found


_CHUNK: Final = 4_096


def rows_of(pairs: Pairs, pictures: Mapping[int, KeyedPicture]) -> NDArray[np.float32]:
    """The features of each pair, of shape (pairs, FEATURES). The order of the two pictures does not matter."""
    # A pair has the same features in every catalogue, whichever id is lower.
    sides = [sorted((pictures[a], pictures[b])) for a, b in pairs]
    views = {picture: words_of(picture.keys) for pair in sides for picture in pair}
    by_shape: dict[tuple[int, int], list[int]] = {}
    for number, (one, other) in enumerate(sides):
        by_shape.setdefault((len(views[one]), len(views[other])), []).append(number)
    rows = np.empty((len(pairs), len(FEATURES)), np.float32)
    for (one_views, other_views), numbers in by_shape.items():
        step = max(1, _WORK // (one_views * other_views * views[sides[numbers[0]][0]][0].size ** 2))
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            keys = [np.stack([views[sides[number][side]] for number in some]) for side in (0, 1)]
            rows[some, :-4] = _of_keys(*keys)
    for number, (one, other) in enumerate(sides):
        rows[number, -4:] = _of_sizes(one, other)
    return rows


def _of_keys(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The features by keys. one, other: of shape (pairs, views, kinds, keys)."""
    bits = np.bitwise_count(one[:, :, None, :, :, None] ^ other[:, None, :, :, None, :])
    bits[..., OWN:, OWN:] = 64  # two parts are never compared
    nearest = bits.min(axis=(3, 4, 5))
    pairs = np.arange(len(one))
    i, j = np.unravel_index(nearest.reshape(len(one), -1).argmin(axis=1), nearest.shape[1:])
    waves, steps = (bits[pairs, i, j, kind].astype(np.int64) for kind in (0, 1))
    both = waves + steps
    own = np.s_[:, :OWN, :OWN]
    return np.stack(
        [
            *(table.min(axis=(1, 2)) for table in (waves, steps, both)),
            *(table[:, part, part] for part in range(OWN) for table in (waves, steps)),
            *(table[own].min(axis=(1, 2)) for table in (waves, steps, both)),
            (waves <= WAVES_RADIUS).sum(axis=(1, 2)),
            (steps <= STEPS_RADIUS).sum(axis=(1, 2)),
            nearest.min(axis=2).mean(axis=1),
            nearest.min(axis=1).mean(axis=1),
        ],
        axis=1,
    ).astype(np.float32)


def _of_sizes(one: KeyedPicture, other: KeyedPicture) -> tuple[float, ...]:
    animated = one.frames > 1, other.frames > 1
    (width, height), (other_width, other_height) = (
        (max(1, picture.width), max(1, picture.height)) for picture in (one, other)
    )
    shape = abs(float(np.log((width / height) / (other_width / other_height))))
    area = abs(float(np.log((width * height) / (other_width * other_height))))
    return float(animated[0] is not animated[1]), float(all(animated)), shape, area


@cache
def _trees() -> Trees:
    return trees_of(json.loads(resources.files(__package__).joinpath("prefilter.json").read_text()))


def trees_of(data: dict[str, Any]) -> Trees:
    """Reads what train_prefilter.py writes. ValueError if it was trained on other features."""
    if tuple(data["features"]) != FEATURES:
        raise ValueError("These trees were trained on other features; run benchmarks/train_prefilter.py.")
    return Trees.of(data)
