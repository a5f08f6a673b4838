"""Copies, variants and strangers: the judge's verdicts on pictures drawn here, from signatures and from pixels."""

import math
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from pictures import captioned, draw, moving
from PIL import Image, ImageChops, ImageDraw

from hashindex.core.model import Relation
from hashindex.hashing.unionfind import UnionFind
from hashindex.judge import candidates, classifier, features, registration
from hashindex.judge.classifier import View
from hashindex.judge.overlap import windows
from hashindex.judge.planes import Frame, Surface, area
from hashindex.judge.trees import Trees
from hashindex.pictures import signature

Frames = list[tuple[Image.Image, int]]


def still(picture: Image.Image) -> Frames:
    return [(picture, 0)]


def look(shown: Frames) -> tuple[bytes, Callable[[], View]]:
    """The signature of a picture, and how it is opened."""
    width, height = shown[0][0].size
    signed = signature.sign(signature.frames_of(shown), width, height, len(shown), sum(ms for _, ms in shown))
    return signed, lambda: View.of_frames(shown, max(width, height), 20)


def stored_look(signed: bytes) -> View:
    return View.of_signature(signature.unpack(signed))


def relation_of(a: Frames, b: Frames) -> str:
    signed_a, open_a = look(a)
    signed_b, open_b = look(b)
    stored = classifier.evidence(stored_look(signed_a), stored_look(signed_b))
    return classifier.judge(
        stored, lambda: classifier.evidence(open_a(), open_b()), classifier.trained_model()
    ).relation.label


def played(seed: int, numbers: Sequence[int], ms: int = 100) -> Frames:
    """The moving face, each frame shown for the given milliseconds."""
    return [(picture, ms) for picture in moving(seed, numbers)]


def drawing(points: int) -> Image.Image:
    """White lines on transparency: a star with this number of points."""
    picture = Image.new("RGBA", (200, 200))
    ends = []
    for number in range(2 * points):
        far, angle = (90 if number % 2 else 40), math.pi * number / points
        ends.append((100 + far * math.sin(angle), 100 - far * math.cos(angle)))
    ImageDraw.Draw(picture).line([*ends, ends[0]], "white", 9)
    return picture


def test_two_animations_that_share_only_their_first_frame_are_not_copies() -> None:
    assert relation_of(played(1, range(10)), played(2, range(10))) != "copy"


def test_an_animation_with_half_its_frames_or_a_trimmed_end_or_another_speed_is_a_copy() -> None:
    whole = played(0, range(12))
    for changed in (played(0, range(0, 12, 2)), played(0, range(9)), played(0, range(12), ms=40)):
        assert relation_of(whole, changed) == "copy"


@pytest.mark.parametrize(
    "order", [range(11, -1, -1), [0, 7, 2, 9, 4, 11, 6, 1, 8, 3, 10, 5]], ids=["backwards", "mixed"]
)
def test_an_animation_whose_frames_come_in_another_order_is_a_variant(order: Sequence[int]) -> None:
    assert relation_of(played(0, range(12)), played(0, order)) == "variant"


def test_a_loop_may_begin_anywhere_and_one_that_swings_may_be_played_backwards() -> None:
    assert relation_of(played(0, range(12)), played(0, [*range(5, 12), *range(5)])) == "copy"
    to_and_fro = [0, 2, 4, 6, 8, 6, 4, 2]
    assert relation_of(played(0, to_and_fro), played(0, to_and_fro[::-1])) == "copy"


def test_a_blank_first_frame_does_not_hide_an_animation() -> None:
    whole = played(0, range(10))
    assert relation_of(whole, [(Image.new("RGB", (128, 128), "white"), 100), *whole]) == "copy"


def test_a_still_of_an_animation_is_a_variant_of_it() -> None:
    whole = played(0, range(10))
    assert relation_of(still(whole[0][0]), whole) == "variant"
    assert relation_of(whole, still(whole[7][0])) == "variant"


def test_one_template_with_three_captions_is_three_variants() -> None:
    template = draw(5, (240, 200))
    three = [still(captioned(template, words)) for words in ("good morning", "good evening", "not today")]
    assert {relation_of(a, b) for a, b in combinations(three, 2)} == {"variant"}


def test_two_white_drawings_on_transparency_are_two_pictures() -> None:
    assert relation_of(still(drawing(3)), still(drawing(7))) == "different"
    assert relation_of(still(drawing(5)), still(drawing(5).resize((140, 140)))) == "copy"


