"""The compiled functions of the judge against their definitions in NumPy, and against hostile arrays."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import captioned, draw, moving
from PIL import Image, ImageFilter

from hashindex.core.messages import Verdict
from hashindex.core.options import Limits
from hashindex.index.explain import Picture, read
from hashindex.judge import (
    candidates,
    classifier,
    compiled,
    features,
    fine_windows,
    keeper_detail,
    keeper_ground,
    overlap,
    pair_judge,
    planes,
    registration,
)
from hashindex.judge.pair_judge import JudgeInput, PairJudge
from hashindex.judge.planes import Frame, Plane, Surface, Template
from hashindex.judge.trees import Trees
from hashindex.pictures.isolated_worker import IsolatedWorker

needs_kernels = pytest.mark.skipif(compiled.kernels is None, reason=compiled.why_not)

Value = TypeVar("Value")


def both_ways(function: Callable[[], Value]) -> tuple[Value, Value]:
    """The results of the compiled functions and of NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "kernels", None)
        by_numpy = function()
    return function(), by_numpy


# Verdicts


def save_pictures(folder: Path) -> list[Path]:
    """Copies, crops, captions, greys, transparency, animations, small, thin and plain pictures, bars, and strangers."""
    base, other = draw(1, (240, 200)), draw(2, (240, 200))
    barred = Image.new("RGB", (240, 360))
    barred.paste(base, (0, 80))
    ringed = base.convert("RGBA")
    ringed.putalpha(Image.radial_gradient("L").resize(base.size).point(lambda level: 255 if level < 120 else 0))
    flat = Image.new("RGB", base.size, (90, 120, 90))
    flat.paste(ringed, mask=ringed.getchannel("A"))
    stills = {
        "base.png": base,
        "base.jpg": base,
        "half.png": base.resize((120, 100)),
        "crop.png": base.crop((12, 10, 240, 200)),
        "turned.png": base.rotate(2, resample=Image.Resampling.BICUBIC),
        "words.png": captioned(base, "good morning"),
        "other words.png": captioned(base, "not today"),
        "grey.png": base.convert("L"),
        "soft.png": base.filter(ImageFilter.GaussianBlur(2)),
        "bars.png": barred,
        "ring.png": ringed,
        "flat.png": flat,
        "other.png": other,
        "large.png": draw(1, (960, 800)),
        "thin.png": base.crop((0, 0, 240, 9)),
        "tiny.png": base.resize((9, 8)),
        "plain.png": Image.new("RGB", (60, 40), (12, 200, 40)),
    }
    for name, picture in stills.items():
        picture.save(folder / name)
    frames = moving(3, range(8))
    animations = {"all.gif": frames, "odd.gif": frames[::2], "back.gif": frames[::-1], "no.gif": moving(4, range(8))}
    for name, some in animations.items():
        some[0].save(folder / name, save_all=True, append_images=some[1:], duration=80, loop=0)
    return sorted(folder.iterdir())


@needs_kernels
def test_both_ways_give_the_same_verdicts_on_all_pairs(tmp_path: Path) -> None:
    limits = Limits()
    with IsolatedWorker(limits) as worker:
        sides: list[Picture] = [read(None, bytes(path), worker) for path in save_pictures(tmp_path)]
        known: dict[int, JudgeInput] = {number: side.known for number, side in enumerate(sides) if side.known}

        def verdicts() -> list[Verdict]:
            pair_judge._view_of_signature.cache_clear()
            features._aligned.cache_clear()
            judge = PairJudge(known, limits, worker)
            return [judge.verdict(a, b) for a, b in combinations(known, 2)]

        by_kernels, by_numpy = both_ways(verdicts)
    assert len({verdict.relation for verdict in by_numpy}) >= 3
    assert by_kernels == by_numpy


