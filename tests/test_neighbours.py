"""Who is near whom, kept over any history of scans and removals: the same as if everything were searched anew."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import draw, fill, save

from hashindex import HashIndex
from hashindex.core.messages import Examined, FileStat, KeyState
from hashindex.core.model import Decoded
from hashindex.hashing.recipes import Recipe
from hashindex.index import neighbours
from hashindex.index.clusters import Cluster, Engine, clusters, searched
from hashindex.index.neighbours import keep_neighbours, links_of
from hashindex.store import schema
from hashindex.store.catalogue import Catalogue, Pipeline
from hashindex.store.hashes import SEGMENT

PHASH256 = Recipe("phash256", 256, 1)
MAKER = Pipeline("test", (PHASH256,))
RADIUS = neighbours.KEPT_RADIUS["phash256"]


def put(catalogue: Catalogue, keys: dict[int, int | None], maker: Pipeline = MAKER) -> None:
    """Contents (by a number of the test's) with these keys, each with a file; None is a picture without a hash."""
    batch = []
    for number, key in keys.items():
        name = b"%d" % number
        digest = number.to_bytes(32, "big")
        decoded = Decoded("png", 1, 1, 1, 0, detail=50, problem=None if key is not None else "it is damaged")
        batch.append(Examined(b"/f/" + name, FileStat(name, 1, 1, 1, 1), 1, digest, decoded))
    values = {
        number.to_bytes(32, "big"): {"phash256": key.to_bytes(32, "big")}
        for number, key in keys.items()
        if key is not None
    }
    with catalogue.atomic():
        catalogue.record(batch, values, {}, maker, 1)


def drop(catalogue: Catalogue, numbers: set[int]) -> None:
    with catalogue.atomic():
        contents = [catalogue.content_with(number.to_bytes(32, "big")) for number in numbers]
        for number in numbers:
            catalogue.drop_file(b"/f/%d" % number)
        catalogue.drop_orphans([id for id in contents if id is not None])


def kept(catalogue: Catalogue, radius: int, version: int = 0) -> list[Cluster]:
    """Clusters as the catalogue gives them; checked against a search of all its keys."""
    found = catalogue.keys.versions("phash256")[version]
    image = catalogue.keys.image(found)
    contents = [id for id, state in enumerate(image.states) if state]
    clustered = list(clusters(contents, [radius], [links_of(catalogue, found, image, radius, Engine.AUTO)]))
    assert clustered == list(clusters(contents, [radius], [searched(image, Engine.BKTREE)]))
    return clustered


def near_key(turned: set[int]) -> int:
    """0 with these bits turned, eight at a time: near ones, farther ones and equal ones are all common."""
    return sum(0xFF << 8 * place for place in turned)


keys_of_a_few = st.dictionaries(st.integers(1, 12), st.builds(near_key, st.sets(st.integers(0, 7), max_size=6)))
changes = keys_of_a_few | st.sets(st.integers(1, 12), max_size=4)


@settings(max_examples=60, deadline=None)
@given(history=st.lists(st.tuples(changes, st.booleans()), min_size=1, max_size=8), radius=st.integers(0, RADIUS))
def test_kept_neighbours_are_those_of_a_search_after_any_history(
    history: list[tuple[dict[int, int] | set[int], bool]], radius: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Catalogue(tmp_path_factory.mktemp("history") / "c.db", write=True) as catalogue:
        put(catalogue, {99: 0})
        for change, keep in history:
            if isinstance(change, dict):
                put(catalogue, dict(change))
            else:
                drop(catalogue, change)
            if keep:
                keep_neighbours(catalogue)
            kept(catalogue, radius)
        keep_neighbours(catalogue)
        kept(catalogue, radius)
        version = catalogue.keys.versions("phash256")[0]
        states = catalogue.keys.states(version)
        assert KeyState.FRESH not in states
        leaders = {id for id, state in enumerate(states) if state == KeyState.LEADER}
        twins = dict(catalogue.keys.twins(version))
        assert twins.keys() == {id for id, state in enumerate(states) if state == KeyState.TWIN}
        assert leaders.issuperset(twins.values())
        assert leaders.issuperset(id for a, b, _ in catalogue.keys.pairs(version) for id in (a, b))


def test_each_key_is_searched_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        put(catalogue, {number: 1 << number for number in range(1, 40)})
        assert keep_neighbours(catalogue) == 39
        put(catalogue, {40: 0, 41: 0})
        assert keep_neighbours(catalogue) == 2
        monkeypatch.setattr(neighbours, "find_neighbours", None)
        assert keep_neighbours(catalogue) == 0
        assert kept(catalogue, 2) == [Cluster(2, tuple(range(1, 42)))]


def test_a_wider_radius_than_is_kept_is_searched(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        put(catalogue, {1: 0, 2: (1 << RADIUS + 1) - 1})
        keep_neighbours(catalogue)
        assert kept(catalogue, RADIUS) == []
        assert kept(catalogue, RADIUS + 1) == [Cluster(RADIUS + 1, (1, 2))]


def test_the_twins_of_a_leader_that_goes_find_a_new_one(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        put(catalogue, {1: 0, 2: 0, 3: 0, 4: 1})
        keep_neighbours(catalogue)
        version = catalogue.keys.versions("phash256")[0]
        assert (catalogue.keys.twins(version), catalogue.keys.pairs(version)) == ([(2, 1), (3, 1)], [(1, 4, 1)])
        drop(catalogue, {1})
        assert kept(catalogue, 1) == [Cluster(1, (2, 3, 4))]
        assert keep_neighbours(catalogue) == 2
        version = catalogue.keys.versions("phash256")[0]
        assert (catalogue.keys.twins(version), catalogue.keys.pairs(version)) == ([(3, 2)], [(2, 4, 1)])


def test_keys_in_many_segments_are_all_met(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        step = SEGMENT // 2 + 1
        # Each key has near ones in every segment, and few others: all near all would be millions of pairs to keep.
        apart = [random.Random(seed).getrandbits(256) for seed in range(500)]
        put(catalogue, {number: apart[number % 500] ^ ((1 << number // 500) - 1) for number in range(1, 3 * SEGMENT)})
        keep_neighbours(catalogue)
        put(catalogue, {step: 5, 2 * step: 5, 4 * step: 4})
        drop(catalogue, {7, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 1})
        keep_neighbours(catalogue)
        kept(catalogue, 1)
        version = catalogue.keys.versions("phash256")[0]
        found = {frozenset(pair) for *pair, distance in catalogue.keys.pairs(version) if distance <= 1}
        assert frozenset((step, 4 * step)) in found
        assert (2 * step, step) in catalogue.keys.twins(version)
        assert catalogue.keys.of(4 * step) == {version: (4).to_bytes(32, "big")}
        assert catalogue.keys.of(SEGMENT) == {}


def test_keys_that_change_while_neighbours_are_looked_for_are_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        put(catalogue, {1: 0, 2: 1})
        find = neighbours.find_neighbours
        others: Iterator[dict[int, int | None]] = iter([{3: 3}, {4: 3}])

        def meanwhile(*asked: object) -> neighbours.Found:
            put(catalogue, next(others, {}))
            return find(*asked)  # type: ignore[arg-type]

        monkeypatch.setattr(neighbours, "find_neighbours", meanwhile)
        assert keep_neighbours(catalogue) == 4
        assert kept(catalogue, 1) == [Cluster(1, (1, 2, 3, 4))]


def test_versions_of_a_hash_never_meet(tmp_path: Path) -> None:
    newer = Pipeline("test", (Recipe("phash256", 256, 2),))
    with Catalogue(tmp_path / "c.db", write=True) as catalogue:
        put(catalogue, {1: 0, 2: 0, 3: 1})
        keep_neighbours(catalogue)
        put(catalogue, {2: 0, 4: 0}, newer)
        keep_neighbours(catalogue)
        assert (kept(catalogue, 1), kept(catalogue, 1, version=1)) == ([Cluster(1, (1, 3))], [Cluster(1, (2, 4))])


def test_a_chain_does_not_go_through_a_picture_that_is_gone(index: HashIndex, folder: Path) -> None:
    one, two = fill(folder, [1, 2])
    save(draw(1), folder / "copy.jpg", quality=95)
    index.scan([folder])
    everything = index.groups(radius=256)
    assert [len(group.members) for group in everything] == [3]
    before = index.groups()
    assert [{member.file.path for member in group.members} for group in before] == [
        {os.fsencode(one.resolve()), os.fsencode((folder / "copy.jpg").resolve())}
    ]
    one.unlink()
    index.scan([folder])
    assert index.groups() == []
    assert two.exists()


def test_groups_are_the_same_whether_neighbours_were_kept_or_not(index: HashIndex, folder: Path) -> None:
    fill(folder, range(12))
    for number in range(5):
        save(draw(number), folder / f"{number}.jpg", quality=90)
    index.scan([folder])
    groups = index.groups()
    assert len(groups) == 5
    with Catalogue(index.path, write=True) as catalogue, catalogue.atomic():
        for table in ("twin", "pair"):
            catalogue.connection.execute(f"DELETE FROM {table}")
        fresh = bytes([KeyState.FRESH])
        for id, states in catalogue.connection.execute("SELECT id, states FROM keys").fetchall():
            states = states.replace(bytes([KeyState.LEADER]), fresh).replace(bytes([KeyState.TWIN]), fresh)
            catalogue.connection.execute("UPDATE keys SET states = ? WHERE id = ?", (states, id))
    assert index.groups() == groups
    index.scan([folder])
    assert index.groups() == groups


def test_a_catalogue_of_before_keeps_its_hashes(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(6))
    save(draw(3), folder / "3.jpg", quality=95)
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        hashes = {id: catalogue.hashes_of(id) for id in range(1, 8)}
        contents = catalogue.connection.execute("SELECT * FROM content").fetchall()
        recipes = catalogue.connection.execute("SELECT id, name, bits, version FROM recipe").fetchall()
    old = HashIndex(index.path.with_name("old.db"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
        with Catalogue(old.path, write=True) as catalogue, catalogue.atomic():
            execute = catalogue.connection.execute
            execute("INSERT INTO maker VALUES (1, 'test', 'test')")
            for row in contents:
                execute(f"INSERT INTO content VALUES ({','.join('?' * len(row))})", row)
            for id, name, bits, version in recipes:
                execute("INSERT INTO recipe VALUES (?, ?, ?, ?)", (id, name, bits, version))
                for content, values in hashes.items():
                    value = values[name, version].to_bytes(bits // 8, "big")
                    execute("INSERT INTO hash VALUES (?, ?, ?)", (id, content, value))
    assert old.status().recipes == index.status().recipes
    with Catalogue(old.path) as catalogue:
        assert {id: catalogue.hashes_of(id) for id in range(1, 8)} == hashes
