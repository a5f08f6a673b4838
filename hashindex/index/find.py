"""Finds pictures by their words: recognised text, tags and file names. Changes nothing but the index of words."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from hashindex.core.errors import CatalogueLocked, CatalogueUnwritable
from hashindex.core.folding import query_words
from hashindex.core.model import File, Relation, State
from hashindex.core.words import FoundPicture
from hashindex.disk import files
from hashindex.index.decisions import Decisions, decisions_of
from hashindex.store.access import PATIENCE_S, Access
from hashindex.store.catalogue import Catalogue
from hashindex.store.word_index import WordIndexDamaged

INDEXED_AT_ONCE = 1_000
"""Contents whose words are indexed in one transaction: 0.05 s."""
_MATCHES_AT_ONCE = 20
"""Matches whose files are asked for at once. Few: the first page needs no letters forgiven if it is full before."""

OnIndexed = Callable[[int, int], None]
"""(contents whose words were indexed, all that will be)."""


def index_words(catalogue: Catalogue, on_indexed: OnIndexed = lambda done, total: None) -> None:
    """Indexes the words of all contents whose files, tags or text have changed. catalogue: a writer."""
    total = catalogue.word_index.count_unindexed()
    done = 0
    while done < total:
        try:
            with catalogue.atomic():
                indexed = catalogue.word_index.refresh(INDEXED_AT_ONCE)
        except WordIndexDamaged:
            with catalogue.atomic():
                catalogue.word_index.rebuild()
                indexed = catalogue.word_index.refresh(INDEXED_AT_ONCE)
        if not indexed:
            return
        done += indexed
        if total > INDEXED_AT_ONCE:
            on_indexed(min(done, total), total)


def contents_with(catalogue: Catalogue, text: str) -> list[int]:
    """Contents that have all words of a text, without a wrong letter. catalogue: a writer."""
    index_words(catalogue)
    words = query_words(text)
    try:
        return _exact(catalogue, words)
    except WordIndexDamaged:
        with catalogue.atomic():
            catalogue.word_index.rebuild()
        return _exact(catalogue, words)


def _exact(catalogue: Catalogue, words: Sequence[str]) -> list[int]:
    return [match.content for match in catalogue.word_index.matches(words) if match.is_exact]


def find(
    access: Access, text: str, limit: int | None, under: bytes | None, on_indexed: OnIndexed
) -> list[FoundPicture]:
    """See HashIndex.find. under: a real absolute folder."""
    words = query_words(text)
    _catch_up(access, on_indexed)
    try:
        return _found(access, words, limit, under)
    except WordIndexDamaged:
        with access.writing() as catalogue, catalogue.atomic():
            catalogue.word_index.rebuild()
        return _found(access, words, limit, under)


def _catch_up(access: Access, on_indexed: OnIndexed) -> None:
    """Indexes what has changed. If the catalogue cannot be written now, the question is answered without that."""
    with access.reading() as catalogue:
        if not catalogue.word_index.count_unindexed():
            return
    with (
        suppress(CatalogueLocked, CatalogueUnwritable),
        access.writing(wait_s=min(PATIENCE_S, access.wait_s)) as catalogue,
    ):
        index_words(catalogue, on_indexed)


def _found(access: Access, words: Sequence[str], limit: int | None, under: bytes | None) -> list[FoundPicture]:
    with access.reading() as catalogue, catalogue.as_of_now():
        return list(islice(_pictures(catalogue, words, under), limit))


def _pictures(catalogue: Catalogue, words: Sequence[str], under: bytes | None) -> Iterator[FoundPicture]:
    """The pictures that match, each once, the best first."""
    decisions = decisions_of(catalogue)
    shown: set[int] = set()
    matches = catalogue.word_index.matches(words)
    while block := list(islice(matches, _MATCHES_AT_ONCE)):
        present = _present_files(catalogue, [match.content for match in block])
        for match in block:
            # Only contents that could be shown are searched for copies.
            if match.content in shown or not any(_is_shown(file, under) for file in present.get(match.content, ())):
                continue
            together = _copies_of(catalogue, decisions, match.content)
            shown.update(together)
            picture = _picture(catalogue, together, under, is_exact=match.is_exact)
            if picture is not None:
                yield picture


def _present_files(catalogue: Catalogue, contents: Sequence[int]) -> dict[int, list[File]]:
    """The present files of these contents, those in destinations too."""
    return {
        content: [file for file in known if file.state is State.PRESENT]
        for content, known in catalogue.files_of(contents, all=True).items()
    }


def _is_shown(file: File, under: bytes | None) -> bool:
    return under is None or files.is_within(file.path_bytes, under)


def _copies_of(catalogue: Catalogue, decisions: Decisions, content: int) -> list[int]:
    """The content and its copies, and their copies: by stored verdicts and the user's decisions."""
    found = [content]
    seen = {content}
    for one in found:
        near = {other for relation, other in catalogue.verdicts.nearest_alike(one) if relation >= Relation.COPY}
        for other in sorted(near.union(decisions.with_same([one])) - seen):
            if not decisions.separate or not any(decisions.are_separate(other, member) for member in found):
                seen.add(other)
                found.append(other)
    return found


def _picture(
    catalogue: Catalogue, contents: Sequence[int], under: bytes | None, *, is_exact: bool
) -> FoundPicture | None:
    """The picture that these contents show, the match first; None if its files below the folder are gone."""
    standings = catalogue.standings.of(contents)
    best_first = sorted(contents, key=lambda one: standings[one].rank if one in standings else len(contents))
    present = _present_files(catalogue, contents)
    # A file may have been deleted since the last scan: a stat for each, and they are few.
    there = [file for one in best_first for file in present.get(one, ()) if files.is_regular_file(file.path_bytes)]
    best = next((file for file in there if _is_shown(file, under)), None)
    if best is None:
        return None
    lines = catalogue.words.of(contents)
    tags = catalogue.words.tags_of([file.content.digest for file in there])
    return FoundPicture(
        best,
        tuple(sorted(file for file in there if file is not best)),
        tuple(line.text for line in next((lines[one] for one in contents if one in lines), ())),
        tuple(sorted({tag for given in tags.values() for tag in given})),
        is_exact,
    )
