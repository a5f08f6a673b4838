"""Tags of pictures: short texts of the user, kept by content."""

import unicodedata

from hashindex.core.errors import UsageError
from hashindex.core.language import Message

LONGEST = 100
"""Characters of a tag."""


def tag_named(text: str) -> str:
    """A tag as it is stored: one line in NFC, without a # before it. UsageError if it is not valid."""
    tag = unicodedata.normalize("NFC", " ".join(text.split())).lstrip("#").strip()
    if not tag or len(tag) > LONGEST or not tag.isprintable():
        raise UsageError(
            Message("{tag!r} is not a tag: it has 1 to {most} printable characters.", tag=text[:LONGEST], most=LONGEST)
        )
    return tag
