"""A person's words as JSON lines: what is written is read again, and anything else is refused by its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashindex import UsageError
from hashindex.judgement.words import from_lines, to_lines
from hashindex.model import Word

digests = st.binary(min_size=32, max_size=32)
words = st.builds(
    lambda pair, same, said_ns: Word(min(pair), max(pair), same, said_ns),
    st.tuples(digests, digests).filter(lambda pair: pair[0] != pair[1]),
    st.booleans(),
    st.integers(0, 2**63 - 1),
)


@given(st.lists(words))
def test_what_is_written_is_read_again(said: list[Word]) -> None:
    assert from_lines(to_lines(said), "words.jsonl") == said


WORD = {"a": "00" * 32, "b": "11" * 32, "said": "same", "said_ns": 5}


def test_digests_come_in_any_order_and_empty_lines_are_left_out() -> None:
    line = json.dumps(WORD | {"a": WORD["b"], "b": WORD["a"]})
    assert from_lines(["", line, " "], "-") == [Word(bytes(32), b"\x11" * 32, True, 5)]


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
    with pytest.raises(UsageError, match=r"words\.jsonl, line 2 is no word"):
        from_lines([json.dumps(WORD), line], "words.jsonl")
