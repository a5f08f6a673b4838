"""The prefilter: which candidates it rules out as copies, and that groups do not depend on when those are judged."""

import random
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from pictures import draw, save

from hashindex import HashIndex
from hashindex.core.messages import JUDGE_VERSION
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.index import judge_new
from hashindex.judge import prefilter
from hashindex.judge.classifier import trained_model
from hashindex.judge.prefilter import KeyedPicture
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store import verdicts
from hashindex.store.catalogue import Catalogue
from hashindex.watch.comparing import BackgroundComparer


def keyed(rng: random.Random, views: int = 1, frames: int = 1) -> KeyedPicture:
    return KeyedPicture(rng.randbytes(views * 2 * 10 * 8), rng.randrange(1, 5000), rng.randrange(1, 5000), frames)


def test_the_order_and_the_company_of_a_pair_make_no_difference() -> None:
    rng = random.Random(1)
    pictures = {id: keyed(rng, rng.randrange(1, 9), rng.randrange(1, 3)) for id in range(12)}
    pairs = [(a, b) for a in pictures for b in pictures if a < b]
    rows = prefilter.rows_of(pairs, pictures)
    assert np.array_equal(rows, prefilter.rows_of([(b, a) for a, b in pairs], pictures))
    assert np.array_equal(rows, np.concatenate([prefilter.rows_of([pair], pictures) for pair in pairs]))


def test_many_rows_have_the_probabilities_of_each() -> None:
    trees = trained_model()["stored"]["copy"]
    rows = np.random.default_rng(1).normal(size=(50, 42)).astype(np.float32)
    assert trees.probabilities(rows) == pytest.approx([trees.probability(row) for row in rows])


def test_a_picture_without_size_or_with_absurd_numbers_is_compared() -> None:
    rng = random.Random(2)
    pictures = {1: keyed(rng)._replace(width=0, height=0, frames=0), 2: keyed(rng)._replace(width=2**31, frames=2**31)}
    assert np.isfinite(prefilter.rows_of([(1, 2)], pictures)).all()
    assert prefilter.rows_of([], pictures).shape == (0, len(prefilter.FEATURES))
    assert prefilter.ruled_out([], pictures) == []


def test_plain_copies_are_not_ruled_out(index: HashIndex, folder: Path) -> None:
    for seed in range(8):
        picture = draw(seed, (240, 180))
        save(picture, folder / f"{seed}.png")
        save(picture.resize((120, 90)), folder / f"{seed} small.jpg", quality=60)
        save(picture.crop((6, 5, 234, 176)), folder / f"{seed} cropped.png")
        save(picture.convert("L"), folder / f"{seed} grey.webp", quality=50)
    index.scan([folder])
    assert sorted(len(group.members) for group in index.groups()) == [4] * 8


@pytest.fixture
def nothing_may_be_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def ruled_out(pairs: Sequence[tuple[int, int]], pictures: Mapping[int, KeyedPicture]) -> list[tuple[int, int]]:
        return list(pairs)

    monkeypatch.setattr(prefilter, "ruled_out", ruled_out)


@pytest.fixture
def three(folder: Path) -> Path:
    for quality in (40, 70, 95):
        save(draw(1, (240, 180)), folder / f"{quality}.jpg", quality=quality)
    return folder


def sizes(index: HashIndex, level: str) -> list[int]:
    return [len(group.members) for group in index.groups(level=level)]


@pytest.mark.usefixtures("nothing_may_be_copies")
def test_what_is_ruled_out_is_judged_when_variants_are_asked_for(
    index: HashIndex, three: Path, judged: list[tuple[int, int]]
) -> None:
    index.scan([three])
    assert (sizes(index, "copies"), judged) == ([], [])
    status = index.status()
    assert (status.waiting, status.waiting_variants) == (0, 3)
    assert sizes(index, "similar") == [3]
    assert len(judged) == 3
    status = index.status()
    assert (status.copies, status.variants, status.waiting, status.waiting_variants) == (0, 3, 0, 0)
    # The pairs are as alike as copies are; yet no verdict may make a group that was not there before.
    assert sizes(index, "copies") == []
    index.scan()
    assert (sizes(index, "similar"), len(judged)) == ([3], 3)


@pytest.mark.usefixtures("nothing_may_be_copies")
def test_watch_judges_what_is_ruled_out_when_it_is_idle(index: HashIndex, three: Path) -> None:
    index.scan([three])
    comparer = BackgroundComparer(index.path, Limits(), lambda: None)
    comparer.work()
    comparer.stop(0)
    status = index.status()
    assert (status.variants, status.waiting_variants) == (3, 0)


@pytest.mark.usefixtures("nothing_may_be_copies")
def test_a_verdict_from_before_two_became_candidates_does_not_count(index: HashIndex, three: Path) -> None:
    """Watch judges an arrival before the candidates are sought."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hashindex.index.judge_new.keep_relations", lambda *_, **__: 0)
        index.scan([three])
    with Catalogue(index.path, write=True) as catalogue, IsolatedWorker(Limits()) as worker:
        answers = judge_new.Answers(catalogue, worker)
        assert answers.between(1, 2).relation is Relation.COPY
        judge_new.keep_verdicts(catalogue, answers.new, catalogue.digests_of([1, 2]))
    index.scan()
    assert (sizes(index, "copies"), index.status().waiting_variants) == ([], 3)


@pytest.mark.usefixtures("nothing_may_be_copies")
def test_a_question_about_two_that_are_ruled_out_has_the_answer_of_groups(index: HashIndex, three: Path) -> None:
    index.scan([three])
    asked = three / "70.jpg"
    relations = [hit.relation for hit in index.query(asked).hits]
    assert relations == [Relation.VARIANT, Relation.VARIANT]
    assert index.explain(asked, three / "40.jpg").relation is Relation.VARIANT
    index.groups(level="similar")
    assert [hit.relation for hit in index.query(asked).hits] == relations


def test_another_judge_rules_out_anew(index: HashIndex, three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.scan([three])
    index.groups(level="similar")
    monkeypatch.setattr(prefilter, "ruled_out", lambda pairs, pictures: list(pairs))
    monkeypatch.setattr(verdicts, "JUDGE_VERSION", JUDGE_VERSION + 1)
    index.scan()
    assert (index.status().copies, index.status().waiting_variants) == (0, 3)


@pytest.mark.usefixtures("nothing_may_be_copies")
def test_a_catalogue_that_cannot_be_written_gives_the_same_groups(index: HashIndex, three: Path) -> None:
    index.scan([three])
    blocker = sqlite3.connect(index.path)
    blocker.execute("BEGIN IMMEDIATE")
    assert sizes(index, "similar") == [3]
    blocker.rollback()
    blocker.close()
    assert index.status().waiting_variants == 0 or sizes(index, "similar") == [3]
