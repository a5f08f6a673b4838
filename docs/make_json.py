"""Writes docs/json.md and docs/json-schema.json from the TypedDicts of what commands print with --json.

    python docs/make_json.py            write both
    python docs/make_json.py --check    exit 1 with a diff if one is not current

mypy holds the code to the TypedDicts, and tests validate the output of commands against the schema. So code, reference
and schema cannot differ. A docstring below a key is its description.
"""

import ast
import difflib
import inspect
import json
import re
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import typer.main

from hashindex.commands.cli import app
from hashindex.output.progress import ProgressJson
from hashindex.output.text.messages import ErrorJson, MessageJson

ON_STDERR = "hashindex --progress json"
STDERR = (ProgressJson, MessageJson, ErrorJson)
"""What every command prints on standard error with --progress json."""
DOCS = Path(__file__).resolve().parent
PAGE, SCHEMA = DOCS / "json.md", DOCS / "json-schema.json"

HEADER = """\
# JSON

<!-- Written by docs/make_json.py from the types of the output; do not edit. -->

With `--json` a command prints one JSON object a line on standard output, and nothing else. With `--progress json` it
prints progress, messages and errors in the same way on standard error.

- `event` says what a line is. A later version may add keys and events. It does not change what these mean.
- Each key is always there, and null if it does not apply. Only `watch` leaves keys out.
- Bytes of a path that are not UTF-8 are `\\udc80` to `\\udcff`. In Python `os.fsencode(path)` gives the name on disk.
- A time is text in ISO 8601, in UTC, to the second: `2026-11-29T14:05:00+00:00`. Sizes are bytes, distances are bits.
- Sentences such as `why` and `reason` are for people, and may change. They are English in every language.

The [guide](guide.md) lists the exit codes. [json-schema.json](json-schema.json) is a JSON Schema (draft 2020-12) of all
lines: a line of `hashindex groups` fits `#/$defs/groups`, a line of `hashindex service status` fits
`#/$defs/service-status`, and a line of `--progress json` fits `#/$defs/progress`.
"""


def commands(app: typer.Typer) -> Iterator[tuple[str, tuple[type, ...]]]:
    """Each command that prints JSON, as in "hashindex groups", with the types of its lines."""
    yield from _commands_below(app.info.name or "", typer.main.get_command(app))


def _commands_below(line: str, command: Any) -> Iterator[tuple[str, tuple[type, ...]]]:
    types = getattr(command.callback, "lines", ())
    if types:
        yield line, types
    if hasattr(command, "list_commands"):
        context = typer.Context(command)
        for name in command.list_commands(context):
            yield from _commands_below(f"{line} {name}", command.get_command(context, name))


# What the types say


@cache
def descriptions(line: type) -> Mapping[str, str]:
    """The docstring of each key of a TypedDict, with those of its bases; "" if it has none."""
    (statement,) = ast.parse(textwrap.dedent(inspect.getsource(line))).body
    assert isinstance(statement, ast.ClassDef)
    found: dict[str, str] = {}
    for base in statement.bases:
        # Before Python 3.12 a TypedDict does not know its bases.
        extended = getattr(sys.modules[line.__module__], ast.unparse(base))
        found |= descriptions(extended) if is_typeddict(extended) else {}
    for each, following in zip_longest(statement.body, statement.body[1:]):
        if isinstance(each, ast.AnnAssign):
            found[ast.unparse(each.target)] = _text(following)
    return found


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def keys(line: type) -> Mapping[str, Any]:
    """The type of each key of a TypedDict."""
    return get_type_hints(line, include_extras=True)


def parts_of(line: type) -> list[type]:
    """The TypedDicts that a TypedDict contains, in the order of its keys, and those that these contain."""
    found: dict[type, None] = {}
    for hint in keys(line).values():
        for each in _typed_dicts(hint):
            found |= dict.fromkeys([each, *parts_of(each)])
    return list(found)


def _typed_dicts(hint: Any) -> Iterator[type]:
    if is_typeddict(hint):
        yield hint
    for argument in get_args(hint):
        yield from _typed_dicts(argument)


# The schema


