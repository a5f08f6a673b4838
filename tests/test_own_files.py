"""Files that hashindex makes: their owner's alone, whole or not there, and never anything that runs."""

import ast
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from pictures import draw, fill, save
from typer.testing import CliRunner

from hashindex import HashIndex
from hashindex.commands.cli import app
from hashindex.store.catalogue import Catalogue
from hashindex.store.daemon_state import DaemonState, write_state

PACKAGE = Path(__file__).resolve().parent.parent / "hashindex"
RUNS_CODE = {
    *("eval", "exec", "compile", "__import__", "execfile", "breakpoint"),
    *("pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "code", "codeop"),
    *("yaml", "ruamel", "jsonpickle", "xmlrpc"),
    *("load_module", "exec_module", "import_module", "spec_from_file_location"),
}
"""What makes code of data, by the names under which it is imported or called."""

PLUGINS: dict[str, set[str]] = {
    "__init__": {"import_module"},
    "commands/cli": {"import_module"},
    "pictures/opener": {"import_module"},
    "pictures/isolated_worker": {"pickle"},
    "cluster/dask_executor": {"pickle"},
    "cluster/worker_tasks": {"pickle"},
}
"""Who imports modules by name: names that stand in the source, of this package and of what it depends on. And what a
process and the one that it started tell each other through a pipe, as those of multiprocessing do; and what the workers
of a cluster that the user names get and return, as Dask's own tasks do."""

posix = pytest.mark.skipif(os.name != "posix", reason="modes as POSIX has them")


def names_used(tree: ast.Module) -> set[str]:
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            used |= {(node.module or "").split(".")[0], *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            used.add(node.func.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr != "compile":
            used.add(node.func.attr)
    return used


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=_name)
def test_no_module_makes_code_of_data(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert names_used(tree) & RUNS_CODE == PLUGINS.get(_name(path), set())
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("shell", "False") == "False"
        assert given.get("allow_pickle", "False") == "False"
        # numpy.load reads pickles unless it is told not to; nothing of ours needs it.
        assert ast.unparse(call.func) not in ("np.load", "numpy.load")
        assert "enable_load_extension" not in ast.unparse(call.func)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", {"pickle"}),
        ("from yaml import safe_load", {"yaml"}),
        ("eval('1')", {"eval"}),
        ("importlib.import_module(name)", {"import_module"}),
        ("re.compile('x')", set()),
        ("import json", set()),
    ],
)
def test_what_makes_code_of_data_is_seen_in_every_form(source: str, found: set[str]) -> None:
    assert names_used(ast.parse(source)) & RUNS_CODE == found


@pytest.fixture
def loose() -> object:
    """A person's umask that lets everybody read."""
    before = os.umask(0o000) if os.name == "posix" else 0
    yield
    if os.name == "posix":
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_everything_that_names_pictures_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loose: None
) -> None:
    catalogue = tmp_path / "data" / "catalogue.db"
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(catalogue))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    pictures = tmp_path / "pictures"
    save(draw(1), pictures / "a.png")
    save(draw(1), pictures / "b.bmp")

    def run(*words: str | Path) -> None:
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr

    made = tmp_path / "made"
    made.mkdir()
    run("scan", pictures)
    run("same", pictures / "a.png", pictures / "b.bmp")
    # A reader holds log and index open.
    with Catalogue(catalogue):
        run("scan", pictures)
        run("report", made / "report.html", "--contact-sheet", made / "sheet.png")
        run("explain", pictures / "a.png", pictures / "b.bmp", "--picture", made / "why.png")
        run("calibrate", "--plot", made / "curves.png")
        run("words", "--export", made / "words.jsonl")
        run("backup", made / "copy.db")
        write_state(catalogue, DaemonState(1, "here", 1))
        beside = {path.name for path in catalogue.parent.iterdir()}
        assert {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "catalogue.db.watch.json"} <= beside
        modes = {path.name: mode(path) for place in (made, catalogue.parent) for path in place.iterdir()}
    # The system's own locks are empty.
    readable = {name for name, bits in modes.items() if bits & 0o077 and not name.endswith(".lock")}
    assert readable == set()
    data = bytearray(catalogue.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    catalogue.write_bytes(data)
    run("scan", pictures)
    modes = {path.name: mode(path) for path in catalogue.parent.iterdir()}
    assert {name for name, bits in modes.items() if bits & 0o077 and not name.endswith(".lock")} == set()
    assert [name for name in modes if ".damaged-" in name and not name.endswith("-wal")]


def test_nothing_unfinished_is_left_behind(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fill(folder, range(3))
    index.scan([folder])
    index.organize(tmp_path / "out", rest=True)
    index.backup(tmp_path / "copy.db")
    index.undo()
    names = [path.name for path in tmp_path.rglob("*")]
    assert [name for name in names if name.endswith((".part", ".tmp", "-journal", ".suspect"))] == []


def test_a_manifest_and_words_of_a_stranger_are_data_and_nothing_else(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    """Half-true lines, deep nesting, numbers without end: passed over or refused in a sentence."""
    fill(folder, [1])
    index.scan([folder])
    dest = tmp_path / "out"
    dest.mkdir()
    lines = [
        '{"number": 1, "copy": 0, "name": "../../etc/passwd", "sha256": "' + "00" * 32 + '"}',
        '{"number": 1e400, "copy": 0, "name": "a", "sha256": "00"}',
        '{"number": ' + "9" * 5000 + ', "copy": 0, "name": "a", "sha256": "' + "00" * 32 + '"}',
        "[" * 100_000,
        '{"__class__": "os.system", "name": ["rm"]}',
        "\x00\xff",
    ]
    (dest / ".hashindex.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert index.organize(dest, rest=True).outcome.done == 1
    assert json.loads((dest / ".hashindex.jsonl").read_text().splitlines()[1])["number"] == 1
    for line in lines:
        file = tmp_path / "words.jsonl"
        file.write_text(line, encoding="utf-8")
        result = CliRunner().invoke(app, ["words", "--import", str(file), "--catalogue", str(index.path)])
        assert (result.exit_code, result.exception is None or isinstance(result.exception, SystemExit)) == (2, True)


@posix
def test_a_settings_file_is_data_too(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("a = " + "[" * 5000)
    result = CliRunner().invoke(app, ["status", "--config", str(file)])
    assert (result.exit_code, sys.exc_info()[0]) == (2, None)