def test_a_blank_page_and_a_nearly_blank_one_have_no_keys_and_are_not_copies() -> None:
    blank, nearly = Image.new("RGB", (200, 200), "white"), Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(nearly).ellipse((98, 98, 102, 102), "black")
    assert [signature.views(signature.frames_of(still(page))) for page in (blank, nearly)] == [(), ()]
    assert relation_of(still(blank), still(nearly)) != "copy"


@pytest.mark.parametrize(
    "edit",
    [
        lambda picture: picture.resize((120, 90)),
        lambda picture: picture.convert("L").convert("RGB"),
        lambda picture: picture.crop((10, 8, 230, 172)),
        lambda picture: picture.rotate(2, Image.Resampling.BICUBIC),
    ],
)
def test_an_edited_picture_is_a_copy(edit: Callable[[Image.Image], Image.Image]) -> None:
    picture = draw(3, (240, 180))
    assert relation_of(still(picture), still(edit(picture))) == "copy"


def test_two_pictures_are_different() -> None:
    assert {relation_of(still(draw(a)), still(draw(b))) for a, b in ((1, 2), (3, 4), (5, 6))} == {"different"}


def test_features_are_the_same_whichever_picture_comes_first() -> None:
    a, b = Frame.of(draw(1, (96, 72))), Frame.of(draw(1, (96, 72)).crop((4, 4, 96, 72)).resize((80, 60)))
    first, second = features.features(a, b), features.features(b, a)
    assert first is not None and second is not None
    np.testing.assert_array_equal(first, second)


def test_a_picture_that_cannot_be_opened_is_judged_by_its_signature() -> None:
    signed = look(still(draw(1)))[0]
    stored = classifier.evidence(stored_look(signed), stored_look(signed))
    found = classifier.judge(stored, lambda: None, classifier.trained_model())
    assert (found.relation, found.by_pixels) == (Relation.COPY, False)


def test_trees_are_walked_left_up_to_the_threshold_and_right_above_it() -> None:
    trees = Trees.of({"start": 0.5, "trees": [[[1, 2.0, 1, 2], -1.0, [0, 7.0, 3, 4], 0.25, 2.0], [0.0]]})
    rows = [np.array(row, np.float32) for row in ([0.0, 2.0], [7.0, 2.5], [7.5, 2.5])]
    found = [trees.probability(row) for row in rows]
    assert found == pytest.approx([1 / (1 + math.exp(-total)) for total in (-0.5, 0.75, 2.5)])


Tree = list[list[float] | float]


def grown(random: np.random.Generator, leaves: int) -> Tree:
    """A tree as train_judge.py writes it, split at random."""
    tree: Tree = [0.0]
    for leaf in range(leaves - 1):
        chosen = random.choice([n for n, node in enumerate(tree) if not isinstance(node, list)])
        tree[chosen] = [int(random.integers(5)), float(random.integers(4)), len(tree), len(tree) + 1]
        tree += [leaf + 0.5, leaf + 0.25]
    return tree


def walked(tree: Tree, row: list[float]) -> float:
    node = tree[0]
    while isinstance(node, list):
        feature, threshold, yes, no = node
        node = tree[int(yes if row[int(feature)] <= threshold else no)]
    return node


def test_evaluating_all_trees_at_once_reaches_the_leaves_that_a_walk_reaches() -> None:
    random = np.random.default_rng(8)
    forest = [grown(random, leaves) for leaves in (1, 2, 3, 12, 40, 64)]
    trees = Trees.of({"start": -1.5, "trees": forest})
    for row in random.integers(4, size=(50, 5)).astype(np.float32):
        total = -1.5 + sum(walked(tree, row.tolist()) for tree in forest)
        assert trees.probability(row) == pytest.approx(1 / (1 + math.exp(-total)))


def test_a_tree_of_more_leaves_than_there_are_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 64 leaves"):
        Trees.of({"start": 0.0, "trees": [grown(np.random.default_rng(8), 65)]})


# Registration


def test_a_surface_is_bilinear_between_pixels_and_goes_on_beyond_its_ends() -> None:
    surface = Surface(np.array([[0, 10, 20], [30, 40, 90]], np.float32))
    places = {(0, 0): 0, (1, 1): 40, (0.5, 0): 5, (1.5, 0.5): 40, (-3, 0.5): 15, (9, 9): 90}
    pixels = np.array(list(places), np.float32).T
    np.testing.assert_allclose(surface.values(pixels), list(places.values()), atol=0.2)


def test_find_gives_the_place_of_a_crop() -> None:
    picture = draw(4, (200, 160))
    inner = picture.crop((10, 12, 188, 152))
    fit = registration.find(Frame.of(picture).on(255), Frame.of(inner).on(255))
    left, top = (10 + 188) / 200 - 1, (12 + 152) / 160 - 1
    np.testing.assert_allclose(fit.map, [178 / 200, 0, left, 0, 140 / 160, top], atol=0.01)
    assert fit.agreement > 0.98


