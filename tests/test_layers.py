"""The layers of hashindex: which package may import which, read from the source, late imports too."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "hashindex"

LAYERS = (
    "core",
    "disk",
    "pictures",
    "hashing",
    "judge",
    "clients",
    "store",
    "index",
    "organize",
    "care",
    "output",
    "watch",
    "service",
    "review",
    "commands",
)
"""From the bottom to the top: a package imports from itself and from those before it."""

MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()}

SQL_METHODS = {"execute", "executemany", "executescript", "blobopen"}

CHANGES_FILES = {
    *(f"os.{name}" for name in ("link", "mkdir", "makedirs", "remove", "rename", "renames", "replace", "rmdir")),
    *(f"os.{name}" for name in ("removedirs", "symlink", "truncate", "unlink", "utime")),
    *(f"shutil.{name}" for name in ("copy", "copy2", "copyfile", "copytree", "move", "rmtree")),
}
WRITES_OWN_FILES = {
    # Each of these writes files of hashindex's own, never a picture of the user's.
    "store.backup",
    "store.daemon_state",
    "store.database",
    "store.rescue",
    "store.schema",
    "commands.service.background",
    "commands.demo.samples",
    "output.report",
    "review.thumbnail_cache",
}


def layer_of(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Full names of all that is imported, also inside functions: `from a import b` gives "a.b"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "Imports are absolute."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_imported(tree: ast.Module) -> set[str]:
    """Our modules among the imports. A name that the package itself gives counts as "__init__"."""
    found = set()
    for name in imported_names(tree):
        first, *parts = name.split(".")
        if first == "hashindex":
            prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
            found.add(next((prefix for prefix in prefixes if prefix in MODULES), "__init__"))
    return found


IMPORTS = {name: modules_imported(tree) - {"__init__"} for name, tree in TREES.items()}


def calls(tree: ast.Module) -> Iterator[str]:
    """Full source of the function in each call: "os.rename", "catalogue.connection.execute"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def opens_pictures(tree: ast.Module) -> bool:
    """Whether Image.open is named, under that or another name."""
    named = any(isinstance(node, ast.Attribute) and ast.unparse(node).endswith("Image.open") for node in ast.walk(tree))
    return named or "PIL.Image.open" in imported_names(tree)


def runs_sql(tree: ast.Module) -> bool:
    """Whether SQLite is imported, or a method that takes SQL is called on anything."""
    if any(name.split(".")[0] == "sqlite3" for name in imported_names(tree)):
        return True
    return any(call.rpartition(".")[2] in SQL_METHODS and "." in call for call in calls(tree))


def changes_files(tree: ast.Module) -> bool:
    named = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(CHANGES_FILES & (named | set(imported_names(tree))))


def test_every_module_is_in_a_layer() -> None:
    assert {layer_of(name) for name in MODULES} == set(LAYERS)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_its_own_layer_and_those_below(name: str) -> None:
    own = LAYERS.index(layer_of(name))
    assert {used for used in IMPORTS[name] if LAYERS.index(layer_of(used)) > own} == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(IMPORTS[start])
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += IMPORTS[name]
        return seen

    assert [name for name in MODULES if name in reaches(name)] == []


def test_the_package_exports_only_the_service_and_its_values() -> None:
    used = modules_imported(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")))
    others = {name for name in used if layer_of(name) not in ("core", "service")}
    assert others == {"index.grouping", "index.selection", "watch.daemon", "watch.organizing"}


def test_sql_lives_in_the_store() -> None:
    assert {name for name, tree in TREES.items() if runs_sql(tree) and layer_of(name) != "store"} == set()


def test_pictures_are_opened_in_one_module() -> None:
    assert {name for name, tree in TREES.items() if opens_pictures(tree)} == {"pictures.opener"}


def test_the_users_files_are_changed_in_one_module() -> None:
    changing = {name for name, tree in TREES.items() if changes_files(tree)}
    assert changing - WRITES_OWN_FILES == {"organize.moves"}


def test_no_type_name_is_defined_twice() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module, tree in TREES.items():
        for node in tree.body:
            names = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                # Aliases of types: in capitals and small letters.
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                names = [name for name in names if name.lstrip("_")[0].isupper() and not name.isupper()]
            for name in names:
                homes[name].append(module)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import hashindex.index.scan", {"index.scan"}),
        ("import os, hashindex.organize.plan as p", {"organize.plan"}),
        ("from hashindex.core import model, errors", {"core.model", "core.errors"}),
        ("from hashindex import HashIndex", {"__init__"}),
        ("import hashindex", {"__init__"}),
        ("from hashindex.core.errors import UsageError", {"core.errors"}),
        ("def late():\n    from hashindex.pictures.decode import decode", {"pictures.decode"}),
        ("import hashindexer", set()),
    ],
)
def test_modules_imported_reads_every_form_of_import(source: str, modules: set[str]) -> None:
    assert modules_imported(ast.parse(source)) == modules


@pytest.mark.parametrize(
    ("source", "opens"),
    [
        ("Image.open(path)", True),
        ("PIL.Image.open(path)", True),
        ("from PIL.Image import open as look", True),
        ("opener = Image.open", True),
        ("Image.new('L', (1, 1))", False),
        ("path.open()", False),
    ],
)
def test_opens_pictures_sees_every_form(source: str, opens: bool) -> None:
    assert opens_pictures(ast.parse(source)) == opens


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("import sqlite3", True),
        ("def late():\n    from sqlite3 import connect", True),
        ("catalogue.connection.execute('SELECT 1')", True),
        ("rows = self._database.executemany(statement, values)", True),
        ("execute(plan)", False),
    ],
)
def test_runs_sql_sees_every_form(source: str, runs: bool) -> None:
    assert runs_sql(ast.parse(source)) == runs


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("os.rename(a, b)", True),
        ("move = os.replace", True),
        ("from os import unlink", True),
        ("shutil.move(a, b)", True),
        ("os.stat(a)", False),
        ("text.replace('a', 'b')", False),
    ],
)
def test_changes_files_sees_every_form(source: str, changes: bool) -> None:
    assert changes_files(ast.parse(source)) == changes
