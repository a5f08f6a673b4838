"""The short list of contents that a few new ones may be like: complete, and the same candidates come of it."""

from pathlib import Path

import numpy as np
import pytest
from pictures import draw, save
from PIL import Image

from hashindex import HashIndex
from hashindex.judge import candidates, shortlist
from hashindex.judge.candidates import STEPS_RADIUS, WAVES_RADIUS

RADII = np.array([[WAVES_RADIUS], [STEPS_RADIUS]])


def some_contents(seed: int, count: int) -> list[tuple[int, bytes]]:
    """Views whose keys are those of a few ancestors with up to twelve bits turned; every tenth content has none."""
    rng = np.random.default_rng(seed)
    ancestors = rng.integers(2**63, size=(6, 2, 10), dtype=np.uint64)
    contents = []
    for id in range(count):
        views = []
        for _ in range(rng.integers(1, 4) if id % 10 else 0):
            view = ancestors[rng.integers(6)].copy()
            for key in view.reshape(-1, 1):
                for bit in rng.integers(64, size=rng.integers(13)):
                    key ^= np.uint64(1) << np.uint64(bit)
            views.append(candidates.ViewKeys(*view))
        contents.append((id * 3, candidates.packed_keys(views)))
    return contents


def near_by_definition(a: bytes, b: bytes) -> bool:
    for one in candidates.words_of(a):
        for other in candidates.words_of(b):
            bits = np.bitwise_count(one[:, :, None] ^ other[:, None, :]).reshape(2, -1)
            if (bits <= RADII).any():
                return True
    return False


@pytest.mark.parametrize("seed", range(3))
def test_the_shortlist_has_all_contents_with_a_key_near_a_fresh_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortlist, "BATCH", 17)
    monkeypatch.setattr(shortlist, "PART", 40)
    contents = some_contents(seed, 120)
    fresh = [views for _, views in contents[60:63]]
    expected = [one for one in contents if any(near_by_definition(one[1], views) for views in fresh)]
    assert list(shortlist.shortlist(contents, fresh)) == expected
    assert 3 <= len(expected) < 108


@pytest.mark.parametrize("seed", range(3))
def test_candidates_in_the_shortlist_are_those_among_all(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "COMMON", 20)
    monkeypatch.setattr(candidates, "MOST", 5)
    contents = some_contents(seed, 300)
    fresh = dict(contents[200:206])
    few = list(shortlist.shortlist(contents, fresh.values()))
    assert candidates.pairs_of_all(few, fresh) == candidates.pairs_of_all(contents, fresh)


def test_a_shortlist_pays_for_few_new_contents_among_many() -> None:
    view = candidates.packed_keys([candidates.keys_of([draw(1).convert("L").resize((64, 64)).tobytes()])[0]])
    assert shortlist.pays(100_000, [view])
    assert not shortlist.pays(1_000, [view])
    assert not shortlist.pays(100_000, [view] * 2_000)
    assert not shortlist.pays(100_000, [b""])


def test_a_new_picture_finds_its_copies_through_the_shortlist(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortlist, "MANY", 0)
    for number in range(6):
        save(draw(number, (200, 160)), folder / f"{number}.png")
    index.scan([folder])
    edited = draw(3, (200, 160)).crop((8, 6, 194, 155)).resize((150, 120), Image.Resampling.LANCZOS)
    save(edited, folder / "again.jpg", quality=80)
    index.scan([folder])
    groups = [{Path(member.file.path_bytes.decode()).name for member in group.members} for group in index.groups()]
    assert groups == [{"3.png", "again.jpg"}]
