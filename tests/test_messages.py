"""Sentences of the library are Messages: English text that keeps its template and its parts wherever it goes."""

import ast
import copy
import json
import pickle
import sqlite3
import string
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

import hashindex
from hashindex import UsageError
from hashindex.core import errors, language
from hashindex.core.language import Message, Part, Shortened, joined, local, short_form
from hashindex.core.messages import Objection
from hashindex.core.options import Limits
from hashindex.disk.files import reason_of, system_reason
from hashindex.judge.faults import WORDS, Fault, sentence
from hashindex.output.explain_picture import _wrapped
from hashindex.pictures.isolated_worker import IsolatedWorker

PACKAGE = Path(hashindex.__file__).parent
LAYERS = ("core", "disk", "pictures", "hashing", "judge", "clients", "store", "index", "organize", "care", "watch")
SOURCES = [PACKAGE / "service.py", *(path for layer in LAYERS for path in sorted((PACKAGE / layer).glob("*.py")))]
SOURCES += sorted((PACKAGE / "output").glob("*.py"))
FAULT = Message("{path} is {fault}", path="a {b}.png", fault=Message("cropped"))


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language in which each message stands in brackets."""

    def sentence(template: str, **parts: object) -> str:
        shown = {name: local(part) if isinstance(part, Message) else part for name, part in parts.items()}
        return f"<{template.format(**shown)}>"

    monkeypatch.setattr(language, "sentence", sentence)


def in_worker(text: Message) -> Message:
    return text


# What a Message survives


def kept(message: str) -> tuple[str, object]:
    assert isinstance(message, Message)
    return message.template, dict(message.parts)


@pytest.mark.parametrize("message", [FAULT, Message("100 % of {this}"), joined(Message("; "), [FAULT, FAULT])])
def test_a_message_is_its_english_text_and_keeps_its_template(message: Message) -> None:
    with IsolatedWorker(Limits()) as worker:
        ways = [
            str(message),
            str(UsageError(message)),
            str(pickle.loads(pickle.dumps(UsageError(message)))),
            copy.deepcopy(message),
            worker.run(in_worker, message),
        ]
    plain = "".join(message)
    assert [(str(way), hash(way), kept(way)) for way in ways] == [(plain, hash(plain), kept(message))] * len(ways)


@pytest.mark.parametrize("message", [FAULT, Part(FAULT), joined(Message("; "), [FAULT, FAULT])])
def test_json_and_sqlite_hold_its_english_text(message: Message) -> None:
    plain = "".join(message)
    assert json.loads(orjson.dumps({"says": message})) == json.loads(json.dumps({"says": message})) == {"says": plain}
    stored = sqlite3.connect(":memory:").execute("SELECT ?, typeof(?1)", (message,)).fetchone()
    assert stored == (plain, "text")
    assert type(stored[0]) is str


def test_parts_are_translated_and_other_texts_are_not(marked: None) -> None:
    assert local(FAULT) == "<a {b}.png is <cropped>>"
    assert local(joined(Message(", "), [Message("grey"), Message("noisy")])) == "<<grey><, ><noisy>>"


def test_a_part_may_lose_its_full_stop_and_be_a_stored_text(marked: None) -> None:
    assert Part("It failed.", full_stop=False) == "It failed"
    assert local(Message("{who}: {error}", who="a", error=Part("It failed", full_stop=False))) == "<a: It failed>"
    assert pickle.loads(pickle.dumps(Part("It failed.", full_stop=False))).whole == "It failed."
    shortened = pickle.loads(pickle.dumps(Shortened(Message("{name} is gone", name="a"), Message("it is gone"))))
    assert (shortened, short_form(shortened), short_form("a")) == ("a is gone", "it is gone", "a")


def test_joined_is_join() -> None:
    for texts in (["a"], ["a", "b"], ["a", "b", "c"]):
        assert joined("; ", texts) == "; ".join(texts)


# Sentences of several parts


@pytest.mark.parametrize("keeper", [(), (Fault.CROPPED,)])
@pytest.mark.parametrize("others", [[()], [(Fault.GREY,)], [(), (Fault.GREY,)], [(Fault.GREY,), (Fault.NOISY,)]])
def test_no_word_of_the_reason_for_a_keeper_is_plain(
    marked: None, keeper: tuple[Fault, ...], others: list[tuple[Fault, ...]]
) -> None:
    said = sentence(keeper, others)
    used = {fault for faults in (keeper, *others) for fault in faults}
    assert all(f"<{WORDS[fault]}>" in local(said) for fault in used)
    assert local(said).startswith("<kept: ")


def test_the_words_of_all_faults_are_messages() -> None:
    assert {type(WORDS[fault]) for fault in Fault} == {Message}


def test_the_message_of_the_system_stays_and_ours_is_kept() -> None:
    ours = Message("its {what} is gone", what=Message("folder"))
    assert kept(system_reason(OSError(5, ours))) == kept(ours)
    assert system_reason(OSError(5, "Input/output error")) == "input/output error"
    assert reason_of(FileNotFoundError(2, "x"), "folder") == "there is no such folder"


def test_chinese_lines_in_a_picture_end_at_characters_and_english_ones_at_words() -> None:
    assert " ".join(_wrapped("one two three " * 20, 200)) == ("one two three " * 20).strip()
    lines = _wrapped("\u56fe\u7247\uff0c" * 80, 200)
    assert len(lines) > 2
    assert "".join(lines) == "\u56fe\u7247\uff0c" * 80
    assert not any(line.startswith("\uff0c") for line in lines)


# The source


def calls(names: set[str]) -> Iterator[tuple[str, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.BinOp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.HashIndexError)
}


def test_every_error_refusal_and_reason_is_a_message() -> None:
    carriers = ERRORS | {"Refused", "Refusal", "Left", "Skipped", "Choice", "WatchedRoot", "_NoPlace"}
    found = [where for where, call in calls(carriers) for argument in call.args if is_plain(argument)]
    assert found == []


def test_every_finding_says_a_message() -> None:
    # Its other texts are the name of the check, and commands to run.
    named = ("SQLite {", "NumPy {", "{package} {")
    found = [
        where
        for where, call in calls({"Finding"})
        if is_plain(call.args[2]) and not ast.unparse(call.args[2]).removeprefix("f").strip("'\"").startswith(named)
    ]
    assert found == []


def test_every_template_can_be_extracted_and_names_its_parts() -> None:
    for where, call in calls({"Message"}):
        if where.startswith("core/language.py"):
            continue
        (template,) = call.args
        assert isinstance(template, ast.Constant) and isinstance(template.value, str), where
        fields = {name for _, name, _, _ in string.Formatter().parse(template.value) if name is not None}
        assert fields == {keyword.arg for keyword in call.keywords} or not call.keywords, where


def test_every_objection_has_a_sentence() -> None:
    from hashindex.judge.reasons import _objection

    assert len({_objection(objection, 640) for objection in Objection}) == len(Objection)
