"""The cache that is bounded by bytes."""

from hypothesis import given
from hypothesis import strategies as st

from hashindex.judge.recently_used import RecentlyUsed


class Sized:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def test_a_value_is_made_once_while_there_is_space() -> None:
    cache = RecentlyUsed[Sized](10)
    made = []

    def make() -> Sized:
        made.append(Sized(4))
        return made[-1]

    assert cache.get("a", make) is cache.get("a", make) is made[0]
    cache.get("b", make)
    assert cache.get("a", make) is made[0]
    cache.get("c", make)  # b was not used for the longest time
    assert cache.get("a", make) is made[0]
    cache.get("b", make)
    assert len(made) == 4


def test_nothing_is_kept_for_none_and_for_values_that_are_too_large() -> None:
    cache = RecentlyUsed[Sized](10)
    asked = []

    def nothing() -> None:
        asked.append("nothing")

    assert cache.get("none", nothing) is cache.get("none", nothing) is None
    assert asked == ["nothing"]
    large, small = Sized(11), Sized(1)
    cache.put("large", large)
    assert cache.get("large", lambda: small) is large
    cache.put("small", small)
    assert cache.get("large", lambda: small) is small


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), max_size=40))
def test_all_values_together_never_exceed_the_bound_unless_one_does(steps: list[tuple[int, int]]) -> None:
    cache = RecentlyUsed[Sized](20)
    for key, size in steps:
        value = Sized(size)
        cache.put(key, value)
        assert cache.get(key, lambda: None) is value
        sizes = [0 if one is None else one.nbytes for one in cache._values.values()]
        assert cache._nbytes == sum(sizes) <= 20