def schema_of(hint: Any) -> dict[str, Any]:
    """The JSON Schema of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (NotRequired, Annotated):
        of_time = origin is Annotated and "time" in hint.__metadata__
        return {**schema_of(arguments[0]), **({"format": "date-time"} if of_time else {})}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(each) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)} if len(arguments) > 1 else {"const": arguments[0]}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    if is_typeddict(hint):
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if hint is object:
        return {}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"enum": [str(each) for each in hint]}
    return {"type": _NAMES[hint]}


_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def definition(line: type) -> dict[str, Any]:
    """The JSON Schema of a TypedDict: no other keys are allowed."""
    described = descriptions(line)
    properties = {
        key: {**schema_of(hint), **({"description": described[key]} if described[key] else {})}
        for key, hint in keys(line).items()
    }
    return {
        "type": "object",
        "description": inspect.getdoc(line),
        "properties": properties,
        "required": sorted(line.__required_keys__),  # type: ignore[attr-defined]
        "additionalProperties": False,
    }


def schema(app: typer.Typer) -> dict[str, Any]:
    """The whole of docs/json-schema.json: a definition for each command, for standard error, and for each object."""
    by_command = {"-".join(name.split()[1:]): found for name, found in commands(app)} | {"progress": STDERR}
    lines = dict.fromkeys(line for found in by_command.values() for line in found)
    objects = dict.fromkeys(each for line in lines for each in (line, *parts_of(line)))
    definitions = {name: {"anyOf": [schema_of(line) for line in found]} for name, found in by_command.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What hashindex prints with --json",
        "$defs": definitions | {each.__name__: definition(each) for each in objects},
    }


# The page


def page(app: typer.Typer) -> str:
    """The whole of docs/json.md."""
    described: set[type] = set()
    parts = [HEADER]
    for name, lines in (*commands(app), (ON_STDERR, STDERR)):
        parts.append(f"## {name}\n")
        parts += _lines_of(name, lines, described)
    return "\n".join(parts)


def _lines_of(name: str, lines: Sequence[type], described: set[type]) -> Iterator[str]:
    for line in lines:
        if line in described:
            yield f"`{_event(line)}`: {inspect.getdoc(line)} The keys are [above](#{anchor(line)}).\n"
        for each in (line, *parts_of(line)):
            if each not in described:
                described.add(each)
                yield _table(each)


def _table(line: type) -> str:
    event = _event(line)
    title = f"`{event}`" if event else f"*{label(line)}*"
    rows = [
        f"| `{key}` | {type_text(hint)} | {descriptions(line)[key].replace('|', chr(92) + '|')} |"
        for key, hint in keys(line).items()
        if key != "event"
    ]
    head = f'<a id="{anchor(line)}"></a>{title}: {inspect.getdoc(line)}\n\n| key | type | meaning |\n|---|---|---|'
    return "\n".join([head, *rows, ""])


def _event(line: type) -> str:
    """The values of the key "event"; "" for a part of a line."""
    return "`, `".join(get_args(keys(line).get("event"))) if "event" in keys(line) else ""


def anchor(line: type) -> str:
    """The anchor of the table of a TypedDict."""
    return line.__name__.removesuffix("Json").lower()


def label(line: type) -> str:
    """The name of a part in the tables: "weak link" for WeakLinkJson."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line.__name__.removesuffix("Json")).lower()


def type_text(hint: Any) -> str:
    """A type as the tables show it: "list of path", "number or null"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is NotRequired:
        return f"{type_text(arguments[0])}, if it applies"
    if origin is Annotated:
        return str(hint.__metadata__[0])
    if origin in (Union, types.UnionType):
        return " or ".join(map(type_text, arguments))
    if origin is Literal:
        return ", ".join(f'"{each}"' for each in arguments)
    if origin is list:
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return f"object of {type_text(arguments[1])} by name"
    if is_typeddict(hint):
        return f"[{label(hint)}](#{anchor(hint)})"
    if hint is object:
        return "any"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return ", ".join(f'"{each}"' for each in hint)
    return {str: "text", bool: "true or false", int: "integer", float: "number", type(None): "null"}[hint]


def built(app: typer.Typer) -> Mapping[Path, str]:
    """The text of each file."""
    return {PAGE: page(app), SCHEMA: json.dumps(schema(app), indent=1, ensure_ascii=False) + "\n"}


def drift(app: typer.Typer) -> str:
    """A sentence and a unified diff for each file that is not current; "" if both are."""
    parts = []
    for path, wanted in built(app).items():
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if current != wanted:
            diff = difflib.unified_diff(current.splitlines(), wanted.splitlines(), path.name, "types", lineterm="")
            parts += [f"docs/{path.name} is not current; write it with: python docs/make_json.py", *diff]
    return "\n".join(parts)


def main() -> None:
    """Writes both files, or checks them."""
    if sys.argv[1:] == ["--check"]:
        difference = drift(app)
        print(difference or f"docs/{PAGE.name} and docs/{SCHEMA.name} are current")
        sys.exit(1 if difference else 0)
    if sys.argv[1:]:
        sys.exit(__doc__)
    for path, text in built(app).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
