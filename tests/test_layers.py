"""The rooms of hashindex and who may import whom: read from the source, so that no import can hide."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "hashindex"

RANKS = {
    # Nouns.
    "model": 0,
    "errors": 0,
    "findings": 0,
    # Pure: values in, values out.
    "formats": 1,
    "structure": 1,
    "pixels": 1,
    "kernels": 1,
    "search": 1,
    "diff": 1,
    "attendant": 1,
    "settle": 1,
    "reasons": 1,
    "drawing": 1,
    "compiled": 1,
    "units": 1,
    "clients": 1,
    "sample_drawings": 1,
    "feed": 1,
    # Pure too, on top of those.
    "hashes": 2,
    "picture_problems": 2,
    "packed": 2,
    "signature": 2,
    "candidates": 3,
    "planes": 4,
    "registration": 5,
    "overlap": 6,
    "features": 7,
    "trees": 1,
    "relation": 8,
    "words": 6,
    "panels": 9,
    "relate": 10,
    "levels": 4,
    "judging": 9,
    "verdicts": 3,
    "groups": 3,
    "plan": 2,
    # Effects, each in one room.
    "lock": 1,
    "guard": 1,
    "families": 1,
    "files": 2,
    "walk": 3,
    "roots": 3,
    "moves": 3,
    "workers": 6,
    "thumbnails": 7,
    "opener": 3,
    "decode": 4,
    "schema": 2,
    "settings": 2,
    "watching": 4,
    "notify": 2,
    "watch_state": 2,
    "clock": 1,
    "ready": 3,
    "samples": 2,
    # Two effects together.
    "examine": 5,
    "solo": 5,
    "database": 3,
    "keys": 3,
    "catalogue": 4,
    "access": 7,
    # What a person asks for.
    "caches": 5,
    "journal": 5,
    "reading": 7,
    "scan": 8,
    "look": 9,
    "status": 9,
    "doctor": 6,
    "mounts": 3,
    "evidence": 4,
    "step": 6,
    "batch": 7,
    "rescue": 6,
    "backup": 5,
    "checkup": 11,
    "neighbours": 5,
    "grouping": 11,
    "catch_up": 12,
    "organize": 13,
    "arrivals": 12,
    "query": 12,
    "explain": 13,
    "calibrate": 14,
    # What the ways in share.
    "service": 15,
    "__init__": 16,
    # The ways in.
    "intake": 16,
    "comparing": 16,
    "render": 16,
    "render_watch": 17,
    "teller": 18,
    "watch_organize": 19,
    "daemon": 20,
    "progress": 16,
    "background": 16,
    "report": 17,
    "contact_sheet": 18,
    "render_judgement": 17,
    "explain_picture": 18,
    "calibration_plot": 18,
    "options": 18,
    "command": 19,
    "index_commands": 20,
    "find_commands": 20,
    "judge_commands": 20,
    "organize_commands": 20,
    "care_commands": 20,
    "demo_command": 20,
    "watch_command": 21,
    "service_command": 20,
    "cli": 22,
    "__main__": 23,
}
"""A module imports only modules of a strictly lower rank."""

PLANNED: set[str] = set()
"""Rooms that may still be absent."""

EXPORTED_FROM = {"errors", "findings", "model", "service"}
"""All that `hashindex/__init__.py` may import."""

SQL_ROOMS = {"database", "families", "keys", "rescue", "schema", "verdicts"}
OPENING_ROOMS = {"opener"}

MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in PACKAGE.rglob("*.py")
}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of all that is imported, also inside functions: `from a import b` gives "a.b"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # The package is flat: a relative import starts at hashindex.
            start = ".".join(filter(None, ("hashindex" if node.level else "", node.module or "")))
            yield from (f"{start}.{alias.name}" for alias in node.names)


def rooms_imported(tree: ast.Module) -> set[str]:
    """Our modules among the imports; a name that the package itself gives counts as "__init__"."""
    rooms = set()
    for name in imports(tree):
        package, _, rest = name.partition(".")
        if package == "hashindex":
            room = rest.partition(".")[0]
            rooms.add(room if room in RANKS or room in MODULES else "__init__")
    return rooms


def opens_pictures(tree: ast.Module) -> bool:
    """Whether Image.open is named, under that or another name."""
    named = any(isinstance(node, ast.Attribute) and ast.unparse(node).endswith("Image.open") for node in ast.walk(tree))
    return named or "PIL.Image.open" in imports(tree)


def test_every_module_has_a_rank() -> None:
    without = sorted(set(MODULES) - set(RANKS))
    assert without == [], f"Add {', '.join(without)} to RANKS in tests/test_layers.py, above all that it imports."


def test_every_ranked_module_exists() -> None:
    absent = sorted(set(RANKS) - set(MODULES) - PLANNED)
    assert absent == [], f"There is no hashindex/{absent[0]}.py; take it out of RANKS in tests/test_layers.py."


@pytest.mark.parametrize("name", sorted(set(MODULES) & set(RANKS)))
def test_a_module_imports_only_lower_ranks(name: str) -> None:
    used = rooms_imported(parsed(MODULES[name]))
    assert {room for room in used if RANKS[room] >= RANKS[name]} == set()


def test_the_package_exports_only_the_service_the_model_and_the_errors() -> None:
    if "__init__" not in MODULES:
        pytest.skip("hashindex/__init__.py is not there yet")
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
        ("import hashindex.scan", {"scan"}),
        ("import os, hashindex.plan as p", {"plan"}),
        ("from hashindex import model, errors", {"model", "errors"}),
        ("from hashindex import HashIndex", {"__init__"}),
        ("import hashindex", {"__init__"}),
        ("from hashindex.errors import UsageError", {"errors"}),
        ("from . import files", {"files"}),
        ("from .files import walk", {"files"}),
        ("def late():\n    from hashindex.decode import look", {"decode"}),
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
