"""A scan on a Dask cluster makes the catalogue that a scan of this machine makes, whatever happens to the cluster."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs the extra dask")

from clusters import (
    CRASHES,
    ENDS_WORKER,
    TASK_PAIRS,
    Act,
    Cluster,
    another_worker,
    cluster,
    hostile_environment,
    joins_alike,
    outcome,
    results,
    rows,
    run_scan,
    scans,
)
from pictures import captioned, draw, fill, save

import hashindex
from hashindex import HashIndex, __version__
from hashindex.index import judge_new

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tests kill workers by signals")
PICTURES = 40


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, copies of all kinds, and files that are no pictures."""
    folder = tmp_path_factory.mktemp("world") / "pictures"
    fill(folder, range(PICTURES))
    for number in range(10):
        save(draw(number), folder / "chat" / f"{number}.jpg", quality=60)
        save(draw(number).resize((80, 60)), folder / "chat" / f"{number} small.png")
    for words in ("yes", "no"):
        save(captioned(draw(99), words), folder / f"{words}.png")
    shutil.copy2(folder / "3.png", folder / "chat" / "again.png")
    (folder / "cut off.png").write_bytes((folder / "5.png").read_bytes()[:300])
    (folder / "text.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no picture either")
    return folder


@pytest.fixture(scope="module")
def local(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> HashIndex:
    """What a scan of this machine finds."""
    index = HashIndex(tmp_path_factory.mktemp("local") / "catalogue.db")
    index.scan([pictures])
    return index


@pytest.fixture(scope="module")
def in_small_tasks(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> HashIndex:
    """As local, with the small tasks of clusters.scans: they decide which verdicts on copies are left out."""
    index = HashIndex(tmp_path_factory.mktemp("small") / "catalogue.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge_new, "TASK_PAIRS", TASK_PAIRS)
        index.scan([pictures])
    return index


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(2, **hostile_environment(tmp_path_factory.mktemp("code") / "hostile", 1)) as started:
        yield started


def test_a_scan_by_dask_makes_the_catalogue_of_a_local_scan(
    pictures: Path, local: HashIndex, two_workers: Cluster, tmp_path: Path
) -> None:
    index = HashIndex(tmp_path / "catalogue.db")
    done = results(run_scan(index.path, pictures, two_workers.address))
    assert (done["files"], done["decoded"]) == (66, 63)
    expected = outcome(local)
    assert (len(expected["files"]), len(expected["groups"])) == (66, 10)
    assert expected["verdicts"]
    assert outcome(index) == expected
    assert index.scan([pictures]).digested == 0


def test_the_workers_may_have_the_pictures_at_another_place(
    pictures: Path, local: HashIndex, two_workers: Cluster, tmp_path: Path
) -> None:
    # The workers come to this place by way of a link, as to many network drives.
    (tmp_path / "there").symlink_to(pictures.parent)
    index = HashIndex(tmp_path / "catalogue.db")
    results(run_scan(index.path, pictures, two_workers.address, "--map", f"{pictures.parent}={tmp_path / 'there'}"))
    assert outcome(index) == outcome(local)


def test_a_picture_that_crashes_its_decoder_costs_one_file_on_a_worker_too(
    two_workers: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    fill(folder, range(20))
    save(draw(1000, CRASHES), folder / "crashes.png")
    save(draw(1001, ENDS_WORKER), folder / "ends worker.png")
    index = HashIndex(tmp_path / "catalogue.db")
    done = results(run_scan(index.path, folder, two_workers.address))
    assert (done["files"], done["digested"]) == (22, 22)
    assert {Path(problem.path).name: problem.reason for problem in index.problems()} == {
        "crashes.png": "decoding it crashed the decoder or used up the memory; it was left out",
        "ends worker.png": "reading it ended several Dask workers; it was left out",
    }
    assert rows(index, "SELECT count(*) FROM content WHERE problem IS NULL") == [(20,)]


def acts(scans: int) -> list[Act]:
    """Moments spread over a scan, in the order of their stages."""
    kinds = ("kill", "kill all", "pause")
    half = scans // 2
    return [
        *(Act(kinds[number % 3], "read", 1 + 60 * number // half) for number in range(half)),
        *(Act(kinds[number % 3], "judged", 20 * number // half) for number in range(half)),
    ]


def test_workers_that_end_or_pause_at_any_moment_cost_only_time(
    pictures: Path, in_small_tasks: HashIndex, two_workers: Cluster, tmp_path: Path, thorough: bool
) -> None:
    if not thorough:
        pytest.skip("only with --thorough")
    expected = outcome(in_small_tasks)
    by_catalogue = {tmp_path / f"{number}.db": act for number, act in enumerate(acts(30))}
    assert scans(two_workers.address, pictures, by_catalogue, two_workers.pid) == {}
    for path, act in by_catalogue.items():
        assert outcome(HashIndex(path)) == expected, act


def test_what_was_done_before_the_scheduler_was_gone_is_kept(
    pictures: Path, local: HashIndex, tmp_path: Path, thorough: bool
) -> None:
    if not thorough:
        pytest.skip("only with --thorough")
    moments = [Act("scheduler", "read", at) for at in (1, 20, 60)] + [Act("scheduler", "judged", at) for at in (0, 4)]
    for number, act in enumerate(moments):
        index = HashIndex(tmp_path / f"{number}.db")
        with cluster(2) as started:
            (error,) = scans(started.address, pictures, {index.path: act}, started.pid).values()
        assert error == (
            f"The Dask scheduler at {started.address} does not answer any more. "
            "What was done is kept; scan again to go on."
        )
        kept = rows(index, "SELECT count(*) FROM file")[0][0]
        assert kept >= (act.at - 8 if act.stage == "read" else 66)
        assert index.scan([pictures]).unchanged == kept
        assert outcome(index)["groups"] == outcome(local)["groups"]


def test_candidates_are_found_by_a_cluster_as_they_are_here(two_workers: Cluster) -> None:
    assert joins_alike(two_workers.address) > 500


def test_a_worker_that_cannot_do_the_work_is_named_before_the_work_begins(
    pictures: Path, two_workers: Cluster, tmp_path: Path
) -> None:
    def refusal(*more: object) -> str:
        done = run_scan(tmp_path / "catalogue.db", pictures, two_workers.address, *more)
        assert done.returncode == 2
        assert rows(HashIndex(tmp_path / "catalogue.db"), "SELECT count(*) FROM file") == [(0,)]
        return done.stderr

    away = refusal("--map", f"{pictures}={tmp_path / 'nowhere'}")
    assert re.search(r"worker tcp://\S+ cannot read \S+nowhere: there is no such folder. If the folder has", away)
    (tmp_path / "empty").mkdir()
    assert "has other files there" in refusal("--map", f"{pictures}={tmp_path / 'empty'}")
    package = Path(hashindex.__file__).parent
    changed = tmp_path / "other" / "hashindex"
    shutil.copytree(package, changed)
    code = (package / "__init__.py").read_text(encoding="utf-8").replace(f'"{__version__}"', '"99.0"')
    (changed / "__init__.py").write_text(code, encoding="utf-8")
    with another_worker(two_workers.address, PYTHONPATH=str(changed.parent)):
        assert re.search(r"worker tcp://\S+ has hashindex 99.0 \(pillow", refusal())
    (changed / "__init__.py").write_text("raise ImportError", encoding="utf-8")
    with another_worker(two_workers.address, PYTHONPATH=str(changed.parent)):
        assert re.search(r"worker tcp://\S+ has no hashindex; install hashindex", refusal())


NOBODY = """
from hashindex.cluster import dask_executor
dask_executor.CONNECT_S = 0.5
dask_executor.DaskExecutor("tcp://127.0.0.1:9")
"""


def test_wrong_options_end_with_a_sentence(pictures: Path, tmp_path: Path) -> None:
    # In a process of its own: the threads of Dask's client would stay in this one.
    nobody = subprocess.run([sys.executable, "-c", NOBODY], capture_output=True, text=True, check=False)
    assert "UsageError: No Dask scheduler answers at tcp://127.0.0.1:9;" in nobody.stderr
    for wrong in ("no equals sign", "=b", "a="):
        done = run_scan(tmp_path / "catalogue.db", pictures, "tcp://127.0.0.1:9", "--map", wrong)
        assert (done.returncode, "--map takes LOCAL=REMOTE" in done.stderr) == (2, True)
    relative = run_scan(tmp_path / "catalogue.db", pictures, "tcp://127.0.0.1:9", "--map", f"{pictures}=there")
    assert "there is no absolute path" in relative.stderr
    assert not (tmp_path / "catalogue.db").exists()


def test_two_hosts_with_the_pictures_at_different_places(pictures: Path, local: HashIndex, tmp_path: Path) -> None:
    """The hosts are network namespaces; the second one has the pictures at another place only."""
    alone = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", *(["-Ur"] if os.getuid() else [])]
    try:
        subprocess.run([*alone, "bash", "-c", f"{HOSTS} true"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this system does not let a test make network namespaces: {getattr(error, 'stderr', error)}")
    index = HashIndex(tmp_path / "catalogue.db")
    (tmp_path / "there").mkdir()
    values = {"PICTURES": pictures, "THERE": tmp_path / "there", "CATALOGUE": index.path, "PYTHON": sys.executable}
    done = subprocess.run(
        [*alone, "bash", "-c", HOSTS + SCAN],
        env={**os.environ, **{name: str(value) for name, value in values.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (results(done)["files"], results(done)["decoded"]) == (66, 63)
    assert outcome(index) == outcome(local)


HOSTS = """
set -e
mount -t tmpfs none /run
for host in 1 2; do ip netns add $host; done
ip link add one netns 1 type veth peer name two netns 2
ip -n 1 address add 10.11.12.1/24 dev one; ip -n 1 link set one up; ip -n 1 link set lo up
ip -n 2 address add 10.11.12.2/24 dev two; ip -n 2 link set two up; ip -n 2 link set lo up
"""
SCAN = """
ip netns exec 1 $PYTHON -m distributed.cli.dask_scheduler --host 10.11.12.1 --port 8786 --no-dashboard 2>/dev/null &
ip netns exec 2 bash -c '
    mount --bind "$PICTURES" "$THERE"
    mount -t tmpfs none "$PICTURES"
    exec $PYTHON -m distributed.cli.dask_worker tcp://10.11.12.1:8786 --host 10.11.12.2 \\
        --nworkers 2 --nthreads 1 --no-dashboard 2>/dev/null
' &
ip netns exec 1 $PYTHON -m hashindex scan "$PICTURES" --catalogue "$CATALOGUE" --json \\
    --dask tcp://10.11.12.1:8786 --map "$PICTURES=$THERE"
"""
