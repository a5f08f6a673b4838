"""Recognised words of pictures, without a reader."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hashindex import HashIndex
from hashindex.core.words import TextLine
from hashindex.store.catalogue import Catalogue


def read_as(index: HashIndex, texts: Mapping[str, str | Sequence[TextLine]]) -> None:
    """Stores a text for pictures by their names, as a reader does."""
    with Catalogue(index.path, write=True) as catalogue:
        by_name = {Path(file.path).name: file for file in catalogue.unread_pictures("none")}
        with catalogue.atomic():
            for name, text in texts.items():
                lines = [TextLine(text, 1.0)] if isinstance(text, str) else text
                catalogue.words.put(by_name[name].content.digest, "test 1", lines)
