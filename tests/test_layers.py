"""The rooms of hashindex and who may import whom: read from the source, so that no import can hide."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "hashindex"

RANKS_BY_PACKAGE = {
    "": {
        "model": 0,
        "errors": 0,
        "dates": 1,
        "findings": 0,
        "status": 9,
        "service": 15,
        "__init__": 16,
        "__main__": 24,
    },
    "pictures": {
        "tiff_tags": 0,
        "formats": 1,
        "structure": 1,
        "raw_opener": 1,
        "pixels": 1,
        "guard": 1,
        "camera_raw": 2,
        "essentials": 2,
        "picture_problems": 2,
        "signature": 2,
        "named": 3,
        "opener": 3,
        "decode": 4,
        "examine": 5,
        "solo": 5,
        "thumbnails": 7,
    },
    "finding": {
        "kernels": 1,
        "search": 1,
        "compiled": 1,
        "hashes": 2,
        "packed": 2,
        "groups": 3,
        "neighbours": 5,
        "grouping_options": 4,
        "grouping": 11,
        "query": 12,
    },
    "judgement": {
        "trees": 1,
        "reasons": 1,
        "candidates": 3,
        "shortlist": 4,
        "planes": 4,
        "levels": 4,
        "registration": 5,
        "overlap": 6,
        "words": 6,
        "features": 7,
        "relation": 8,
        "judging": 9,
        "panels": 9,
        "relate": 10,
        "catch_up": 12,
        "explain": 13,
        "calibrate": 14,
    },
    "store": {
        "schema": 2,
        "database": 3,
        "keys": 3,
        "verdicts": 3,
        "catalogue": 4,
        "backup": 5,
        "rescue": 6,
        "access": 7,
        "checkup": 11,
    },
    "disk": {
        "diff": 1,
        "lock": 1,
        "feed": 1,
        "patterns": 1,
        "files": 2,
        "walk": 3,
        "mounts": 3,
        "roots": 3,
        "workers": 6,
        "reading": 7,
        "scan": 8,
    },
    "organizing": {
        "plan": 2,
        "moves": 3,
        "evidence": 4,
        "journal": 5,
        "step": 6,
        "batch": 7,
        "organize": 13,
    },
    "clients": {
        "layouts": 1,
        "families": 1,
        "caches": 5,
    },
    "watch": {
        "settle": 1,
        "clock": 1,
        "attendant": 1,
        "notify": 2,
        "state": 2,
        "ready": 3,
        "watching": 4,
        "look": 9,
        "arrivals": 12,
        "intake": 16,
        "comparing": 16,
        "teller": 18,
        "organizing": 19,
        "daemon": 20,
    },
    "machine": {
        "units": 1,
        "sample_drawings": 1,
        "settings": 2,
        "samples": 2,
        "doctor": 6,
        "background": 16,
    },
    "output": {
        "drawing": 1,
        "render": 16,
        "progress": 16,
        "render_judgement": 17,
        "render_watch": 17,
        "report": 17,
        "contact_sheet": 18,
        "explain_picture": 18,
        "calibration_plot": 18,
    },
    "commands": {
        "streams": 1,
        "options": 18,
        "command": 19,
        "index_commands": 20,
        "find_commands": 20,
        "judge_commands": 20,
        "organize_commands": 20,
        "care_commands": 20,
        "demo_command": 20,
        "watch_command": 21,
        "service_command": 22,
        "cli": 23,
    },
}
"""A module imports only modules of a strictly lower rank, whatever package they are in."""

RANKS = {
    f"{package}.{name}" if package else name: rank
    for package, ranks in RANKS_BY_PACKAGE.items()
    for name, rank in ranks.items()
}

EXPORTED_FROM = {"errors", "finding.grouping_options", "findings", "model", "service"}
"""All that `hashindex/__init__.py` may import."""

SQL_ROOMS = {"clients.families", "store.database", "store.keys", "store.rescue", "store.schema", "store.verdicts"}
OPENING_ROOMS = {"pictures.opener"}

MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py" or path.parent == PACKAGE
}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of all that is imported, also inside functions: `from a import b` gives "a.b"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "Imports say where they import from."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(tree: ast.Module) -> set[str]:
    """Our modules among the imports; a name that the package itself gives counts as "__init__"."""
    rooms = set()
    for name in imports(tree):
        first, *parts = name.split(".")
        if first == "hashindex":
            prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
            rooms.add(next((room for room in prefixes if room in RANKS or room in MODULES), "__init__"))
    return rooms


def opens_pictures(tree: ast.Module) -> bool:
    """Whether Image.open is named, under that or another name."""
    named = any(isinstance(node, ast.Attribute) and ast.unparse(node).endswith("Image.open") for node in ast.walk(tree))
    return named or "PIL.Image.open" in imports(tree)


def test_every_module_has_a_rank() -> None:
    without = sorted(set(MODULES) - set(RANKS))
    assert without == [], (
        f"Add {', '.join(without)} to RANKS_BY_PACKAGE in tests/test_layers.py, above all that it imports."
    )


def test_every_ranked_module_exists() -> None:
    absent = sorted(set(RANKS) - set(MODULES))
    assert absent == [], f"There is no {absent[0]}; take it out of RANKS_BY_PACKAGE in tests/test_layers.py."


@pytest.mark.parametrize("name", sorted(set(MODULES) & set(RANKS)))
def test_a_module_imports_only_lower_ranks(name: str) -> None:
    used = rooms_imported(parsed(MODULES[name]))
    assert {room for room in used if RANKS[room] >= RANKS[name]} == set()


def test_the_package_exports_only_the_service_the_model_and_the_errors() -> None:
    assert rooms_imported(parsed(MODULES["__init__"])) - EXPORTED_FROM == set()


def test_sql_lives_in_one_room() -> None:
    rooms = {name for name, path in MODULES.items() if any(i.split(".")[0] == "sqlite3" for i in imports(parsed(path)))}
    assert rooms - SQL_ROOMS == set()


def test_pictures_are_opened_in_one_room() -> None:
    rooms = {name for name, path in MODULES.items() if opens_pictures(parsed(path))}
    assert rooms - OPENING_ROOMS == set()


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import hashindex.index.scan", {"disk.scan"}),
        ("import os, hashindex.organize.plan as p", {"organizing.plan"}),
        ("from hashindex import model, errors", {"model", "errors"}),
        ("from hashindex import HashIndex", {"__init__"}),
        ("import hashindex", {"__init__"}),
        ("from hashindex.errors import UsageError", {"errors"}),
        ("from hashindex.disk import files, walk", {"disk.files", "disk.walk"}),
        ("def late():\n    from hashindex.pictures.decode import look", {"pictures.decode"}),
        ("import hashindexer", set()),
    ],
)
def test_rooms_imported_reads_every_form_of_import(source: str, rooms: set[str]) -> None:
    assert rooms_imported(ast.parse(source)) == rooms


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
