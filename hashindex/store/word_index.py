"""The index of words: folded captions, tags and file names of each content, searched with FTS5's trigrams.

The tables search_text and text_index follow from other tables. Triggers note in unindexed_content whose text must be
made anew, and refresh makes it. Nothing is lost with them. Touches no file on disk.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.folding import fold, is_nearly_in, pieces_of, wrong_letters
from hashindex.core.language import Message
from hashindex.core.words import UNCERTAIN

MOST_RANKED: Final = 20_000
"""Of more contents with the same words, only the newest are ranked: 40 ms."""
MOST_FORGIVEN: Final = 2_000
"""Most contents that are examined for wrong letters: 30 ms."""

_COLUMNS: Final = ("words", "uncertain", "tags", "names")
_GRAM: Final = 3
"""Signs of a token of the tokenizer `trigram`; shorter words are searched by reading all of search_text."""
_MEANINGLESS: Final = re.compile("[0-9a-f]{16,}")
"""Names that chat clients make of digests. Nobody searches them, and their trigrams would fill the index."""


class WordIndexDamaged(Exception):
    """The index cannot be searched. WordIndex.rebuild makes it anew."""


class WordMatch(NamedTuple):
    """A content that a search found."""

    content: int
    is_exact: bool
    """Whether it has all words as they were given: none is missing, and no wrong letter was forgiven."""


def has_full_text_search() -> bool:
    """Whether the SQLite of this Python has what the index needs."""
    with closing(sqlite3.connect(":memory:")) as connection:
        return WordIndex(connection).is_available()


class WordIndex:
    """Queries and changes; call a change inside Catalogue.atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # Making

    def is_available(self) -> bool:
        """Whether this SQLite has the full-text search that the index needs."""
        row = self._connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone()
        return row is not None

    def count_unindexed(self) -> int:
        """Counts the contents whose text must be made anew."""
        return int(self._connection.execute("SELECT count(*) FROM unindexed_content").fetchone()[0])

    def refresh(self, most: int) -> int:
        """Makes the text of at most that many contents anew. Returns their number. 50 us a content.

        UsageError if this SQLite has no FTS5.
        """
        if not self._has_table():
            self.rebuild()
        rows = self._connection.execute("SELECT content FROM unindexed_content ORDER BY content LIMIT ?", (most,))
        contents = [content for (content,) in rows]
        texts = self._texts(contents)
        with _noticing_damage():
            for content in contents:
                for statement in (
                    # The index holds no texts: it removes a row by the text that it was made of.
                    "INSERT INTO text_index (text_index, rowid, words, uncertain, tags, names) "
                    "SELECT 'delete', content, words, uncertain, tags, names FROM search_text WHERE content = ?",
                    "DELETE FROM search_text WHERE content = ?",
                    "DELETE FROM unindexed_content WHERE content = ?",
                ):
                    self._connection.execute(statement, (content,))
            for table, key in (("search_text", "content"), ("text_index", "rowid")):
                self._connection.executemany(
                    f"INSERT INTO {table} ({key}, words, uncertain, tags, names) VALUES (?, ?, ?, ?, ?)",
                    ((content, *parts) for content, parts in texts.items()),
                )
        return len(contents)

    def rebuild(self) -> None:
        """Makes the index of all texts anew. UsageError if this SQLite has no FTS5."""
        if not self.is_available():
            raise UsageError(
                Message(
                    "Words cannot be searched: the SQLite {version} of this Python has no full-text search (FTS5). Use "
                    "another Python; those of python.org and of Linux distributions have it.",
                    version=sqlite3.sqlite_version,
                )
            )
        # DROP TABLE text_index would open the index first, which fails if the page that describes it is damaged.
        for part in ("data", "idx", "docsize", "config"):
            self._connection.execute(f"DROP TABLE IF EXISTS text_index_{part}")
        self._connection.execute("PRAGMA writable_schema = ON")
        self._connection.execute("DELETE FROM sqlite_schema WHERE name = 'text_index'")
        self._connection.execute("PRAGMA writable_schema = RESET")
        # detail = none: a third less space, and this module looks for the words in the texts anyway.
        self._connection.execute(
            "CREATE VIRTUAL TABLE text_index USING fts5 (words, uncertain, tags, names, content = 'search_text', "
            "content_rowid = 'content', tokenize = 'trigram case_sensitive 1', detail = none)"
        )
        self._connection.execute("INSERT INTO text_index (text_index) VALUES ('rebuild')")

    def _has_table(self) -> bool:
        return self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'text_index'").fetchone() is not None

    def _texts(self, contents: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The folded texts of these contents, in the order of _COLUMNS. A content without any text is left out."""
        wanted = (json.dumps(contents),)
        parts: dict[int, tuple[list[str], ...]] = {content: ([], [], [], []) for content in contents}
        lines = self._connection.execute(
            "SELECT content.id, text, confidence FROM content "
            "CROSS JOIN picture_text ON picture_text.digest = content.digest CROSS JOIN text_line ON "
            "picture = picture_text.id WHERE content.id IN (SELECT value FROM json_each(?)) ORDER BY picture, position",
            wanted,
        )
        for content, text, confidence in lines:
            parts[content][0 if confidence >= UNCERTAIN else 1].append(text)
        tags = self._connection.execute(
            "SELECT content.id, name FROM content CROSS JOIN tag ON tag.digest = content.digest "
            "WHERE given AND content.id IN (SELECT value FROM json_each(?)) ORDER BY content.id, name",
            wanted,
        )
        for content, tag in tags:
            parts[content][2].append(fold(tag))
        names = self._connection.execute(
            "SELECT DISTINCT content, name FROM file WHERE content IN (SELECT value FROM json_each(?))", wanted
        )
        for content, name in names:
            parts[content][3].append(_searched_name(name))
        return {
            # A phrase may go on in the next line of a caption.
            content: (
                fold("\n".join(words)),
                fold("\n".join(uncertain)),
                "\n".join(tags),
                "\n".join(filter(None, names)),
            )
            for content, (words, uncertain, tags, names) in parts.items()
            if any((words, uncertain, tags, any(names)))
        }

    # Searching

    def matches(self, words: Sequence[str]) -> Iterator[WordMatch]:
        """Contents with these folded words, the best first: first those that have all words, then those in which a
        wrong letter must be forgiven, and only if there are none those that have some of the words.

        Tags weigh more than captions, captions more than file names, and these more than uncertain lines. Of equal
        ones that with the shorter caption is first, then the newer. Raises WordIndexDamaged.
        """
        with _noticing_damage():
            found = set()
            for content in self._exact(words, all=True):
                found.add(content)
                yield WordMatch(content, True)
            for content in self._forgiven(words):
                if content not in found:
                    found.add(content)
                    yield WordMatch(content, False)
            if not found and len(words) > 1:
                for content in self._exact(words, all=False):
                    yield WordMatch(content, False)

    def _exact(self, words: Sequence[str], *, all: bool) -> Iterator[int]:
        """Contents with all of these words, or (all=False) with any of them, those with most of them first."""
        values = list(words)
        numbers = range(1, len(words) + 1)
        conditions = [(" AND " if all else " OR ").join(_contains([number]) for number in numbers)]
        long = [word for word in words if len(word) >= _GRAM]
        if long and (all or len(long) == len(words)):
            values.append((" AND " if all else " OR ").join(f"({_grams(word)})" for word in long))
            conditions.append(_IS_INDEXED.format(number=len(values)))
        score = " + ".join(_SCORE.format(number=number) for number in numbers)
        rows = self._connection.execute(
            f"SELECT content FROM search_text WHERE {_joined(conditions)} "
            f"ORDER BY {score} DESC, length(words) + length(uncertain), content DESC",
            values,
        )
        return (content for (content,) in rows)

    def _forgiven(self, words: Sequence[str]) -> list[int]:
        """Contents with all of these words if wrong letters are forgiven, those with the most exact words first."""
        if not any(map(wrong_letters, words)):
            return []
        values: list[str] = []
        grams, conditions = [], []
        for word in words:
            pieces = pieces_of(word)
            if min(map(len, pieces)) >= _GRAM:
                grams.append(" OR ".join(f"({_grams(piece)})" for piece in pieces))
            else:
                values += pieces
                conditions.append(_contains(range(len(values) - len(pieces) + 1, len(values) + 1)))
        if grams:
            values.append(" AND ".join(f"({each})" for each in grams))
            conditions.append(_IS_INDEXED.format(number=len(values)))
        rows = self._connection.execute(
            "SELECT content, words || char(10) || uncertain || char(10) || tags || char(10) || names FROM search_text "
            f"WHERE {_joined(conditions)} ORDER BY content DESC LIMIT {MOST_FORGIVEN}",
            values,
        )
        ranked = []
        for content, text in rows:
            exact = sum(word in text for word in words)
            if exact < len(words) and all(word in text or is_nearly_in(word, text) for word in words):
                ranked.append((-exact, len(text), -content))
        return [-content for _, _, content in sorted(ranked)]


# SQL: what a word weighs in a row of search_text; 0 if the row does not have it. That the row has it weighs most. A
# whole word weighs more than a part of one, which matters where blanks separate words.
_SCORE: Final = (
    "CASE WHEN instr(tags, ?{number}) "
    "THEN 104 + (instr(char(10) || tags || char(10), char(10) || ?{number} || char(10)) > 0) "
    "WHEN instr(words, ?{number}) THEN 103 + (instr(' ' || words || ' ', ' ' || ?{number} || ' ') > 0) / 2.0 "
    "WHEN instr(names, ?{number}) THEN 102 WHEN instr(uncertain, ?{number}) THEN 101 ELSE 0 END"
)
# SQL: whether the index has the trigrams of a query in a row of search_text.
_IS_INDEXED: Final = (
    "content IN (SELECT rowid FROM text_index WHERE text_index MATCH ?{number} "
    f"ORDER BY rowid DESC LIMIT {MOST_RANKED})"
)


def _contains(numbers: Iterable[int]) -> str:
    """SQL: whether a row of search_text has one of the texts with these numbers."""
    # Column by column: joining the columns first would take twice as long.
    return f"({' OR '.join(f'instr({column}, ?{number})' for column in _COLUMNS for number in numbers)})"


def _joined(conditions: Iterable[str]) -> str:
    return " AND ".join(f"({condition})" for condition in conditions)


@contextmanager
def _noticing_damage() -> Iterator[None]:
    """Turns the errors of a damaged or missing index into WordIndexDamaged. If the cause is another, it comes again."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
            raise WordIndexDamaged from error
        raise


def _grams(word: str) -> str:
    """The query of FTS5 for the contents that have all trigrams of a word. Quoted, so that no word is an operator."""
    grams = dict.fromkeys(word[start : start + _GRAM] for start in range(len(word) - _GRAM + 1))
    return " AND ".join('"{}"'.format(gram.replace('"', '""')) for gram in grams)


def _searched_name(name: bytes) -> str:
    """The folded name of a file without its extension; "" if it says nothing."""
    stem = os.path.splitext(os.fsdecode(name))[0]
    return "" if _MEANINGLESS.fullmatch(stem.strip("{}").lower()) else fold(stem)