def test_find_gives_the_angle_of_a_turn() -> None:
    picture = draw(4, (200, 160))
    fit = registration.find(Frame.of(picture).on(255), Frame.of(picture.rotate(3, Image.Resampling.BICUBIC)).on(255))
    assert fit.turn == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize(
    ("start", "stop", "out", "expected"),
    [
        (0, 4, 4, [1, 2, 4, 8]),
        (0, 4, 2, [1.5, 6]),
        (0.5, 3.5, 2, [2.5 / 1.5, 8 / 1.5]),
        (-2, 4, 2, [1, (2 + 4 + 8) / 3]),
        (1, 2, 2, [1.75, 2.5]),
    ],
)
def test_area_gives_means_and_repeats_the_ends(start: float, stop: float, out: int, expected: list[float]) -> None:
    np.testing.assert_allclose(area(4, start, stop, out) @ np.array([1, 2, 4, 8]), expected, atol=1e-4)


def test_an_alignment_that_is_needed_twice_is_found_once() -> None:
    a, b = Frame.of(draw(1)), Frame.of(draw(1).resize((120, 90)))
    assert features.align(a, b, None) is features.align(a, b)


def test_windows_show_words_that_differ_but_not_a_shift_by_one_pixel() -> None:
    grey = np.asarray(draw(2, (96, 96)).convert("L")).astype(np.float32)
    assert windows(np.roll(grey, 1, axis=1)[:, 2:], grey[:, 2:]).difference.max() < 0.3
    words = Image.fromarray(grey.astype(np.uint8))
    ImageDraw.Draw(words).text((20, 40), "other words", "white", stroke_width=1, stroke_fill="black")
    assert windows(grey, np.asarray(words).astype(np.float32)).difference.max() > 0.6


# Signatures


def test_a_signature_is_at_most_4096_bytes_whatever_the_picture() -> None:
    noise = Image.frombytes("RGBA", (256, 256), random.Random(1).randbytes(4 * 256 * 256))
    animated = [(Image.frombytes("RGB", (128, 128), random.Random(n).randbytes(3 * 128 * 128)), 50) for n in range(12)]
    assert len(signature.sign(still(noise), 256, 256)) <= signature.BYTES
    assert len(signature.sign(animated, 128, 128, 12, 600)) <= signature.BYTES


def test_unpacking_a_signature_returns_its_frames() -> None:
    shown = played(0, range(4), ms=70)
    found = signature.unpack(signature.sign(shown, 300, 200, 4, 280))
    assert (found.width, found.height, found.frames, found.duration_ms, found.times_ms) == (300, 200, 4, 280, (70,) * 4)
    assert signature.head_of(signature.sign(shown, 300, 200, 4, 280)) == (300, 200, 4)
    for (image, _), kept in zip(shown, found.shown, strict=True):
        small = image.resize(kept.size, Image.Resampling.BOX).convert("L")
        assert np.mean(np.asarray(ImageChops.difference(small, kept.getchannel("Y")))) < 6


def test_a_signature_keeps_transparency() -> None:
    picture = drawing(5)
    mask = signature.unpack(signature.sign(still(picture), 200, 200)).mask
    assert mask is not None
    expected = picture.getchannel("A").resize(mask.size, Image.Resampling.BOX)
    assert np.mean(np.asarray(ImageChops.difference(mask, expected))) < 16


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x09" * 100])
def test_bytes_that_are_not_a_signature_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="no signature"):
        signature.unpack(damaged)


def test_frames_that_repeat_the_one_before_are_kept_once_with_their_times() -> None:
    a, b = draw(1), draw(2)
    kept = signature.distinct([(a, 10), (a, 20), (b, 30), (a, 40)])
    assert [(image is a, ms) for image, ms in kept] == [(True, 30), (False, 30), (True, 40)]


@pytest.mark.parametrize("turn", range(1, len(signature.TURNS)))
def test_a_turned_signature_is_a_copy_of_the_turned_picture(turn: int) -> None:
    picture, how = draw(6, (200, 150)), signature.TURNS[turn]
    assert how is not None
    found = signature.turned(signature.unpack(look(still(picture))[0]), turn)
    own = stored_look(look(still(picture.transpose(how)))[0])
    judged = classifier.judge(
        classifier.evidence(View.of_signature(found), own), lambda: None, classifier.trained_model()
    )
    assert judged.relation is Relation.COPY
    views = [(0, signature.views_of(found)[0]), (1, signature.views(still(picture.transpose(how)))[0])]
    keyed = candidates.keys_of([view for _, view in views])
    assert [pair[:2] for pair in candidates.pairs([(id, key) for (id, _), key in zip(views, keyed, strict=True)])] == [
        (0, 1)
    ]


