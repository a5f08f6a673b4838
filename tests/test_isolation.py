"""No command opens a picture in its own process; a decoder that crashes or hangs costs one picture."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from pictures import draw, fill, save
from typer.testing import CliRunner

from hashindex import Finding, HashIndex, Limits, ScanOptions, Severity, WalkRules
from hashindex.commands.cli import app
from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.core.watch_events import WatchEvent
from hashindex.judge import classifier
from hashindex.pictures import decode, frames, isolated_worker, pixel_digest, worker_limits, worker_pool
from hashindex.store.catalogue import Catalogue
from hashindex.watch.clock import Clock
from hashindex.watch.comparing import BackgroundComparer
from hashindex.watch.settle import SettleQueue
from hashindex.watch.updater import CatalogueUpdater

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork: the tests change the decoder")

SECONDS = 0.5
CALLS: dict[str, tuple[ModuleType, str]] = {
    "decode": (decode, "_decode"),
    "small_frames": (frames, "load_frames"),
    "pixel_digest": (pixel_digest, "digest_pixels"),
}
"""Functions that decode, and for each the module and name of the function whose time is limited."""


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    """One call into C that never comes back to Python."""
    sum(range(10**15))


ACTS: dict[str, Callable[[], None]] = {"crash": crash, "hang": hang}
REASONS = {
    "crash": "decoding it crashed the decoder or used up the memory",
    "hang": f"decoding it takes longer than {SECONDS} seconds",
}


class World(NamedTuple):
    """Copies of one picture, and another two of which one is hostile."""

    folder: Path
    read: Path
    """A catalogue of a scan that was interrupted before anything was compared."""
    compared: Path

    @property
    def bad(self) -> Path:
        return self.folder / "bad.png"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    place = tmp_path_factory.mktemp("isolation")
    world = World(place / "pictures", place / "read.db", place / "compared.db")
    for seed, name in ((1, "good"), (2, "bad")):
        save(draw(seed), world.folder / f"{name}.png")
        save(draw(seed), world.folder / f"{name}.jpg", quality=70)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hashindex.index.judge_new.keep_relations", interrupted)
        with pytest.raises(KeyboardInterrupt):
            HashIndex(world.read).scan([world.folder])
    HashIndex(world.compared).scan([world.folder])
    return world


@pytest.fixture
def world(built: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """With catalogues of its own, and a judge that opens the files of every pair."""
    copies = {name: tmp_path / f"{name}.db" for name in ("read", "compared")}
    for name, path in copies.items():
        shutil.copy(getattr(built, name), path)
    monkeypatch.setattr(classifier, "STORED_COPY", classifier.Bounds(-1.0, 2.0))
    return built._replace(**copies)


def only_in_workers(monkeypatch: pytest.MonkeyPatch, bad: bytes, call: str, act: Callable[[], None]) -> None:
    """This call does this to whoever has it decode these bytes; and no call is made in this process."""
    for name, (module, function) in CALLS.items():
        usual = getattr(module, function)

        def fake(data: bytes, *given: Any, usual: Any = usual, hits: bool = name == call) -> Any:
            assert worker_limits._Applied.is_worker, "a picture was decoded in the command's own process"
            if hits and data == bad:
                act()
            return usual(data, *given)

        monkeypatch.setattr(module, function, fake)


class Case(NamedTuple):
    """A command, which of the catalogues it gets, and what it says where decode, small_frames or pixel_digest fails."""

    arguments: tuple[str, ...]
    catalogue: str
    calls: dict[str, tuple[int, str]]
    """Exit code and a part of what it says, by call; {why} is the reason."""


COMMANDS = {
    "scan": Case(
        ("scan", "{folder}"),
        "new",
        {"decode": (3, "bad.png: {why}"), **dict.fromkeys(("small_frames", "pixel_digest"), (0, "Read 4 pictures"))},
    ),
    "query": Case(
        ("query", "{folder}/bad.png"),
        "read",
        {"decode": (1, "{why}"), "small_frames": (0, "bad.jpg"), "pixel_digest": (0, "bad.jpg")},
    ),
    "explain": Case(
        ("explain", "{folder}/bad.png", "{folder}/bad.jpg"),
        "read",
        {"decode": (2, "bad.png cannot be compared: {why}"), "small_frames": (0, "copy"), "pixel_digest": (0, "copy")},
    ),
    "calibrate": Case(
        ("calibrate", "{labels}"), "read", dict.fromkeys(CALLS, (0, "2 labelled pairs: 2 same"))
    ),
    "groups": Case(("groups",), "read", {"small_frames": (0, "good.png"), "pixel_digest": (0, "good.png")}),
    "organize": Case(
        ("organize", "{out}"), "read", {"small_frames": (0, "good.png"), "pixel_digest": (0, "good.png")}
    ),
    "report": Case(("report", "{out}.html"), "compared", {"small_frames": (0, "1 picture could not be shown")}),
    "contact sheet": Case(
        ("report", "{out}.html", "--contact-sheet", "{out}.png"), "compared", {"small_frames": (0, ".png")}
    ),
    "check": Case(("check",), "compared", {"decode": (0, "bad.png: its hashes could not be checked: {why}")}),
    "check --full": Case(
        ("check", "--full"), "compared", {"decode": (0, "bad.png: its hashes could not be checked: {why}")}
    ),
    "demo": Case(
        ("demo", "{folder}"),
        "new",
        {"decode": (0, "bad.png: {why}"), "small_frames": (0, "good.png"), "pixel_digest": (0, "good.png")},
    ),
}  # fmt: skip


def run(world: World, tmp_path: Path, case: Case) -> Any:
    (tmp_path / "settings.toml").write_text(f"max_seconds = {SECONDS}\n")
    labels = tmp_path / "labels.tsv"
    rows = [f"{world.folder}/{name}.png\t{world.folder}/{name}.jpg\tsame" for name in ("bad", "good")]
    labels.write_text("\n".join(["path_a\tpath_b\tlabel", *rows]) + "\n")
    where = {"folder": world.folder, "labels": labels, "out": tmp_path / "out"}
    catalogue = tmp_path / "new.db" if case.catalogue == "new" else getattr(world, case.catalogue)
    return CliRunner().invoke(
        app,
        [
            *("--catalogue", str(catalogue), "--config", str(tmp_path / "settings.toml")),
            *(argument.format(**where) for argument in case.arguments),
        ],
    )


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("command", "call"), [(name, call) for name, case in COMMANDS.items() for call in case.calls])
def test_a_decoder_that_fails_costs_one_picture_in_every_command(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, call: str, act: str
) -> None:
    # For what takes no limits yet.
    usual = Limits(seconds=SECONDS)
    monkeypatch.setattr(Limits.__init__, "__defaults__", astuple(usual))
    only_in_workers(monkeypatch, world.bad.read_bytes(), call, ACTS[act])
    result = run(world, tmp_path, COMMANDS[command])
    code, says = COMMANDS[command].calls[call]
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    said = result.stdout + result.stderr
    assert (result.exit_code, says.format(why=REASONS[act]) in said) == (code, True), said


@pytest.mark.parametrize("command", ["same", "separate"])
def test_a_users_decision_is_recorded_without_decoding_anything(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for call in CALLS:
        only_in_workers(monkeypatch, world.bad.read_bytes(), call, crash)
    monkeypatch.setattr(isolated_worker.IsolatedWorker, "run", lambda *_: pytest.fail("a process was asked to decode"))
    result = run(world, tmp_path, Case((command, "{folder}/bad.png", "{folder}/good.png"), "compared", {}))
    assert (result.exit_code, "Noted" in result.stdout) == (0, True), result.stderr


@pytest.mark.parametrize("act", ACTS)
def test_a_decoder_that_fails_on_what_lies_in_a_destination_costs_organize_one_picture(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    index, out = HashIndex(world.compared), tmp_path / "out"
    index.organize(out)
    foreign = save(draw(3), out / "foreign.png")
    monkeypatch.setattr(Limits.__init__, "__defaults__", astuple(Limits(seconds=SECONDS)))
    # The options of that scan have their limits from before.
    monkeypatch.setattr(ScanOptions.__init__, "__defaults__", (WalkRules(), Limits(), None))
    only_in_workers(monkeypatch, foreign.read_bytes(), "decode", ACTS[act])
    result = run(world, tmp_path, Case(("organize", "{out}", "--apply"), "compared", {}))
    assert (result.exit_code, sorted(os.listdir(world.folder))) == (0, ["bad.jpg", "bad.png", "good.jpg", "good.png"])
    with Catalogue(world.compared) as catalogue:
        row = catalogue.file_at(os.fsencode(foreign))
    assert row is not None and REASONS[act] in (row.content.problem or "")


def updater_of(catalogue: Path, limits: Limits, events: list[WatchEvent]) -> CatalogueUpdater:
    """The part of the daemon that reads files and says what they are."""
    return CatalogueUpdater(
        catalogue,
        ScanOptions(limits=limits, workers=1),
        SettleQueue(0.1),
        events.append,
        clock=Clock(),
        on_progress=lambda progress: None,
        on_wait=lambda: None,
    )


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_decoder_that_fails_costs_one_picture_in_the_daemon(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, act: str
) -> None:
    """Its sweeps, what it says of arrivals, and what it compares at a quiet moment."""
    # So that every process is forked, and has the decoder that is changed here.
    monkeypatch.setattr(isolated_worker, "has_one_thread", lambda: True)
    monkeypatch.setattr(worker_pool, "has_one_thread", lambda: True)
    monkeypatch.setattr(classifier, "STORED_COPY", classifier.Bounds(-1.0, 2.0))
    save(draw(2), folder / "known.jpg", quality=70)
    catalogue = tmp_path / "catalogue.db"
    HashIndex(catalogue).scan([folder])
    save(draw(1), folder / "good.png")
    bad = save(draw(2), folder / "bad.png")
    only_in_workers(monkeypatch, bad.read_bytes(), call, ACTS[act])
    limits = Limits(seconds=SECONDS)
    told: list[WatchEvent] = []
    updater = updater_of(catalogue, limits, told)
    updater.sweep([os.fsencode(folder)])
    while not updater.announce(60.0):
        pass
    updater.let_go()
    comparer = BackgroundComparer(catalogue, limits, lambda: None)
    comparer.compare()
    comparer.finish()
    events = {(os.path.basename(event.path_bytes or b""), event.kind): event for event in told}
    assert events[b"good.png", "new"].relation == "new"
    if call == "decode":
        assert REASONS[act] in (events[b"bad.png", "problem"].message or "")
    else:
        assert events[b"bad.png", "new"].relation == "copy"


# Check


def check(index: HashIndex, **how: Any) -> list[Finding]:
    return [finding for finding in index.check(**how) if finding.severity is not Severity.OK]


@pytest.mark.parametrize("act", ACTS)
def test_check_full_goes_on_with_the_other_files_where_a_pool_breaks(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    fill(folder, range(40))
    index.scan([folder], ScanOptions(workers=2))
    only_in_workers(monkeypatch, (folder / "20.png").read_bytes(), "decode", ACTS[act])
    seen: list[tuple[int, int]] = []
    (found,) = check(index, full=True, limits=Limits(seconds=SECONDS), on_progress=lambda *given: seen.append(given))
    assert (found.severity, seen[-1]) == (Severity.NOTE, (40, 40))
    assert found.says.startswith(f"{folder}/20.png: its hashes could not be checked: {REASONS[act]}")


def test_check_tells_of_a_picture_that_takes_its_decoder_down_and_holds_other_bytes_by_now(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = fill(folder, [1])
    index.scan([folder])
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    only_in_workers(monkeypatch, path.read_bytes(), "decode", crash)
    assert [finding.severity for finding in check(index)] == [Severity.PROBLEM, Severity.NOTE]


def test_check_gives_no_second_try_to_what_no_scan_could_decode(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = fill(folder, [1, 2])
    tries = tmp_path / "tries"

    def noted() -> None:
        with tries.open("a") as file:
            file.write("x")
        crash()

    only_in_workers(monkeypatch, paths[0].read_bytes(), "decode", noted)
    index.scan([folder])
    before = len(tries.read_text())
    assert (check(index), check(index, full=True), len(tries.read_text())) == ([], [], before)


# Who ends the processes


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[isolated_worker.IsolatedWorker]]:
    """Every owner of a process that was made; the garbage collector ends none of them."""
    made: list[isolated_worker.IsolatedWorker] = []
    before = isolated_worker.IsolatedWorker.__init__

    def init(self: isolated_worker.IsolatedWorker, limits: Limits) -> None:
        before(self, limits)
        made.append(self)

    monkeypatch.setattr(isolated_worker.IsolatedWorker, "__init__", init)
    yield made
    for one in made:
        one.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The processes that were started for one thing at a time."""
    found: list[object] = []
    for kind in (isolated_worker._Forked, isolated_worker._Spawned):

        def init(self: object, limits: Limits, usual: Callable[..., None] = kind.__init__) -> None:
            found.append(self)
            usual(self, limits)

        monkeypatch.setattr(kind, "__init__", init)
    return found


