"""Keeps the translations of hashindex/locale current: collects every message, and compiles what is translated.

    python docs/make_translations.py            add new messages to the .po files, drop old ones, write the .mo files
    python docs/make_translations.py --check    exit 1 with a list of what is missing, doubtful or not current

Messages are arguments of the functions in KEYWORDS and all texts of --help. Translate the entries of the .po
file whose msgstr is empty, then run it again.
"""

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "hashindex"
KEYWORDS = {
    "Message": (0,),
    "N_": (0,),
    "sentence": (0,),
    "N_plural": (0, 1),
    "plural": (1, 2),
    "plural_message": (1, 2),
}
"""Functions and the positions of the messages in their arguments; see core/language.py."""
ADVICE = "Run: python docs/make_translations.py, translate what is empty in {file}, and run it again."

MessageId = str | tuple[str, ...]


def messages() -> dict[MessageId, set[str]]:
    """Every message in English, one or (one, many), with the files that it is in, relative to ROOT."""
    found: dict[MessageId, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for id in _messages_of(path):
            found.setdefault(id, set()).add(path.relative_to(ROOT).as_posix())
    for text in _help_texts():
        found.setdefault(text, set()).add("hashindex/commands")
    # One text cannot be both: gettext finds a plural by its first form.
    for one in [id[0] for id in found if isinstance(id, tuple)]:
        found.pop(one, None)
    return found


def _messages_of(path: Path) -> Iterator[MessageId]:
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS:
            arguments = [call.args[place] for place in KEYWORDS[call.func.id] if place < len(call.args)]
            if any(isinstance(each, ast.JoinedStr | ast.BinOp | ast.IfExp) for each in arguments):
                raise SystemExit(f"{path}:{call.lineno}: a message must be one literal, with {{named}} parts.")
            texts = tuple(str(each.value) for each in arguments if isinstance(each, ast.Constant))
            if texts:
                yield texts[0] if len(texts) == 1 else texts


def _help_texts() -> Iterator[str]:
    import typer.main

    from hashindex.commands.cli import app
    from hashindex.commands.help import help_texts

    return help_texts(typer.main.get_command(app))


def files() -> list[Path]:
    """The .po file of each language."""
    return sorted(PACKAGE.glob("locale/*/LC_MESSAGES/hashindex.po"))


def read(file: Path) -> Catalog:
    """The translations of a .po file."""
    with file.open("rb") as text:
        return read_po(text, locale=file.parent.parent.name)


def updated(old: Catalog, found: dict[MessageId, set[str]]) -> Catalog:
    """The translations of these messages, in their order; those that are new are empty."""
    new = Catalog(
        old.locale,
        project="hashindex",
        header_comment="# Chinese (simplified) messages of hashindex. Written by hand; ids by make_translations.py.",
        creation_date=old.creation_date,
        revision_date=old.creation_date,
        last_translator="hashindex contributors",
        language_team="hashindex contributors",
        msgid_bugs_address="",
        fuzzy=False,
    )
    for id, places in sorted(found.items(), key=lambda item: (min(item[1]), str(item[0]))):
        before = old.get(id)
        string = before.string if before is not None and _is_whole(before) and "fuzzy" not in before.flags else ""
        new.add(id, string, locations=[(place, 0) for place in sorted(places)], user_comments=_comments(before))
    return new


def _comments(before: Message | None) -> list[str]:
    return [] if before is None else before.user_comments


def _is_whole(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    return all(strings) and isinstance(message.id, tuple) == isinstance(message.string, tuple)


def compiled(catalog: Catalog) -> bytes:
    """The .mo file of translations."""
    data = io.BytesIO()
    write_mo(data, catalog)
    return data.getvalue()


def faults(file: Path) -> list[str]:
    """What is not current in a .po file and its .mo file, one sentence each; [] if all is."""
    catalog, found = read(file), messages()
    known = {message.id: message for message in catalog if message.id}
    lines = [f"missing: {id!r}" for id in found if id not in known]
    lines += [f"no longer used: {id!r}" for id in known if id not in found]
    lines += [f"not translated: {id!r}" for id, message in known.items() if not _is_whole(message)]
    lines += [f"fuzzy: {id!r}" for id, message in known.items() if message.fuzzy]
    mo = file.with_suffix(".mo")
    if not mo.exists() or mo.read_bytes() != compiled(catalog):
        lines.append(f"{mo.relative_to(ROOT)} is not compiled from {file.name}")
    return [*lines, ADVICE.format(file=file.relative_to(ROOT))] if lines else []


def main(arguments: list[str]) -> int:
    """Updates the files, or checks them with --check. Returns the exit code."""
    # Before an installed copy, which may be older than this checkout.
    sys.path.insert(0, str(ROOT))
    if arguments not in ([], ["--check"]):
        print("Usage: python docs/make_translations.py [--check]", file=sys.stderr)
        return 2
    if arguments:
        lines = [line for file in files() for line in faults(file)]
        print("\n".join(lines), file=sys.stderr, end="\n" if lines else "")
        return 1 if lines else 0
    found = messages()
    for file in files():
        catalog = updated(read(file), found)
        with file.open("wb") as text:
            write_po(text, catalog, width=120, include_lineno=False)
        file.with_suffix(".mo").write_bytes(compiled(catalog))
        missing = sum(not _is_whole(message) for message in catalog if message.id)
        print(f"{file.relative_to(ROOT)}: {len(found)} messages, {missing} to translate")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
