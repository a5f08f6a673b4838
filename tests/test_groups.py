"""Tests of clusters, keepers and order: keys are small numbers, so that each distance can be read off."""

import random
from collections.abc import Mapping
from itertools import permutations, product

import pytest
from builders import SECOND, content, file
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core.messages import KeySnapshot, KeyState
from hashindex.core.model import File, Group, Member
from hashindex.core.options import Keep, Level
from hashindex.hashing.unionfind import UnionFind
from hashindex.index.clusters import Cluster, Key, alike, clusters, distance, make_group, searched
from hashindex.index.keep_order import order


def found(keys: Mapping[int, Key], *radii: int, bits: int = 64) -> list[tuple[int, list[int]]]:
    links = [searched(snapshot(keys, bits)), alike({id: key for id, key in keys.items() if isinstance(key, bytes)})]
    return [(cluster.radius, list(cluster.contents)) for cluster in clusters(keys, radii, links)]


def snapshot(keys: Mapping[int, Key], bits: int) -> KeySnapshot:
    """As the catalogue gives keys."""
    size, width = max(keys, default=0) + 1, bits // 8
    made = KeySnapshot(bits, bytearray(size), bytearray(size * width))
    for id, key in keys.items():
        if isinstance(key, int):
            made.states[id] = KeyState.SEARCHED
            made.keys[id * width : (id + 1) * width] = key.to_bytes(width, "big")
    return made


def bits_set(count: int) -> int:
    """A key with the lowest `count` bits set: two of them are as many bits apart as their counts."""
    return (1 << count) - 1


# Clusters


def test_no_contents_make_no_cluster() -> None:
    assert found({}, 8) == []


def test_contents_farther_apart_than_the_radius_make_no_cluster() -> None:
    assert found({1: bits_set(0), 2: bits_set(9)}, 8) == []


def test_contents_at_the_radius_make_a_cluster() -> None:
    assert found({1: bits_set(0), 2: bits_set(8)}, 8) == [(8, [1, 2])]


def test_a_chain_of_near_contents_is_one_cluster() -> None:
    assert found({1: bits_set(0), 2: bits_set(8), 3: bits_set(16), 4: bits_set(24)}, 8) == [(8, [1, 2, 3, 4])]


def test_clusters_come_by_their_lowest_content_and_hold_ascending_ids() -> None:
    assert found({9: 0, 4: bits_set(30), 7: 0, 2: bits_set(60), 5: bits_set(30), 3: bits_set(60)}, 0) == [
        (0, [2, 3]),
        (0, [4, 5]),
        (0, [7, 9]),
    ]


def test_equal_keys_cluster_at_radius_nought() -> None:
    assert found({1: 5, 2: 4, 3: 5, 4: 5}, 0) == [(0, [1, 3, 4])]


def test_contents_with_equal_keys_follow_each_other_into_a_chain() -> None:
    assert found({1: bits_set(8), 2: bits_set(0), 3: bits_set(0), 4: bits_set(8), 5: bits_set(16)}, 8) == [
        (8, [1, 2, 3, 4, 5])
    ]


def test_each_pass_takes_only_what_the_passes_before_left() -> None:
    keys = {1: bits_set(0), 2: bits_set(8), 3: bits_set(18), 4: bits_set(40), 5: bits_set(51), 6: bits_set(64)}
    assert found(keys, 8, 11, 14) == [(8, [1, 2]), (11, [4, 5])]


def test_later_passes_cluster_what_is_left_over_among_itself() -> None:
    keys = {1: bits_set(0), 2: bits_set(8), 3: bits_set(30), 4: bits_set(41), 5: bits_set(64)}
    assert found(keys, 8, 11, 23) == [(8, [1, 2]), (11, [3, 4])]


def test_one_wide_pass_joins_what_two_passes_keep_apart() -> None:
    keys = {1: bits_set(0), 2: bits_set(8), 3: bits_set(19), 4: bits_set(30)}
    assert (found(keys, 8, 11), found(keys, 11)) == ([(8, [1, 2]), (11, [3, 4])], [(11, [1, 2, 3, 4])])


