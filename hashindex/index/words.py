"""The words of pictures, as names and pages show them."""

from collections.abc import Iterable, Sequence

from hashindex.core.model import File
from hashindex.core.name_words import NameWords, name_words
from hashindex.core.words import PictureWords
from hashindex.store.catalogue import Catalogue


def words_of_sets(catalogue: Catalogue, sets: Sequence[Iterable[File]]) -> dict[int, NameWords]:
    """Content -> its words. One without text, or without tags, has those of the first file of its set that has some."""
    contents = [{file.content.id: file.content.digest for file in files} for files in sets]
    digests = {id: digest for each in contents for id, digest in each.items()}
    lines, tags = catalogue.words.of(digests), catalogue.words.tags_of(list(digests.values()))
    found: dict[int, NameWords] = {}
    for each in contents:
        first_lines = next((lines[id] for id in each if id in lines), [])
        first_tags = next((tags[digest] for digest in each.values() if digest in tags), [])
        for id, digest in each.items():
            found[id] = name_words(lines.get(id, first_lines), tags.get(digest, first_tags))
    return found


def words_of_files(catalogue: Catalogue, files: Iterable[File]) -> dict[int, PictureWords]:
    """Content -> its own words. Contents without text and tags are left out."""
    contents = {file.content.id: file.content.digest for file in files}
    lines, tags = catalogue.words.of(contents), catalogue.words.tags_of(list(contents.values()))
    return {
        id: PictureWords(tuple(line.text for line in lines.get(id, ())), tuple(tags.get(digest, ())))
        for id, digest in contents.items()
        if id in lines or digest in tags
    }
