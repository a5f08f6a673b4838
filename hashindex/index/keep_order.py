"""Sorts files by the rules for the keeper. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from hashindex.core.keep_rules import KeepRule, KeepRules, Under
from hashindex.core.model import File
from hashindex.core.options import Keep
from hashindex.core.reviewing import KeeperDecision
from hashindex.disk import files


def order(
    held: Iterable[File],
    rules: Keep | KeepRules,
    ranks: Mapping[int, int] | None = None,
    chosen: Mapping[bytes, KeeperDecision] = MappingProxyType({}),
) -> list[File]:
    """Sorts files by these rules, the keeper first. The result does not depend on the input order.

    ranks: content -> rank, for Keep.BEST; 0 is the best. With ranks, ties are broken by age (oldest first), then path;
    without ranks, by bytes and pixels (most first), then age and path. A picture with a problem, as a broken-off
    download, comes after intact ones, so that it does not become the keeper.

    chosen: the user's decisions on keepers, by digest. They go before all of this, the latest first.
    """
    rules = (rules,) if isinstance(rules, Keep) else rules
    keys = [_key_of(rule, ranks or {}) for rule in rules]
    last = _by_age if ranks and Keep.BEST in rules else _by_size

    def place(file: File) -> tuple[object, ...]:
        return file.content.problem is not None, *(key(file) for key in keys), last(file)

    ordered = sorted(held, key=place)
    if any(file.content.digest in chosen for file in ordered):
        ordered.sort(key=lambda file: _by_decision(file, chosen))
    return ordered


def _by_decision(file: File, chosen: Mapping[bytes, KeeperDecision]) -> tuple[int, bool]:
    decision = chosen.get(file.content.digest)
    return (1, False) if decision is None else (-decision.decided_ns, file.path_bytes != decision.path_bytes)


_SortKey = Callable[[File], int]


def _key_of(rule: KeepRule, ranks: Mapping[int, int]) -> _SortKey:
    if isinstance(rule, Under):
        return _is_outside(rule)
    if rule is Keep.BEST:
        behind = len(ranks)
        return lambda file: ranks.get(file.content.id, behind)
    return _KEYS[rule]


def _is_outside(rule: Under) -> _SortKey:
    return lambda file: not files.is_within(file.path_bytes, rule.folder)


def _by_size(file: File) -> tuple[object, ...]:
    return -file.size, -file.content.width * file.content.height, file.mtime_ns, file.path_bytes


def _by_age(file: File) -> tuple[object, ...]:
    return file.mtime_ns, file.path_bytes


_KEYS: Mapping[Keep, _SortKey] = {
    Keep.LARGEST: lambda file: -file.size,
    Keep.PIXELS: lambda file: -file.content.width * file.content.height,
    Keep.OLDEST: lambda file: file.mtime_ns,
    Keep.NEWEST: lambda file: -file.mtime_ns,
}


def deciding_rule(held: Sequence[File], rules: KeepRules, ranks: Mapping[int, int] | None = None) -> KeepRule | None:
    """The first rule that prefers the first of these sorted files to another file; None if all rules tie."""
    if not held:
        return None
    first = held[0]
    for rule in rules:
        key = _key_of(rule, ranks or {})
        if any(key(file) != key(first) for file in held):
            return rule
    return None
