"""What a person said of pictures: the same, or separate. Kept by content, written and read as JSON lines.

Reads the named files for their digests; changes no file but the one that is asked for.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from hashindex.disk import files
from hashindex.errors import UsageError
from hashindex.model import Word
from hashindex.pictures.examine import digest_of
from hashindex.pictures.formats import unmasked
from hashindex.store.catalogue import Catalogue

SAME, SEPARATE = "same", "separate"


def say(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool) -> list[Word]:
    """Writes that all of these contents are one picture, or that none of them is another. catalogue: a writer.

    A word goes before any that was said of the same two earlier.
    """
    words = [Word(*pair, same, time.time_ns()) for pair in _pairs(digests)]
    with catalogue.atomic():
        for word in words:
            catalogue.verdicts.put_word(word)
    return words


def take_back(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool) -> int:
    """Takes such words back; returns how many there were."""
    with catalogue.atomic():
        return sum(catalogue.verdicts.drop_word(a, b, same) for a, b in _pairs(digests))


def add(catalogue: Catalogue, words: Iterable[Word]) -> None:
    """Adds words from elsewhere; of two on the same contents the later one stays."""
    with catalogue.atomic():
        known = {(word.a, word.b): word.said_ns for word in catalogue.verdicts.words()}
        for word in words:
            if word.said_ns >= known.get((word.a, word.b), 0):
                catalogue.verdicts.put_word(word)


def _pairs(digests: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    distinct = sorted(set(digests))
    if len(distinct) < 2:
        raise UsageError("These files hold the same bytes: there is nothing to say of one picture.")
    yield from combinations(distinct, 2)


def digest_at(path: bytes) -> bytes:
    """SHA-256 of a file's bytes, masked ones without the mask. UsageError with a sentence where it cannot be read."""
    try:
        with files.opened(path) as source:
            return digest_of(unmasked(source.read_rest()))
    except OSError as error:
        raise UsageError(f"{os.fsdecode(path)}: {files.reason_of(error)}.") from error


def to_lines(words: Iterable[Word]) -> Iterator[str]:
    """A JSON object a line: {"a": SHA-256, "b": SHA-256, "said": "same" or "separate", "said_ns": ...}."""
    for word in words:
        said = SAME if word.same else SEPARATE
        yield json.dumps({"a": word.a.hex(), "b": word.b.hex(), "said": said, "said_ns": word.said_ns})


def from_lines(lines: Iterable[str], name: str) -> list[Word]:
    """What to_lines wrote. UsageError names the line that is none; name: what to call the file."""
    words = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            word = _word(line)
            if word is None:
                raise UsageError(f"{name}, line {number} is no word of a person as hashindex words writes them.")
            words.append(word)
    return words


def _word(line: str) -> Word | None:
    try:
        fields = json.loads(line)
        a, b = sorted((bytes.fromhex(fields["a"]), bytes.fromhex(fields["b"])))
        said, said_ns = fields["said"], fields.get("said_ns", 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    sound = len(a) == len(b) == 32 and a != b and said in (SAME, SEPARATE)
    return Word(a, b, said == SAME, said_ns) if sound and type(said_ns) is int and 0 <= said_ns < 2**63 else None