def test_signing_never_imports_numpy() -> None:
    code = "import sys, hashindex.pictures.signature; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"


# Candidates


def keys(picture: Image.Image) -> candidates.ViewKeys:
    return candidates.keys_of(signature.views(signature.frames_of(still(picture))))[0]


def test_pairs_are_those_of_the_slow_definition() -> None:
    known = [(number // 2, keys(draw(number % 5).rotate(number))) for number in range(20)]
    expected: dict[tuple[int, int], int] = {}
    for (a, one), (b, other) in combinations(known, 2):
        for kind, radius in enumerate((candidates.WAVES_RADIUS, candidates.STEPS_RADIUS)):
            for i, left in enumerate(one[kind].tolist()):
                for j, right in enumerate(other[kind].tolist()):
                    bits = (left ^ right).bit_count()
                    if a != b and bits <= radius and min(i, j) < candidates.OWN:
                        pair = min(a, b), max(a, b)
                        expected[pair] = min(bits, expected.get(pair, 64))
    found = candidates.pairs(known)
    assert {(a, b): bits for a, b, bits in found} == expected
    assert [bits for _, _, bits in found] == sorted(expected.values())


def test_of_many_candidates_the_nearest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [(number, keys(draw(number % 3).rotate(number / 3))) for number in range(40)]
    every = candidates.pairs(known)
    of_id: dict[int, list[int]] = {}
    for a, b, bits in every:
        of_id.setdefault(a, []).append(bits)
        of_id.setdefault(b, []).append(bits)
    monkeypatch.setattr(candidates, "MOST", 3)
    monkeypatch.setattr(candidates, "PART", 10)
    kept = candidates.pairs(known)
    assert set(kept) < set(every)
    for id, distances in of_id.items():
        own = sorted(bits for a, b, bits in kept if id in (a, b))
        assert own[:3] == sorted(distances)[:3]
    for a, b, bits in kept:
        assert any(bits <= sorted(of_id[id])[:3][-1] for id in (a, b))


def test_a_key_with_very_many_holders_pairs_only_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "COMMON", 5)
    same = keys(draw(1))
    assert {max(pair[:2]) for pair in candidates.pairs([(id, same) for id in range(50)])} == set(range(1, 5))


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_and_a_border_stay_candidates(seed: int) -> None:
    picture = draw(seed, (200, 160))
    bordered = Image.new("RGB", (240, 200), "white")
    bordered.paste(picture, (20, 20))
    edited = [picture.crop((10, 8, 190, 152)), bordered]
    known = [(number, keys(one)) for number, one in enumerate([picture, *edited])]
    near = {pair[:2] for pair in candidates.pairs(known)}
    assert near >= {(0, 1), (0, 2)}


def test_views_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="4096"):
        candidates.keys_of([b"short"])


def test_of_many_with_equal_keys_each_has_some_candidates_and_all_are_connected() -> None:
    equal, near = keys(draw(1)), keys(draw(1).resize((150, 118)).resize((160, 120)))
    packed = [(id, candidates.packed_keys([equal if id % 3 else near])) for id in range(300)]
    found = candidates.pairs_of_all(packed)
    assert len(found) < 300 * 2 * candidates.SPREAD + candidates.SPREAD**2
    sets = UnionFind()
    sets.join_all(pair[:2] for pair in found)
    assert len(sets.sets()) == 1
    assert all(a < b for a, b, _ in found)


@pytest.mark.parametrize("seed", range(3))
def test_candidates_found_in_several_calls_are_those_of_one_call(seed: int) -> None:
    rng = random.Random(seed)
    pool = [keys(draw(number).rotate(angle)) for number in range(2) for angle in (0, 1, 2)]
    packed = [(id, candidates.packed_keys([rng.choice(pool)])) for id in range(180)]
    fresh = {id for id, _ in packed[100:]}
    before = candidates.pairs_of_all(packed[:100])
    after = candidates.pairs_of_all(packed, fresh)
    assert sorted(before + after) == sorted(candidates.pairs_of_all(packed))


def test_few_with_equal_keys_are_all_compared() -> None:
    packed = [(id, candidates.packed_keys([keys(draw(1))])) for id in range(5)]
    assert [pair[:2] for pair in candidates.pairs_of_all(packed)] == list(combinations(range(5), 2))
