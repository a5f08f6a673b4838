"""Who only asks needs no lock: what no scan has judged is judged in memory, and kept where that is possible."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, save
from typer.testing import CliRunner

from hashindex import CatalogueLocked, HashIndex, Limits, Progress, Relation
from hashindex.commands.cli import app
from hashindex.index import catch_up, judge_new
from hashindex.pictures.isolated_worker import IsolatedWorker


def names(index: HashIndex, **how: Any) -> list[list[str]]:
    groups = index.groups(**how)
    return sorted(
        sorted(os.path.basename(os.fsdecode(one.file.path_bytes)) for one in group.members) for group in groups
    )


def interrupt_comparing(progress: Progress) -> None:
    if progress.comparing:
        raise KeyboardInterrupt


@pytest.fixture
def unjudged(index: HashIndex, folder: Path) -> HashIndex:
    """A catalogue of a scan that was interrupted when it had read everything."""
    for quality in (50, 70, 90):
        save(draw(1, (240, 180)), folder / f"{quality}.jpg", quality=quality)
    save(draw(2), folder / "stranger.png")
    with pytest.raises(KeyboardInterrupt):
        index.scan([folder], on_progress=interrupt_comparing)
    return index


ALL = [["50.jpg", "70.jpg", "90.jpg"]]


@contextmanager
def held(index: HashIndex) -> Iterator[None]:
    """Another writer in the middle of a transaction."""
    with closing(sqlite3.connect(index.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE root SET problem = problem")
        yield
        other.execute("ROLLBACK")


def test_groups_and_plans_are_answered_while_another_process_writes(
    unjudged: HashIndex, tmp_path: Path, judged: list[tuple[int, int]]
) -> None:
    with held(unjudged):
        assert names(unjudged) == ALL
        assert len(unjudged.plan(tmp_path / "out").steps) == 3
        assert len(unjudged.query(tmp_path / "pictures" / "50.jpg").hits) == 2
        assert unjudged.explain(*sorted((tmp_path / "pictures").glob("*.jpg"))[:2]).relation is Relation.COPY
        assert names(unjudged, mirrored=True) == ALL
        with pytest.raises(CatalogueLocked):
            unjudged.forget(tmp_path / "pictures")
    assert judged
    assert unjudged.status().waiting == unjudged.status().copies == 0


def test_what_was_judged_is_kept_as_soon_as_the_other_process_is_done(
    unjudged: HashIndex, monkeypatch: pytest.MonkeyPatch, judged: list[tuple[int, int]]
) -> None:
    other = held(unjudged)
    other.__enter__()

    def ask(*given: Any, **named: Any) -> Any:
        found = asks(*given, **named)
        other.__exit__(None, None, None)
        return found

    asks = catch_up.compare_new
    monkeypatch.setattr(catch_up, "compare_new", ask)
    assert names(unjudged) == ALL
    monkeypatch.setattr(catch_up, "compare_new", asks)
    count = len(judged)
    assert count
    for _ in range(2):
        assert names(unjudged) == ALL
    unjudged.scan()
    assert len(judged) == count


def test_a_number_that_went_to_another_content_gets_no_verdict(unjudged: HashIndex) -> None:
    from hashindex.store.catalogue import Catalogue

    with Catalogue(unjudged.path, write=True) as catalogue:
        ids = sorted(content for content, _ in catalogue.verdicts.views())
        with IsolatedWorker(Limits()) as alone:
            answers = judge_new.Answers(catalogue, alone)
            found = [answers.between(ids[0], ids[1]), answers.between(ids[0], ids[2])]
        digests = catalogue.digests_of(ids)
        judge_new.keep_verdicts(catalogue, found, {**digests, ids[2]: b"another"})
        assert [(one.a, one.b) for one in catalogue.verdicts.among(ids)] == [(ids[0], ids[1])]


def test_a_catalogue_in_memory_leaves_the_one_on_disk_alone(unjudged: HashIndex) -> None:
    before = unjudged.path.read_bytes()
    with held(unjudged):
        names(unjudged, level="similar")
    assert unjudged.path.read_bytes() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_catalogue_that_may_not_be_written_is_grouped_though_nothing_was_judged(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "readonly"
    index = HashIndex(place / "c.db")
    for quality in (50, 70, 90):
        save(draw(1, (240, 180)), folder / f"{quality}.jpg", quality=quality)
    with pytest.raises(KeyboardInterrupt):
        index.scan([folder], on_progress=interrupt_comparing)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path(path.root):
            path.chmod(path.stat().st_mode | 0o055)
    (place / "c.db").chmod(0o444)
    place.chmod(0o555)
    script = (
        # Imported while the interpreter's own files may still be read.
        "import os, hashindex.index.scan, hashindex.hashing.packed, hashindex.judge.pair_judge\n"
        "import hashindex.pictures.isolated_worker, hashindex.judge.shortlist, hashindex.organize.organize\n"
        "from hashindex import HashIndex, HashIndexError\n"
        "from hashindex.judge.classifier import trained_model; trained_model()\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"index = HashIndex({str(index.path)!r}, wait_s=0.2)\n"
        "print([len(group.members) for group in index.groups()])\n"
        f"print(len(index.plan({str(tmp_path / 'out')!r}).steps))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (run.stdout.split(), run.stderr) == (["[3]", "3"], "")


def test_a_person_is_told_why_an_answer_takes_long(unjudged: HashIndex, tmp_path: Path) -> None:
    for command in (["organize", str(tmp_path / "out")], ["groups"]):
        with held(unjudged):
            run = CliRunner().invoke(app, ["--catalogue", str(unjudged.path), "--wait", "0", *command])
        assert run.exit_code == 0
        assert "The last scan was interrupted; comparing 3 pairs first.\n" in run.stderr
        assert "interrupted" not in run.stdout
    run = CliRunner().invoke(app, ["--catalogue", str(unjudged.path), "--quiet", "groups"])
    assert run.stderr == ""
    run = CliRunner().invoke(app, ["--catalogue", str(unjudged.path), "groups"])
    assert run.stderr == ""


def test_who_has_to_wait_for_another_process_is_told_so(unjudged: HashIndex, folder: Path, tmp_path: Path) -> None:
    patient = HashIndex(unjudged.path, wait_s=0.6)
    seen: list[Progress] = []
    with held(unjudged):
        for act in (patient.scan, lambda on_progress: patient.organize(tmp_path / "out", on_progress=on_progress)):
            save(draw(9), folder / f"{len(seen)}.png")
            seen.clear()
            with pytest.raises(CatalogueLocked):
                act(on_progress=seen.append)
            assert [one for one in seen if one.waiting]


# Limits and workers


def test_limits_and_workers_reach_all_that_judges(
    unjudged: HashIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[Limits, object]] = []
    works = judge_new.keep_relations

    def noted(catalogue: Any, limits: Limits, *, workers: int | None = None, **named: Any) -> int:
        met.append((limits, workers))
        return works(catalogue, limits, workers=workers, **named)

    monkeypatch.setattr(catch_up, "keep_relations", noted)
    asked: list[Limits] = []
    begins = judge_new.Answers.__init__

    def init(self: judge_new.Answers, catalogue: Any, alone: IsolatedWorker, *given: Any, **named: Any) -> None:
        asked.append(alone.limits)
        begins(self, catalogue, alone, *given, **named)

    monkeypatch.setattr(judge_new.Answers, "__init__", init)
    limits = ["--workers", "1", "--max-pixels", "1000000", "--max-frames", "7"]
    commands = [
        ["groups", *limits],
        ["groups", "--mirrored", *limits],
        ["organize", str(tmp_path / "out"), *limits],
        ["report", str(tmp_path / "report.html"), *limits],
        ["organize", str(tmp_path / "out"), "--apply", *limits],
    ]
    for command in commands:
        with held(unjudged) if "--apply" not in command else closing(sqlite3.connect(":memory:")):
            run = CliRunner().invoke(app, ["--catalogue", str(unjudged.path), "--wait", "0", *command])
        assert run.exit_code == 0, run.output
    expected = Limits(pixels=1_000_000, frames=7)
    assert set(met) == {(expected, 1)}
    assert set(asked) == {expected}
    assert len(met) == len(asked) == len(commands)
