"""A person's words as JSON lines: what is written is read again, and anything else is refused by its line."""

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import fill
from typer.testing import CliRunner

from hashindex import HashIndex, Limits, UnreadablePicture, UsageError
from hashindex.commands.cli import app
from hashindex.core.model import Decision
from hashindex.index.decisions import MOST_SEPARATE, add, from_lines, said_of, say, take_back, to_lines
from hashindex.store.catalogue import Catalogue

digests = st.binary(min_size=32, max_size=32)
words = st.builds(
    lambda pair, same, said_ns: Decision(min(pair), max(pair), same, said_ns),
    st.tuples(digests, digests).filter(lambda pair: pair[0] != pair[1]),
    st.booleans(),
    st.integers(0, 2**63 - 1),
)


@given(st.lists(words))
def test_what_is_written_is_read_again(said: list[Decision]) -> None:
    assert from_lines(to_lines(said), "words.jsonl") == said


WORD = {"a": "00" * 32, "b": "11" * 32, "said": "same", "said_ns": 5}


def test_digests_come_in_any_order_and_empty_lines_are_left_out() -> None:
    line = json.dumps(WORD | {"a": WORD["b"], "b": WORD["a"]})
    assert from_lines(["", line, " "], "-") == [Decision(bytes(32), b"\x11" * 32, True, 5)]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON", "[]", "null", "{}",
        json.dumps(WORD | {"said": "maybe"}),
        json.dumps(WORD | {"a": "00"}),
        json.dumps(WORD | {"a": WORD["b"]}),
        json.dumps(WORD | {"a": 7}),
        json.dumps(WORD | {"said_ns": -1}),
        json.dumps(WORD | {"said_ns": 2**63}),
        json.dumps(WORD | {"said_ns": "now"}),
        json.dumps(WORD | {"said": ["same"]}),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_its_line(line: str) -> None:
    with pytest.raises(UsageError, match=r"words\.jsonl, line 2 is not a decision"):
        from_lines([json.dumps(WORD), line], "words.jsonl")


# What is kept


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.db", write=True) as opened:
        yield opened


def named(*numbers: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in numbers]


def kept(catalogue: Catalogue) -> list[tuple[int, int, bool]]:
    words = catalogue.verdicts.decisions()
    return sorted((int.from_bytes(word.a, "big"), int.from_bytes(word.b, "big"), word.same) for word in words)


def said(catalogue: Catalogue, *numbers: int) -> dict[tuple[int, int], bool | None]:
    words = catalogue.verdicts.decisions()
    return {pair: said_of(words, *named(*pair)) for pair in combinations(numbers, 2)}


def test_two_thousand_that_are_the_same_are_a_row_each_and_taken_back_by_their_names(catalogue: Catalogue) -> None:
    everything = named(*range(2000))
    assert len(say(catalogue, everything, same=True).decisions) == len(kept(catalogue)) == 1999
    assert said_of(catalogue.verdicts.decisions(), everything[7], everything[1999]) is True
    assert (take_back(catalogue, everything, same=True), kept(catalogue)) == (1999, [])


def test_more_than_a_hundred_that_are_separate_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match=r"101 pictures. At most 100 can be separate at a time.*name fewer"):
        say(catalogue, named(*range(MOST_SEPARATE + 1)), same=False)
    assert len(say(catalogue, named(*range(MOST_SEPARATE)), same=False).decisions) == 4950


def test_who_is_named_leaves_what_was_said_to_be_the_same_and_the_others_stay(catalogue: Catalogue) -> None:
    for gone in combinations(range(4), 2):
        say(catalogue, named(0, 1, 2, 3), same=True)
        take_back(catalogue, named(*gone), same=True)
        (stay,) = [pair for pair, is_same in said(catalogue, 0, 1, 2, 3).items() if is_same]
        assert set(stay) == {0, 1, 2, 3}.difference(gone)
        take_back(catalogue, named(*stay), same=True)
        assert kept(catalogue) == []


def test_two_sayings_about_one_picture_are_taken_back_one_by_one(catalogue: Catalogue) -> None:
    say(catalogue, named(0, 1), same=True)
    say(catalogue, named(1, 2), same=True)
    assert said(catalogue, 0, 1, 2) == {(0, 1): True, (0, 2): True, (1, 2): True}
    assert take_back(catalogue, named(0, 1), same=True) == 1
    assert said(catalogue, 0, 1, 2) == {(0, 1): None, (0, 2): None, (1, 2): True}
    assert take_back(catalogue, named(0, 2), same=True) == 0


def test_whichever_two_are_separate_the_others_are_the_same_as_before(catalogue: Catalogue) -> None:
    for pair in combinations(range(4), 2):
        say(catalogue, named(0, 1, 2, 3), same=True)
        assert say(catalogue, named(*pair), same=False).instead
        assert said(catalogue, 0, 1, 2, 3) == {each: each != pair for each in combinations(range(4), 2)}


