"""Verdicts in the catalogue: what is kept, and that queries do not read all of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hashindex.core.messages import JUDGE_VERSION, CompareKeys, Verdict
from hashindex.core.model import Relation
from hashindex.store import verdicts
from hashindex.store.catalogue import Catalogue

MANY = 3_000
STEP = 100
"""Instructions of SQLite between two calls of its progress handler, which counts them."""


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """MANY contents with a look, each compared with all and different from the next one."""
    with Catalogue(tmp_path / "catalogue.db", write=True) as opened:
        with opened.atomic():
            opened.verdicts.put_compare_keys({id: CompareKeys(b"signature", b"keys") for id in range(1, MANY + 1)})
            opened.verdicts.put_candidates((id, id + 1, 3) for id in range(1, MANY))
            opened.verdicts.put(verdict(id, id + 1, Relation.DIFFERENT) for id in range(1, MANY))
            opened.verdicts.settle(range(1, MANY + 1))
        yield opened


def verdict(a: int, b: int, relation: Relation) -> Verdict:
    return Verdict(a, b, 0, relation, 0.5, 0.5, False)


def instructions(catalogue: Catalogue, ask: Callable[[], object]) -> int:
    """About how many instructions SQLite runs for a question."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += STEP
        return 0

    catalogue.connection.set_progress_handler(tick, STEP)
    ask()
    catalogue.connection.set_progress_handler(None, 0)
    return count


def test_questions_of_every_command_do_not_read_what_is_settled(catalogue: Catalogue) -> None:
    assert instructions(catalogue, lambda: catalogue.verdicts.has_work((0,), variants=True)) <= 500
    assert instructions(catalogue, lambda: catalogue.verdicts.alike(Relation.COPY)) <= 500


def test_verdicts_among_many_are_not_asked_for_with_each_other(catalogue: Catalogue) -> None:
    every = range(1, MANY + 1)
    assert len(catalogue.verdicts.among(every)) == len(catalogue.verdicts.candidates_among(every)) == MANY - 1
    # MANY * MANY would be 9,000,000 at the least.
    assert instructions(catalogue, lambda: catalogue.verdicts.among(every)) < 200 * MANY
    assert instructions(catalogue, lambda: catalogue.verdicts.candidates_among(every)) < 200 * MANY


def test_verdicts_of_another_judge_are_noticed_and_forgotten(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not catalogue.verdicts.has_old()
    monkeypatch.setattr(verdicts, "JUDGE_VERSION", JUDGE_VERSION + 1)
    assert catalogue.verdicts.has_old()
    with catalogue.atomic():
        catalogue.verdicts.forget_old()
    assert not catalogue.verdicts.has_old()
    assert len(catalogue.verdicts.open_pairs()) == MANY - 1


def test_a_pair_that_was_put_aside_counts_for_its_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalogue(tmp_path / "catalogue.db", write=True) as catalogue:
        with catalogue.atomic():
            catalogue.verdicts.put_candidates([(1, 2, 3)])
            catalogue.verdicts.skip([(1, 2)])
        monkeypatch.setattr(verdicts, "JUDGE_VERSION", JUDGE_VERSION + 1)
        assert catalogue.verdicts.has_old()


def test_what_an_undone_transaction_judged_is_of_no_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalogue(tmp_path / "catalogue.db", write=True) as catalogue:
        with pytest.raises(KeyboardInterrupt), catalogue.atomic():
            catalogue.verdicts.put([verdict(1, 2, Relation.COPY)])
            raise KeyboardInterrupt
        monkeypatch.setattr(verdicts, "JUDGE_VERSION", JUDGE_VERSION + 1)
        assert not catalogue.verdicts.has_old()