def frames() -> st.SearchStrategy[NDArray[np.uint8]]:
    """YCbCr pixels: constant, noise, ramps, stripes and patches of any small size."""

    def made(height: int, width: int, kind: str, seed: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[:height, :width]
        levels = {
            "constant": np.full((height, width), rng.integers(256)),
            "noise": rng.integers(0, 256, (height, width)),
            "ramp": rows * rng.integers(9) + columns * rng.integers(9),
            "stripes": 255 * ((rows // rng.integers(1, 6) + columns // rng.integers(1, 6)) % 2),
            "patches": np.kron(rng.integers(0, 256, (6, 6)), np.ones((9, 9), int))[:height, :width],
        }[kind]
        return np.stack([levels % 256, *rng.integers(0, 256, (2, height, width))], axis=2).astype(np.uint8)

    sides = st.integers(8, 54)
    kinds = st.sampled_from(["constant", "noise", "ramp", "stripes", "patches"])
    return st.builds(made, sides, sides, kinds, st.integers(0, 1 << 32))


def frame_of(pixels: NDArray[np.uint8]) -> Frame:
    return Frame.of(Image.fromarray(pixels, "YCbCr"))


@needs_kernels
@settings(max_examples=40, deadline=None)
@given(frames(), frames(), st.sampled_from(["other", "crop", "smaller", "noisy", "inverse"]))
def test_both_ways_give_the_same_features_of_any_two_frames(
    a: NDArray[np.uint8], b: NDArray[np.uint8], relation: str
) -> None:
    if relation == "crop":
        b = np.ascontiguousarray(a[: max(8, len(a) * 9 // 10), : max(8, a.shape[1] * 8 // 9)])
    elif relation == "smaller":
        b = np.asarray(Image.fromarray(a).resize((max(8, a.shape[1] * 2 // 3), max(8, len(a) * 2 // 3))))
    elif relation == "noisy":
        b = (a.astype(int) + np.random.default_rng(1).integers(-9, 9, a.shape)).clip(0, 255).astype(np.uint8)
    elif relation == "inverse":
        b = 255 - a
    by_kernels, by_numpy = both_ways(lambda: features.features(frame_of(a), frame_of(b)))
    assert (by_kernels is None) == (by_numpy is None)
    if by_kernels is not None and by_numpy is not None:
        assert np.isfinite(by_numpy).all()
        np.testing.assert_allclose(by_kernels, by_numpy, rtol=1e-6, atol=1e-6)


# Each function


def random_plane(seed: int, height: int, width: int) -> Plane:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9), np.uint8))
    grey = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.float32)
    return Plane(grey, rng.uniform(-99, 99, (2, height, width)).astype(np.float32))


SIZES = [(2, 2), (3, 40), (8, 8), (9, 10), (31, 64), (96, 72)]


@needs_kernels
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_boxes_of_any_place_are_reduced_alike(height: int, width: int) -> None:
    plane = random_plane(1, height, width)
    rng = random.Random(height)
    for _ in range(40):
        left, right = sorted(rng.uniform(-9, width + 9) for _ in range(2))
        top, bottom = sorted(rng.uniform(-9, height + 9) for _ in range(2))
        for picture in (plane.grey, plane.chroma):
            shape = rng.randrange(1, 20), rng.randrange(1, 20)
            box = left, top, right, bottom
            by_kernels, by_numpy = both_ways(lambda: planes.shrunk(picture, box, *shape))  # noqa: B023
            np.testing.assert_array_equal(by_kernels, by_numpy)


@needs_kernels
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_maps_are_refined_alike(height: int, width: int) -> None:
    a, b = random_plane(1, width + 1, height + 1), random_plane(1, height, width)
    maps = [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.9, 0.03, 0.1, -0.02, 1.1, 0.0), (1.0, 0.0, 1.9, 0.0, 1.0, -1.9)]
    for map in maps:
        for every_other in (False, True):
            by_kernels, by_numpy = both_ways(
                lambda: registration._optimized(Surface(a.grey), Template.of(b.grey, every_other), map, 5)  # noqa: B023
            )
            np.testing.assert_allclose(by_kernels[0], by_numpy[0], rtol=1e-9, atol=1e-9)
            assert by_kernels[1] == pytest.approx(by_numpy[1], rel=1e-9)


def bordered_levels() -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(5)
    for number in range(60):
        height, width = rng.integers(8, 70, 2)
        picture = rng.integers(0, 256, (height, width)).astype(np.uint8)
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
        picture[:top] = picture[height - top :] = rng.integers(256)
        if number % 2:
            picture[:, :left] = rng.integers(256)
        if number % 3 == 0:
            picture[top // 2, : width // 9] = 255
        yield picture
        yield np.full((height, width), 7, np.uint8)


@needs_kernels
def test_borders_and_bars_are_removed_alike() -> None:
    for picture in bordered_levels():
        by_kernels, by_numpy = both_ways(lambda: candidates.trimmed(picture))  # noqa: B023
        assert by_kernels == by_numpy


@needs_kernels
def test_frames_of_animations_are_matched_alike() -> None:
    def matched() -> NDArray[np.floating[Any]]:
        some = [Frame(random_plane(seed, 40, 30), None) for seed in range(7)]
        return features.matched(some[:3], some[2:])

    by_kernels, by_numpy = both_ways(matched)
    np.testing.assert_array_equal(by_kernels, by_numpy)
    assert by_numpy.shape == (3, 5) and by_numpy[2, 0] == pytest.approx(1)


@needs_kernels
@pytest.mark.parametrize(("height", "width"), [(9, 9), (24, 25), (50, 131), (200, 70)])
def test_windows_of_large_pictures_are_measured_alike(height: int, width: int) -> None:
    a, b = random_plane(1, height, width).grey, random_plane(2, height, width).grey
    by_kernels, by_numpy = both_ways(lambda: fine_windows.measured(a, b))
    for one, other in zip(by_kernels, by_numpy, strict=True):
        np.testing.assert_array_equal(one, other)
    levels = a.astype(np.uint8), b.astype(np.uint8)
    np.testing.assert_array_equal(*both_ways(lambda: fine_windows.toned_levels(*levels)))
    if min(height, width) >= fine_windows.TILE:
        moved = np.roll(a, (2, -1), (0, 1))
        view = fine_windows.measured(moved, a)
        np.testing.assert_array_equal(
            *both_ways(lambda: fine_windows.realigned(moved, a, view, view.difference > 0).difference)
        )


@needs_kernels
@pytest.mark.parametrize(("height", "width"), SIZES[1:])
def test_windows_of_small_pictures_are_measured_alike(height: int, width: int) -> None:
    a, b = random_plane(1, height, width).grey, random_plane(2, height, width).grey
    for other in (b, np.roll(a, 1, axis=1), a):
        for one, expected in zip(*both_ways(lambda: overlap.windows(a, other)), strict=True):  # noqa: B023
            np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-6)


@needs_kernels
def test_medians_and_fine_detail_are_those_of_numpy() -> None:
    rng = np.random.default_rng(4)
    for count in (1, 2, 3, 7, 8, 16, 33, 64, 65):
        rows = (rng.integers(0, 9, (count, 131)) + rng.choice([0, 0.1], (count, 131))).astype(np.float32)
        np.testing.assert_array_equal(*both_ways(lambda: keeper_detail.median(rows)))  # noqa: B023
    for height, width in [*SIZES, (1, 5), (5, 1)]:
        grey = rng.uniform(-300, 300, (height, width)).astype(np.float32)
        np.testing.assert_array_equal(*both_ways(lambda: keeper_ground.fine_detail(grey)))  # noqa: B023


@needs_kernels
def test_trees_reach_the_same_leaves() -> None:
    rng = np.random.default_rng(3)
    for scale in classifier.trained_model().values():
        for trees in scale.values():
            for _ in range(20):
                row = rng.normal(0, 2, len(features.FEATURES)).astype(np.float32)
                by_kernels, by_numpy = both_ways(lambda: trees.probability(row))  # noqa: B023
                assert by_kernels == by_numpy


# Hostile arrays

GREY = np.zeros((12, 10), np.float32)
PIXELS = np.zeros((12, 10), np.uint8)
THUMBS = np.zeros((2, 10, 256), np.float32)
TREES = Trees.of({"start": 0.0, "trees": 2 * [[[1, 0.5, 1, 2], 1.0, [0, 0.5, 3, 4], 2.0, 3.0]]})
MAP = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def template_arrays(count: int) -> list[NDArray[Any]]:
    return [np.zeros(count, np.float32), np.zeros((2, count), np.float32), np.zeros((6, 6))]


def good_calls() -> dict[str, list[Any]]:
    """Arguments that each function accepts."""
    return {
        "shrink": [np.zeros((2, 12, 10), np.float32), (0, 0, 9, 9), np.zeros((2, 3, 3), np.float32)],
        "thumb": [np.zeros((2, 12, 10), np.float32), np.ones((10, 4)), THUMBS.copy()],
        "trim": [PIXELS],
        "template": [GREY, False, *template_arrays(120)],
        "optimize": [GREY, *template_arrays(120), (12, 10, False), 1.0, MAP, 3],
        "warp": [GREY, MAP, (9, 9), (0, 0), GREY.copy()],
        "split": [np.zeros((12, 10, 3), np.uint8), GREY.copy(), np.zeros((2, 12, 10), np.float32)],
        "deviation": [GREY],
        "match": [THUMBS, THUMBS, np.zeros((2, 2), np.float32)],
        "windows": [GREY, GREY, np.zeros((4, 2, 1), np.float32)],
        "median": [GREY, np.zeros(10, np.float32)],
        "fine_detail": [GREY, GREY.copy()],
        "measure": [GREY, GREY, np.zeros((3, 2, 1), np.float32)],
        "tally": [PIXELS, PIXELS, np.zeros((32, 256), np.int64)],
        "cost": [GREY, np.zeros((10, 8), np.float32), np.zeros((3, 3), np.float32)],
        "structure": [GREY, GREY],
        "outside": [GREY, (0, 0, 10, 12), (2, 2, 5, 5)],
        "colour": [np.zeros((2, 16, 16), np.float32), np.zeros((2, 16, 16), np.float32)],
        "log_odds": [TREES.feature, TREES.threshold, TREES.left, TREES.value, np.zeros(2, np.float32)],
    }


def hostile(array: NDArray[Any]) -> Iterator[object]:
    """An array with other strides, of other types, shapes and sizes, and what is no array."""
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    yield array[::-1]
    yield np.lib.stride_tricks.as_strided(array, array.shape, [1 << 40] * array.ndim)
    yield np.broadcast_to(array[:1], array.shape) if len(array) > 1 else array.astype(">f8")
    yield array.astype(np.complex64)
    yield array.astype(array.dtype.newbyteorder()) if array.itemsize > 1 else array.astype(np.int8)
    yield array[None]
    yield array.ravel()[:0].reshape(0, *array.shape[1:])
    yield array.ravel()[:0].reshape(*array.shape[:-1], 0)
    yield array.astype(object)
    yield None
    yield bytes(array)
    yield array.tolist()


@needs_kernels
@pytest.mark.parametrize("name", good_calls())
def test_hostile_arrays_are_refused_without_harm(name: str) -> None:
    function = getattr(compiled.kernels, name)
    function(*good_calls()[name])
    with pytest.raises(TypeError):
        function(*good_calls()[name], 1)
    for place, argument in enumerate(good_calls()[name]):
        if isinstance(argument, np.ndarray):
            for wrong in hostile(argument):
                arguments = good_calls()[name]
                arguments[place] = wrong
                with pytest.raises(ValueError, match=r"\w"):
                    function(*arguments)
        elif isinstance(argument, tuple):
            for odd in ((), (*argument, 1), [float("nan")] * len(argument), [1e300] * len(argument), 7):
                arguments = good_calls()[name]
                arguments[place] = odd
                with pytest.raises(ValueError, match=r"\w"):
                    function(*arguments)


@needs_kernels
def test_arrays_that_do_not_fit_each_other_are_refused() -> None:
    for name, arguments in good_calls().items():
        arrays = [place for place, argument in enumerate(arguments) if isinstance(argument, np.ndarray)]
        for place in arrays if len(arrays) > 1 else []:
            larger = good_calls()[name]
            larger[place] = np.concatenate([larger[place], larger[place]], axis=-1)
            if (name, place) in {("shrink", 0), ("shrink", 2), ("thumb", 0), ("warp", 0), ("warp", 4), ("log_odds", 3)}:
                continue  # these may have any size
            if (name, place) in {("optimize", 0), ("log_odds", 4)}:
                continue
            with pytest.raises(ValueError, match=r"\w"):
                getattr(compiled.kernels, name)(*larger)
    for name, place in (("shrink", 2), ("warp", 4), ("split", 1)):
        closed = good_calls()[name]
        closed[place].flags.writeable = False
        with pytest.raises(ValueError, match="can be written"):
            getattr(compiled.kernels, name)(*closed)


@needs_kernels
def test_numbers_that_are_no_numbers_do_no_harm() -> None:
    rng = np.random.default_rng(9)
    for filler in (np.nan, np.inf, -np.inf, 3e38):
        for name in good_calls():
            arguments = good_calls()[name]
            for argument in arguments:
                if isinstance(argument, np.ndarray) and argument.dtype.kind == "f":
                    argument.ravel()[rng.integers(argument.size, size=max(1, argument.size // 3))] = filler
            try:
                getattr(compiled.kernels, name)(*arguments)
            except ValueError as error:
                assert str(error)


def test_an_environment_variable_selects_numpy() -> None:
    program = "from hashindex.judge import compiled; print(compiled.kernels, compiled.why_not)"
    environment = {**os.environ, compiled.SWITCH: "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"None {compiled.SWITCH} is set\n"


@needs_kernels
def test_functions_of_another_version_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    monkeypatch.setattr(compiled.kernels, "INTERFACE", compiled.INTERFACE + 1)
    assert compiled._load() == (None, "the compiled functions are of another version of hashindex")
