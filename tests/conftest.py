"""What several test modules use."""

import os

# As the command line does, before NumPy is imported: a process of one thread is forked, which is quicker.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import pytest

from hashindex import HashIndex

TALLY = pytest.StashKey[dict[tuple[str, str, str], int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="every fault at every point, thousands of examples")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = {}


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
    from hashindex.judgement.judging import Judge
    from hashindex.model import Verdict

    met: list[tuple[int, int]] = []
    before = Judge.verdict

    def verdict(self: Judge, a: int, b: int, turn: int = 0) -> Verdict:
        met.append((a, b))
        return before(self, a, b, turn)

    monkeypatch.setattr(Judge, "verdict", verdict)
    return met
