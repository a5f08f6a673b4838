"""Checks what commands print against docs/json-schema.json."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "docs" / "json-schema.json"


@cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@cache
def validator(name: str) -> Any:
    """Of the lines of a command, such as "groups" or "service-status", or of "progress"."""
    # Imported late: most tests print no JSON.
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(())
    formats.checks("date-time", ValueError)(lambda text: not isinstance(text, str) or datetime.fromisoformat(text))
    return Draft202012Validator({**schema(), "$ref": f"#/$defs/{name}"}, format_checker=formats)


def name_of(arguments: Sequence[str]) -> str:
    """The name of a command in the schema."""
    names = schema()["$defs"]
    for number, argument in enumerate(arguments):
        pair = "-".join(arguments[number : number + 2])
        if pair in names or argument in names:
            return pair if pair in names else argument
    return "status"  # hashindex without a command


def check_output(arguments: Sequence[str], stdout: str, stderr: str) -> None:
    """Fails for a line that does not fit the schema."""
    if "--json" in arguments and "--export" not in arguments:
        check_lines({"words": "decisions"}.get(name := name_of(arguments), name), stdout)
    if "json" in arguments and arguments[arguments.index("json") - 1] == "--progress":
        check_lines("progress", stderr)


def check_lines(name: str, text: str) -> None:
    for line in text.splitlines():
        errors = [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(json.loads(line))]
        assert not errors, f"{name} printed {line}: {errors}"