def test_the_opposite_of_an_earlier_word_says_so_and_any_other_word_does_not(catalogue: Catalogue) -> None:
    assert not say(catalogue, named(0, 1, 2), same=True).instead
    assert not say(catalogue, named(0, 1, 2), same=True).instead
    assert not say(catalogue, named(0, 3), same=False).instead
    assert say(catalogue, named(1, 2), same=False).instead
    assert say(catalogue, named(1, 2), same=True).instead
    assert said(catalogue, 0, 1, 2) == {(0, 1): True, (0, 2): True, (1, 2): True}


def test_a_later_word_from_elsewhere_leaves_the_others_the_same(catalogue: Catalogue) -> None:
    say(catalogue, named(0, 1, 2, 3), same=True)
    (a, b), (c, d) = named(0, 1), named(2, 3)
    add(catalogue, [Decision(a, b, False, 2**62), Decision(c, d, False, 1)])
    pairs = combinations(range(4), 2)
    assert said(catalogue, 0, 1, 2, 3) == {pair: pair not in ((0, 1), (2, 3)) for pair in pairs}


steps = st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 5), min_size=2, max_size=4)), min_size=1, max_size=6)


@given(said_so_far=steps)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_kept_means_what_all_pairs_would(
    catalogue: Catalogue, said_so_far: list[tuple[bool, set[int]]]
) -> None:
    """The law: every pair is kept, a later word in place of an earlier; same is transitive, and separate goes first."""
    law: dict[tuple[int, int], bool] = {}
    with catalogue.atomic():
        catalogue.connection.execute("DELETE FROM decision")
    for same, numbers in said_so_far:
        say(catalogue, named(*numbers), same=same)
        law |= dict.fromkeys(combinations(sorted(numbers), 2), same)
    found = said(catalogue, *range(6))
    reached = {number: {number} for number in range(6)}
    for _ in range(6):
        for (a, b), same in law.items():
            if same:
                reached[a] |= reached[b]
                reached[b] |= reached[a]
    for pair in combinations(range(6), 2):
        separate = law.get(pair) is False
        assert found[pair] == (False if separate else True if pair[1] in reached[pair[0]] else None)


# Which files


def test_only_pictures_are_the_same_and_within_the_limits(index: HashIndex, folder: Path) -> None:
    (first, second) = fill(folder, [1, 2])
    index.scan([folder])
    (folder / "movie.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(1000))
    (folder / "notpic.txt").write_text("words")
    for name, sentence in {
        "movie.mkv": "movie.mkv is not a picture",
        "notpic.txt": "notpic.txt is not a picture: its content is text",
        "none.png": "none.png: there is no such file",
        ".": "is a folder; name a picture in it",
    }.items():
        with pytest.raises(UnreadablePicture, match=sentence):
            index.same(first, folder / name)
        with pytest.raises(UnreadablePicture, match=sentence):
            index.withdraw(first, folder / name, same=True)
    with pytest.raises(UnreadablePicture, match="more than the limit of 100"):
        index.separate(first, second, limits=Limits(bytes=100))
    assert index.decisions() == []


def test_of_what_is_not_a_picture_only_the_first_bytes_are_read(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (picture,) = fill(folder, [1])
    index.scan([folder])
    (folder / "movie.mkv").write_bytes(bytes(10_000))
    monkeypatch.setattr("hashindex.disk.files.OpenFile.read_rest", lambda *_: pytest.fail("it was read to its end"))
    with pytest.raises(UnreadablePicture, match="is not a picture"):
        index.same(folder / "movie.mkv", picture)


def test_commands_say_what_is_noted_and_instead_of_what(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    a, b, c = map(str, fill(folder, [1, 2, 3]))
    index.scan([folder])

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        return result.stdout.strip() or result.stderr.strip()

    assert run("same", a, b, c) == "Noted: these 3 are the same picture."
    assert run("separate", a, b) == "Noted: these 2 do not belong together (instead of: the same picture)."
    assert run("same", a, b) == "Noted: these 2 are the same picture (instead of: separate)."
    assert json.loads(run("--json", "separate", a, b)) == {
        "event": "summary", "said": "separate", "pairs": 1, "undone": False, "instead_of": "same",
    }  # fmt: skip
    assert run("separate", a, b, "--undo") == "Withdrawn: these 2 do not belong together."
    assert run("separate", a, b, "--undo") == "There is no decision that these 2 do not belong together."


def test_a_folder_or_words_given_to_query_and_explain_are_told_apart(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))
    (picture,) = fill(folder, [1])
    index.scan([folder])
    for arguments in (("query", str(folder)), ("explain", str(folder), str(picture))):
        result = CliRunner().invoke(app, list(arguments))
        assert (result.exit_code, f"{folder} is a folder; name a picture in it." in result.stderr) == (2, True)
    result = CliRunner().invoke(app, ["query", "cat picture"])
    assert result.stderr == (
        "hashindex: cat picture: there is no such file. hashindex query searches by a picture; to search by "
        "words, run: hashindex find cat picture\n"
    )
