"""What several test modules use."""

import os
import signal
import threading
import time

# As the command line does, before NumPy is imported: a process of one thread is forked, which is quicker.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import json_schema
import pytest
from typer.testing import CliRunner

from hashindex import HashIndex
from hashindex.commands.cli import app as hashindex_app
from hashindex.pictures import isolated_worker, worker_pool

ROOT = Path(__file__).resolve().parent.parent
TASKS = "/proc/self/task"
TALLY = pytest.StashKey[dict[tuple[str, str, str], int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="every fault at every point, thousands of examples")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = {}
    # A program that a test starts imports the package that is tested, wherever it starts it.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Whatever the language of whoever runs them, tests read English unless they choose another one.
    os.environ["LANGUAGE"] = "en"
    # A shell has what it starts in the background ignore Ctrl-C, and that would go on to the programs of the tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker process of pytest-xdist hands in what it tried."""
    handed_in: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if handed_in is not None:
        handed_in["tally"] = [[*key, count] for key, count in session.config.stash[TALLY].items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    tried = node.config.stash[TALLY]
    for *key, count in getattr(node, "workeroutput", {}).get("tally", []):
        tried[tuple(key)] = tried.get(tuple(key), 0) + count


@pytest.fixture(scope="session", autouse=True)
def _fork_beside_the_threads_of_the_test_runner(request: pytest.FixtureRequest) -> Iterator[None]:
    """A worker process of pytest-xdist is forked as if its one other thread, which waits for its orders, were none.

    That thread holds no lock that a child needs. Without this most tests would start interpreters instead: that is
    slower, and what a test changed in its own process would not be changed there.
    """
    if not hasattr(request.config, "workerinput") or not os.path.isdir(TASKS):
        yield
        return
    runners = set(os.listdir(TASKS)) - {str(threading.get_native_id())}

    def has_one_thread() -> bool:
        # The system counts a thread for a moment after Python has joined it.
        for _ in range(5):
            if len(set(os.listdir(TASKS)) - runners) == 1:
                return True
            if threading.active_count() > 1:
                return False
            time.sleep(0.001)
        return False

    with pytest.MonkeyPatch.context() as patch:
        for module in (isolated_worker, worker_pool):
            patch.setattr(module, "has_one_thread", has_one_thread)
        yield


@pytest.fixture(scope="session", autouse=True)
def _json_fits_the_schema() -> Iterator[None]:
    """What a command of a test prints with --json or --progress json fits docs/json-schema.json."""
    invoke = CliRunner.invoke

    def checked(self: CliRunner, app: Any, args: Any = (), *given: Any, **named: Any) -> Any:
        result = invoke(self, app, args, *given, **named)
        if app is hashindex_app:
            json_schema.check_output([str(each) for each in args or ()], result.stdout, result.stderr)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CliRunner, "invoke", checked)
        yield


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether to try everything; else as much as takes some seconds."""
    return bool(request.config.getoption("--thorough"))


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> dict[tuple[str, str, str], int]:
    """Runs by mode, command and fault, shown at the end of a thorough run."""
    return request.config.stash[TALLY]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tried = config.stash[TALLY]
    if not tried or not config.getoption("--thorough"):
        return
    commands, faults = (list(dict.fromkeys(key[place] for key in tried)) for place in (1, 2))
    terminalreporter.section("faults tried")
    for mode in dict.fromkeys(key[0] for key in tried):
        terminalreporter.write_line(mode)
        for fault in faults:
            counts = "  ".join(f"{command} {tried.get((mode, command, fault), 0):4}" for command in commands)
            terminalreporter.write_line(f"  {fault:<18}{counts}")
    terminalreporter.write_line(f"in all: {sum(tried.values()):,}")


@pytest.fixture
def index(tmp_path: Path) -> HashIndex:
    """An index whose catalogue does not exist yet."""
    return HashIndex(tmp_path / "catalogue.db", wait_s=0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to scan."""
    path = tmp_path / "pictures"
    path.mkdir()
    return path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pairs that were judged in this process, as they are judged."""
    # Most tests judge nothing, and need not wait for the module.
    from hashindex.core.messages import Verdict
    from hashindex.judge.pair_judge import PairJudge

    met: list[tuple[int, int]] = []
    before = PairJudge.verdict

    def verdict(self: PairJudge, a: int, b: int, turn: int = 0, *, ruled_out: bool = False) -> Verdict:
        met.append((a, b))
        return before(self, a, b, turn, ruled_out=ruled_out)

    monkeypatch.setattr(PairJudge, "verdict", verdict)
    return met
