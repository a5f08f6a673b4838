"""The packed hashes of the catalogue after any history of scans and removals, and the groups that are made of them."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import draw, fill, save

from hashindex import HashIndex
from hashindex.core.messages import Examined, FileStat, KeyState
from hashindex.core.model import Decoded
from hashindex.core.options import Engine
from hashindex.hashing.recipes import Recipe
from hashindex.index.clusters import Cluster, clusters, searched
from hashindex.store.catalogue import Catalogue
from hashindex.store.contents import Pipeline
from hashindex.store.hashes import SEGMENT

PHASH256 = Recipe("phash256", 256, 1)
PIPELINE = Pipeline("test", (PHASH256,))


def digest_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def put(catalogue: Catalogue, keys: dict[int, int | None], pipeline: Pipeline = PIPELINE) -> None:
    """Records contents, by a number of the test's, each with a file and this key (None: it has no hashes)."""
    batch = []
    for number, key in keys.items():
        name = b"%d" % number
        decoded = Decoded("png", 1, 1, 1, 0, detail=50, problem=None if key is not None else "it is damaged")
        batch.append(Examined(b"/f/" + name, FileStat(name, 1, 1, 1, 1), 1, digest_of(number), decoded))
    values = {
        digest_of(number): {"phash256": key.to_bytes(32, "big")} for number, key in keys.items() if key is not None
    }
    with catalogue.atomic():
        catalogue.record(batch, values, {}, pipeline, 1)


def drop(catalogue: Catalogue, numbers: Iterable[int]) -> None:
    with catalogue.atomic():
        contents = [catalogue.content_with(digest_of(number)) for number in numbers]
        for number in numbers:
            catalogue.drop_file(b"/f/%d" % number)
        catalogue.drop_orphans([id for id in contents if id is not None])


def clusters_in(catalogue: Catalogue, radius: int, version: int = 0) -> list[Cluster]:
    """Clusters of one version of the hash; both engines must find the same."""
    snapshot = catalogue.keys.snapshot(catalogue.keys.versions("phash256")[version])
    contents = [id for id, state in enumerate(snapshot.states) if state == KeyState.SEARCHED]
    found, again = (
        list(clusters(contents, [radius], [searched(snapshot, engine)])) for engine in (Engine.PACKED, Engine.BKTREE)
    )
    assert found == again
    return found


keys_of_a_few = st.dictionaries(st.integers(1, 12), st.none() | st.integers(0, 2**256 - 1))
changes = keys_of_a_few | st.sets(st.integers(1, 12), max_size=4)


@settings(max_examples=40, deadline=None)
@given(history=st.lists(changes, min_size=1, max_size=8))
def test_keys_are_those_that_were_put_last_after_any_history(
    history: list[dict[int, int | None] | set[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Catalogue(tmp_path_factory.mktemp("history") / "c.db", write=True) as catalogue:
        expected: dict[int, int] = {}
        for change in history:
            if isinstance(change, dict):
                put(catalogue, change)
                expected = {number: key for number, key in expected.items() if number not in change}
                expected |= {number: key for number, key in change.items() if key is not None}
            else:
                drop(catalogue, change)
                expected = {number: key for number, key in expected.items() if number not in change}
        found = {
            number: key
            for number in range(1, 13)
            if (content := catalogue.content_with(digest_of(number))) is not None
            for key in catalogue.hashes_of(content).values()
        }
        assert found == expected
        states = b"".join(catalogue.keys.states(version) for version in catalogue.keys.versions())
        assert states.count(KeyState.SEARCHED) == len(expected) == catalogue.keys.has_key().count(KeyState.SEARCHED)


def test_keys_in_many_segments_are_all_met(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        step = SEGMENT // 2 + 1
        put(catalogue, {number: number << 128 for number in range(1, 3 * SEGMENT)})
        put(catalogue, {step: 5, 2 * step: 5, 4 * step: 4})
        drop(catalogue, {7, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 1})
        assert clusters_in(catalogue, 0) == [Cluster(0, (step, 2 * step))]
        (near,) = [found for found in clusters_in(catalogue, 1) if step in found.contents]
        assert near == Cluster(1, (step, 2 * step, 4 * step))
        (version,) = catalogue.keys.versions("phash256")
        assert catalogue.keys.of(4 * step) == {version: (4).to_bytes(32, "big")}
        assert catalogue.keys.of(SEGMENT) == {}


def test_versions_of_a_hash_never_meet(tmp_path: Path) -> None:
    newer = Pipeline("test", (Recipe("phash256", 256, 2),))
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        put(catalogue, {1: 0, 2: 0, 3: 1})
        put(catalogue, {2: 0, 4: 0}, newer)
        assert clusters_in(catalogue, 1) == [Cluster(1, (1, 3))]
        assert clusters_in(catalogue, 1, version=1) == [Cluster(1, (2, 4))]


def test_a_chain_does_not_go_through_a_picture_that_is_gone(index: HashIndex, folder: Path) -> None:
    one, two = fill(folder, [1, 2])
    save(draw(1), folder / "copy.jpg", quality=95)
    index.scan([folder])
    everything = index.groups(radius=256)
    assert [len(group.members) for group in everything] == [3]
    before = index.groups()
    assert [{member.file.path_bytes for member in group.members} for group in before] == [
        {os.fsencode(one.resolve()), os.fsencode((folder / "copy.jpg").resolve())}
    ]
    one.unlink()
    index.scan([folder])
    assert index.groups() == []
    assert two.exists()
