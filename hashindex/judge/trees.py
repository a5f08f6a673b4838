"""Gradient-boosted trees: evaluates a trained model on a row of features and returns a probability. Does no I/O.

All trees are evaluated at once, as in QuickScorer (Lucchese et al. 2015). The leaves of a tree are bits. Each node
whose answer is no clears the leaves on its yes side. The lowest bit that remains is the leaf that a walk would reach.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.judge import compiled

LEAVES: Final = 64
"""The most leaves that a tree may have."""


class Trees(NamedTuple):
    """Node q of tree t is at [q, t]; leaf n of tree t is at [t, n]. Leaves are counted from the yes side."""

    start: float
    """Initial log odds."""
    feature: NDArray[np.intp]
    """The feature that a node tests."""
    threshold: NDArray[np.float64]
    """Up to this value the answer is yes; infinite if the tree has fewer nodes."""
    left: NDArray[np.uint64]
    """The leaves that remain after a no, as bits."""
    value: NDArray[np.float64]
    """The log odds that a leaf adds."""
    number: NDArray[np.intp]
    """The numbers of the trees, 0 to n - 1."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Trees":
        """Reads what train_judge.py writes: for each tree a list of [feature, threshold, yes, no] or a leaf's value.

        ValueError if a tree has more than LEAVES leaves.
        """
        leaves: list[list[float]] = []
        questions: list[list[tuple[int, float, int]]] = []
        for tree in data["trees"]:
            values: list[float] = []
            nodes: list[tuple[int, float, int]] = []
            _read(tree, 0, values, nodes)
            leaves.append(values)
            questions.append(nodes)
        if max(map(len, leaves), default=0) > LEAVES:
            raise ValueError(f"A tree has more than {LEAVES} leaves.")
        shape = max(map(len, questions), default=0), len(leaves)
        feature, threshold = np.zeros(shape, np.intp), np.full(shape, np.inf)
        left = np.full(shape, _ALL, np.uint64)
        value = np.zeros((len(leaves), max(map(len, leaves), default=1)))
        for t, (values, nodes) in enumerate(zip(leaves, questions, strict=True)):
            value[t, : len(values)] = values
            for q, question in enumerate(nodes):
                feature[q, t], threshold[q, t], left[q, t] = question
        return cls(float(data["start"]), feature, threshold, left, value, np.arange(len(leaves)))

    def probability(self, row: NDArray[np.float32]) -> float:
        """The probability for a row of features, 0 to 1. Cost: 15 us for 100 trees of 12 leaves,
        3 us compiled."""
        return 1 / (1 + math.exp(-self.start - self._log_odds(row)))

    def _log_odds(self, row: NDArray[np.float32]) -> float:
        """The sum of the leaves, in the order of the trees."""
        if compiled.kernels is not None:
            found: float = compiled.kernels.log_odds(self.feature, self.threshold, self.left, self.value, row)
            return found
        no = row.astype(np.float64).take(self.feature) > self.threshold
        left = np.bitwise_and.reduce(np.where(no, self.left, _ALL), axis=0)
        first = np.bitwise_count(~left & (left - _ONE))
        return float(np.cumsum(self.value[self.number, first])[-1])

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability of each row, as probability returns it. Cost: 5 us a row and 5 KB for 60 trees."""
        no = rows.astype(np.float64)[:, self.feature] > self.threshold
        left = np.bitwise_and.reduce(np.where(no, self.left, _ALL), axis=1)
        first = np.bitwise_count(~left & (left - _ONE))
        return np.asarray(1 / (1 + np.exp(-self.start - self.value[self.number, first].sum(axis=1))))


_ALL: Final = np.uint64(2**LEAVES - 1)
_ONE: Final = np.uint64(1)


def _read(tree: list[Any], node: int, values: list[float], nodes: list[tuple[int, float, int]]) -> None:
    """Appends the leaves below a node to values, from the yes side, and the nodes to nodes."""
    if not isinstance(tree[node], list):
        values.append(float(tree[node]))
        return
    feature, threshold, yes, no = tree[node]
    before = len(values)
    _read(tree, yes, values, nodes)
    cleared = (1 << len(values)) - (1 << before)
    nodes.append((feature, threshold, int(_ALL) & ~cleared))
    _read(tree, no, values, nodes)