def test_a_narrower_pass_after_a_wider_one_finds_nothing() -> None:
    assert found({1: bits_set(0), 2: bits_set(8), 3: bits_set(30)}, 8, 4) == [(8, [1, 2])]


def test_no_passes_make_no_clusters() -> None:
    assert found({1: 0, 2: 0}) == []


def test_pixel_digests_match_only_when_equal() -> None:
    keys = {1: b"\x00" * 16, 2: b"\x00" * 15 + b"\x01", 3: b"\x00" * 16}
    assert found(keys, 64) == [(64, [1, 3])]


def test_pixel_digests_and_hashes_never_match_each_other() -> None:
    assert found({1: 0, 2: b"\x00" * 16, 3: 0, 4: b"\x00" * 16}, 64) == [(64, [1, 3]), (64, [2, 4])]


def test_equal_pixels_are_clustered_in_the_first_pass() -> None:
    assert found({1: b"a", 2: b"a", 3: bits_set(0), 4: bits_set(10)}, 0, 10) == [(0, [1, 2]), (10, [3, 4])]


def test_keys_of_256_bits_cluster_too() -> None:
    top = 1 << 255
    assert found({1: top, 2: top | bits_set(20), 3: 0}, 20, bits=256) == [(20, [1, 2, 3])]


@given(
    keys=st.dictionaries(
        st.integers(1, 30), st.integers(0, 255) | st.sampled_from([b"a", b"b"]), min_size=2, max_size=12
    ),
    radii=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_clusters_do_not_depend_on_the_order_of_contents(keys: dict[int, Key], radii: list[int], seed: int) -> None:
    shuffled = list(keys.items())
    random.Random(seed).shuffle(shuffled)
    assert found(dict(shuffled), *radii, bits=8) == found(keys, *radii, bits=8)


@given(keys=st.dictionaries(st.integers(1, 30), st.integers(0, 255), max_size=12), radius=st.integers(0, 3))
def test_a_cluster_holds_all_that_can_be_reached_in_steps_of_the_radius(keys: dict[int, int], radius: int) -> None:
    reached = {id: {id} for id in keys}
    for _ in keys:
        for (a, key), (b, other) in product(keys.items(), repeat=2):
            if f"{key ^ other:b}".count("1") <= radius:
                reached[a] |= reached[b]
    expected = sorted({tuple(sorted(ids)) for ids in reached.values() if len(ids) > 1})
    assert found(keys, radius, bits=8) == [(radius, list(ids)) for ids in expected]


def test_clusters_leaves_the_contents_as_they_were() -> None:
    contents = {1, 2}
    list(clusters(contents, [8], [searched(snapshot({1: 0, 2: 0}, 64))]))
    assert contents == {1, 2}


def test_a_cluster_is_a_value_that_can_be_compared_and_put_in_a_set() -> None:
    assert set(clusters({1, 2}, [8], [searched(snapshot({1: 0, 2: 0}, 64))])) == {Cluster(8, (1, 2))}


@given(
    keys=st.dictionaries(st.integers(1, 30), st.integers(0, 31), max_size=14),
    asked=st.sets(st.integers(1, 30)),
    radii=st.lists(st.integers(0, 3), min_size=1, max_size=2),
)
def test_contents_that_are_not_asked_about_connect_nothing(
    keys: dict[int, Key], asked: set[int], radii: list[int]
) -> None:
    some = {id: key for id, key in keys.items() if id in asked}
    expected = list(clusters(some, radii, [searched(snapshot(some, 64))]))
    assert list(clusters(some.keys(), radii, [searched(snapshot(keys, 64))])) == expected


# Union-find


@pytest.mark.parametrize("joins", list(permutations([(1, 2), (3, 4), (4, 2)])))
def test_the_lowest_id_names_a_set_whatever_the_order_of_joins(joins: list[tuple[int, int]]) -> None:
    sets = UnionFind()
    for a, b in joins:
        sets.join_all([(b, a)])
    assert [sets.find(id) for id in (1, 2, 3, 4)] == [1, 1, 1, 1]


def test_sets_are_tuples_by_their_lowest_id() -> None:
    sets = UnionFind()
    for a, b in [(5, 9), (2, 7), (9, 3), (4, 4)]:
        sets.join_all([(a, b)])
    assert sets.sets() == [(2, 7), (3, 5, 9), (4,)]


# Distances


@pytest.mark.parametrize(
    ("a", "b", "bits"),
    [
        (0, 0, 0),
        (0b1010, 0b0110, 2),
        (0, (1 << 256) - 1, 256),
        (b"same", b"same", 0),
        (b"one", b"two", None),
        (0, b"\x00", None),
        (b"\x00", 0, None),
        (None, 0, None),
        (0, None, None),
        (None, None, None),
    ],
)
def test_distance_is_in_bits_and_none_where_there_is_none(a: Key | None, b: Key | None, bits: int | None) -> None:
    assert distance(a, b) == bits


# Groups


def test_a_group_has_its_keeper_first_and_distances_to_it() -> None:
    small, large, middle = file(b"/small", 3, size=10), file(b"/large", 7, size=30), file(b"/middle", 5, size=20)
    keys = {3: bits_set(0), 5: bits_set(12), 7: bits_set(5)}
    assert make_group([small, large, middle], keys.get, Keep.LARGEST, hash="phash", radius=8) == Group(
        id=1,
        level=Level.RADIUS,
        hash="phash",
        radius=8,
        widest=12,
        members=(Member(large, 0), Member(middle, 7), Member(small, 5)),
    )


def test_the_keeper_of_a_group_is_its_first_member() -> None:
    small, large = file(b"/small", 1, size=10), file(b"/large", 2, size=30)
    group = make_group([small, large], {1: 1, 2: 0}.get, Keep.LARGEST, hash="phash", radius=8)
    assert group.keeper == Member(large, 0)


def test_copies_of_one_content_are_at_distance_nought() -> None:
    one, two = file(b"/1", 4), file(b"/2", 4)
    assert make_group([two, one], {4: 9}.__getitem__, Keep.LARGEST, hash="phash", radius=8) == Group(
        1, Level.RADIUS, "phash", 8, 0, (Member(one, 0), Member(two, 0))
    )


def test_copies_of_a_content_without_a_hash_are_at_distance_nought_and_others_at_none() -> None:
    broken = content(2, problem="it is cut off")
    whole, first, second = file(b"/whole", 1), file(b"/first", broken), file(b"/second", broken)
    group = make_group([first, second], lambda id: None, Keep.LARGEST, hash="phash", radius=8)
    mixed = make_group([first, second, whole], {1: 5}.get, Keep.LARGEST, hash="phash", radius=8)
    assert [group.members, mixed.members] == [
        (Member(first, 0), Member(second, 0)),
        (Member(whole, 0), Member(first, None), Member(second, None)),
    ]


def test_a_group_of_equal_pixels_is_as_wide_as_nothing() -> None:
    one, two = file(b"/1", 1), file(b"/2", 2)
    assert make_group([one, two], {1: b"pixels", 2: b"pixels"}.get, Keep.LARGEST, hash="dhash", radius=4) == Group(
        1, Level.RADIUS, "dhash", 4, 0, (Member(one, 0), Member(two, 0))
    )


def test_the_widest_distance_is_between_any_two_and_not_only_from_the_keeper() -> None:
    keeper, left, right = file(b"/keeper", 1, size=300), file(b"/left", 2), file(b"/right", 3)
    group = make_group(
        [keeper, left, right], {1: 0, 2: 0b1111, 3: 0b11110000}.get, Keep.LARGEST, hash="phash", radius=4
    )
    assert (group.widest, [member.distance for member in group.members]) == (8, [0, 4, 4])


def test_a_group_does_not_depend_on_the_order_of_files() -> None:
    files = [file(b"/a", 1), file(b"/b", 2), file(b"/c", 1), file(b"/d", 3, size=7)]
    keys = {1: 0, 2: 1, 3: 3}
    groups = [make_group(some, keys.get, Keep.OLDEST, hash="phash", radius=2) for some in permutations(files)]
    assert groups == [groups[0]] * 24


# Order


@pytest.mark.parametrize(
    ("keep", "paths"),
    [
        (Keep.LARGEST, [b"/large", b"/wide", b"/old", b"/new"]),
        (Keep.PIXELS, [b"/wide", b"/large", b"/old", b"/new"]),
        (Keep.OLDEST, [b"/old", b"/large", b"/wide", b"/new"]),
        (Keep.NEWEST, [b"/new", b"/wide", b"/large", b"/old"]),
    ],
)
def test_each_rule_puts_its_own_picture_first(keep: Keep, paths: list[bytes]) -> None:
    files = [
        file(b"/new", content(1, width=1), size=1, mtime_ns=40 * SECOND),
        file(b"/old", content(2, width=2), size=2, mtime_ns=10 * SECOND),
        file(b"/wide", content(3, width=9), size=3, mtime_ns=30 * SECOND),
        file(b"/large", content(4, width=3), size=4, mtime_ns=20 * SECOND),
    ]
    assert [each.path_bytes for each in order(files, keep)] == paths


@pytest.mark.parametrize("keep", Keep)
def test_ties_go_on_by_size_then_pixels_then_age_then_path(keep: Keep) -> None:
    # What the rule itself looks at is equal in all of them.
    free = {"size": 5, "width": 5, "mtime_ns": 5 * SECOND}
    larger = {**free, "size": 6}
    wider = {**free, "width": 6}
    older = {**free, "mtime_ns": 4 * SECOND}
    ruled = {
        Keep.BEST: None,
        Keep.LARGEST: "size",
        Keep.PIXELS: "width",
        Keep.OLDEST: "mtime_ns",
        Keep.NEWEST: "mtime_ns",
    }[keep]
    given = {b"/b": free, b"/a": free, b"/older": older, b"/wider": wider, b"/larger": larger}
    files = [
        file(path, content(1, width=told["width"]), size=told["size"], mtime_ns=told["mtime_ns"])
        for path, told in ((path, {**told, ruled: 5} if ruled else told) for path, told in given.items())
    ]
    ties = {b"/larger": "size", b"/wider": "width", b"/older": "mtime_ns"}
    winners = [path for path, key in ties.items() if key != ruled]
    losers = sorted(path for path in given if path not in winners)
    assert [each.path_bytes for each in order(files, keep)] == [*winners, *losers]


def test_pixels_are_width_times_height() -> None:
    files = [file(b"/long", content(1, width=100, height=1)), file(b"/square", content(2, width=11, height=11))]
    assert [each.path_bytes for each in order(files, Keep.PIXELS)] == [b"/square", b"/long"]


@pytest.mark.parametrize("keep", Keep)
def test_a_picture_with_a_problem_goes_after_whole_ones(keep: Keep) -> None:
    broken = content(1, width=99, problem="it is cut off")
    files = [
        file(b"/a older", broken, size=999, mtime_ns=1),
        file(b"/a newer", broken, size=999, mtime_ns=99 * SECOND),
        file(b"/whole", content(2), size=1),
    ]
    assert order(files, keep)[0] == files[2]


def test_pictures_with_problems_are_in_order_among_themselves() -> None:
    broken = content(1, problem="it is cut off")
    small, large = file(b"/1", broken, size=1), file(b"/2", broken, size=2)
    assert order([small, large], Keep.LARGEST) == [large, small]


@given(
    st.lists(
        st.builds(
            lambda path, size, width, age, problem: file(
                b"/" + path, content(1, width=width, problem=problem), size=size, mtime_ns=age
            ),
            st.binary(max_size=2),
            *[st.integers(1, 2)] * 3,
            st.sampled_from([None, "it is cut off"]),
        ),
        unique_by=lambda each: each.path_bytes,
        max_size=6,
    ),
    st.sampled_from(Keep),
)
def test_order_does_not_depend_on_how_the_files_came(files: list[File], keep: Keep) -> None:
    assert order(reversed(files), keep) == order(files, keep)
