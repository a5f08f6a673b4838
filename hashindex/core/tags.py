"""Tags of pictures, the rules that give them, and their form in an export. Only links are looked up."""

import json
import os
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.keep_rules import UNDER
from hashindex.core.language import Message
from hashindex.core.paths import with_readable_paths

LONGEST: Final = 100
"""Characters of a tag."""
WORD: Final = "word:"
"""The prefix of the words of a rule."""


class Tagging(NamedTuple):
    """The last decision on one tag of one content."""

    digest: bytes
    tag: str
    is_given: bool
    """False if the tag was taken away: no rule gives it again."""
    decided_ns: int
    """0 for a tag that a rule gave."""


class TagCount(NamedTuple):
    """A tag, and how many present pictures have it, each content once."""

    tag: str
    pictures: int


@with_readable_paths
class TagRule(NamedTuple):
    """Pictures below a folder, or with certain words, get a tag."""

    tag: str
    folder_bytes: bytes | None
    """A real absolute folder; None if the words decide."""
    words: str

    @property
    def folder(self) -> str | None:
        return None if self.folder_bytes is None else os.fsdecode(self.folder_bytes)


TAG_RULE_HELP: Final = Message("TAG=under:FOLDER or TAG=word:WORDS")


def tag_named(text: str) -> str:
    """A tag as it is stored: one line in NFC, without the # before it. UsageError if it is not valid."""
    tag = unicodedata.normalize("NFC", " ".join(text.split())).removeprefix("#").strip()
    if not tag or len(tag) > LONGEST or "," in tag or not tag.isprintable():
        raise UsageError(
            Message(
                "{tag!r} is not a tag: a tag has 1 to {most} printable characters and no comma.",
                tag=text[:LONGEST],
                most=LONGEST,
            )
        )
    return tag


def tags_named(text: str) -> list[str]:
    """Several tags with commas between them, each once."""
    return list(dict.fromkeys(map(tag_named, text.replace("，", ",").split(","))))


def tag_rule(text: str) -> TagRule:
    """Parses TAG=under:FOLDER or TAG=word:WORDS. UsageError for any other text."""
    name, _, rule = text.partition("=")
    if rule.startswith(UNDER) and rule != UNDER:
        folder = os.path.realpath(os.path.expanduser(rule.removeprefix(UNDER)))
        return TagRule(tag_named(name), os.fsencode(folder), "")
    if rule.startswith(WORD) and rule.removeprefix(WORD).strip():
        return TagRule(tag_named(name), None, rule.removeprefix(WORD))
    raise UsageError(Message("{given!r} is not a rule for tags; a rule is {rule}.", given=text, rule=TAG_RULE_HELP))


def to_lines(taggings: Iterable[Tagging]) -> Iterator[str]:
    """A JSON object a line: {"sha256": ..., "tag": ..., "given": true, "decided_ns": ...}."""
    for one in taggings:
        fields = {"sha256": one.digest.hex(), "tag": one.tag, "given": one.is_given, "decided_ns": one.decided_ns}
        yield json.dumps(fields, ensure_ascii=False)


def parted(lines: Iterable[str]) -> tuple[list[Tagging], list[str]]:
    """The tags among lines of an export, and the other lines with an empty one in place of each tag."""
    taggings: list[Tagging] = []
    others: list[str] = []
    for line in lines:
        tagging = _parsed(line)
        if tagging is None:
            others.append(line)
        else:
            taggings.append(tagging)
            others.append("")
    return taggings, others


def _parsed(line: str) -> Tagging | None:
    """The tag in a line of to_lines; None for any other line."""
    try:
        fields = json.loads(line)
        digest, tag = bytes.fromhex(fields["sha256"]), fields["tag"]
        is_given, decided_ns = fields["given"], fields["decided_ns"]
        is_valid = len(digest) == 32 and type(is_given) is bool and type(decided_ns) is int and tag_named(tag) == tag
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError):
        return None
    return Tagging(digest, tag, is_given, decided_ns) if is_valid and 0 <= decided_ns < 2**63 else None