def left(processes: list[isolated_worker.IsolatedWorker]) -> int:
    return sum(one._process is not None for one in processes)


def test_groups_and_plan_close_the_processes_that_they_start(
    world: World,
    processes: list[isolated_worker.IsolatedWorker],
    started: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A chain that the guard has to ask about itself.
    monkeypatch.setattr("hashindex.index.catch_up.keep_relations", lambda *_, **__: 0)
    chain = [Verdict(id, id + 1, 0, Relation.COPY, 0.8, 0.8, True) for id in (1, 2, 3)]

    def left_by(act: Callable[[HashIndex], object]) -> tuple[bool, int]:
        with Catalogue(world.read, write=True) as catalogue, catalogue.atomic():
            catalogue.connection.execute("DELETE FROM judged_pair")
            catalogue.verdicts.put_candidates([(one.a, one.b, 1) for one in chain])
            catalogue.verdicts.put(chain)
        started.clear()
        act(HashIndex(world.read))
        return bool(started), left(processes)

    assert left_by(lambda index: index.groups()) == (True, 0)
    assert left_by(lambda index: index.plan(tmp_path / "out")) == (True, 0)


def test_queries_share_one_process_which_close_ends(
    world: World, processes: list[isolated_worker.IsolatedWorker]
) -> None:
    with HashIndex(world.compared) as index:
        index.query(world.bad)
        index.query(world.folder / "good.jpg")
        assert (len(processes), left(processes)) == (1, 1)
        index.query(world.bad, limits=Limits(seconds=9.0))
        assert (len(processes), left(processes)) == (2, 1)
    assert left(processes) == 0


def test_the_query_command_leaves_no_process(
    world: World, processes: list[isolated_worker.IsolatedWorker], tmp_path: Path
) -> None:
    result = run(world, tmp_path, Case(("query", "{folder}/good.png"), "compared", {}))
    assert (result.exit_code, len(processes), left(processes)) == (0, 1, 0)


def test_the_daemon_opens_the_pictures_of_many_arrivals_by_one_process(
    tmp_path: Path,
    folder: Path,
    processes: list[isolated_worker.IsolatedWorker],
    started: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(classifier, "STORED_COPY", classifier.Bounds(-1.0, 2.0))
    save(draw(1), folder / "known.png")
    catalogue = tmp_path / "catalogue.db"
    HashIndex(catalogue).scan([folder])
    for quality in (50, 60, 70, 80):
        save(draw(1), folder / f"{quality}.jpg", quality=quality)
    told: list[WatchEvent] = []
    updater = updater_of(catalogue, Limits(), told)
    updater.sweep([os.fsencode(folder)])
    started.clear()
    while not updater.announce(60.0):
        pass
    assert [event.relation for event in told if event.kind == "new"] == ["copy"] * 4
    assert len(started) == 1
    updater.let_go()
    assert left(processes) == 0
