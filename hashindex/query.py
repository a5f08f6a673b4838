"""What looks like a picture: reads it, hashes it as a scan would, and asks the catalogue. Changes nothing."""

from hashindex import files, formats, hashes
from hashindex.catalogue import Catalogue
from hashindex.decode import decode
from hashindex.errors import UnreadablePicture
from hashindex.examine import digest_of
from hashindex.keys import Keys, Version
from hashindex.model import Answer, Decoded, Hit, KeyState, Limits, State
from hashindex.packed import Image, near_in_segments

QUERY_RADIUS = {"phash": 10, "dhash": 8, "ahash": 4, "whash": 4, "phash256": 60, "dhash256": 40}
"""Wider than for groups: a person looks at the answer, nearest first."""


class Searcher:
    """Finds near keys in a catalogue: for one question as they are read, for more in memory, as long as they stand."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Version, Image | None]] = {}

    def near(self, keys: Keys, recipe: hashes.Recipe, key: int, radius: int) -> tuple[list[int], int]:
        """Contents near a key of that recipe, and how many have that hash only in another version."""
        found: list[int] = []
        others = 0
        for version in keys.versions(recipe.name):
            if version.version == recipe.version:
                found = self._near(keys, version, key, radius)
            else:
                states = keys.states(version)
                others += len(states) - states.count(KeyState.ABSENT)
        return found, others

    def _near(self, keys: Keys, version: Version, key: int, radius: int) -> list[int]:
        before, image = self._kept.get(version.name, (None, None))
        if before != version:
            # Its generation tells that keys have changed since, if any were asked for before.
            self._kept[version.name] = version, None
            return near_in_segments(keys.segments(version), version.bits, key, radius)
        if image is None:
            image = Image(keys.image(version))
            self._kept[version.name] = version, image
        return image.near(key, radius)


def ask(
    catalogue: Catalogue,
    searcher: Searcher,
    data: bytes,
    name: str,
    itself: bytes | None,
    recipe: hashes.Recipe,
    radius: int,
    limit: int | None,
    limits: Limits,
) -> Answer:
    """Files that look like the picture in data, nearest first, the one at path `itself` left out.

    name: what to call it in a sentence. Raises UnreadablePicture where it cannot be decoded and no file has its bytes.
    """
    asked = decode(data, limits)
    same = catalogue.content_with(digest_of(data))
    if asked.prepared is None and same is None:
        raise UnreadablePicture(f"{name} cannot be compared: {asked.problem}.")
    return _answer(catalogue, searcher, asked, same, itself, recipe, radius, limit)


def read_picture(path: bytes, name: str, limits: Limits) -> bytes:
    """The bytes of a picture that a person named. Raises UnreadablePicture with a sentence."""
    try:
        with files.opened(path) as source:
            head = source.read(formats.LOOK_BYTES)
            if formats.sniff(head) is None:
                raise UnreadablePicture(f"{name} is not a picture: its content is {formats.what_it_is(head)}.")
            if source.seen.size > limits.bytes:
                raise UnreadablePicture(
                    f"{name} has {source.seen.size:,} bytes, more than the limit of {limits.bytes:,}."
                )
            return head + source.read_rest()
    except OSError as error:
        raise UnreadablePicture(f"{name}: {files.reason_of(error)}.") from error


def _answer(
    catalogue: Catalogue,
    searcher: Searcher,
    asked: Decoded,
    same: int | None,
    itself: bytes | None,
    recipe: hashes.Recipe,
    radius: int,
    limit: int | None,
) -> Answer:
    values = hashes.compute([asked.prepared])[0] if asked.prepared is not None else {}
    own = {
        (recipe.name, recipe.version): int.from_bytes(values[recipe.name], "big") for recipe in hashes.RECIPES if values
    }
    unreachable = 0
    if asked.pixels is not None:
        near = catalogue.contents_with_pixels(asked.pixels)
    elif own:
        near, unreachable = searcher.near(catalogue.keys, recipe, own[recipe.name, recipe.version], radius)
    else:
        near = []
    hits: list[tuple[tuple[object, ...], Hit]] = []
    files_of = catalogue.files_of({*near, *([] if same is None else [same])}, all=True)
    for content, held in files_of.items():
        theirs = catalogue.hashes_of(content)
        distances = {
            name: (own[name, version] ^ value).bit_count()
            for (name, version), value in theirs.items()
            if (name, version) in own
        }
        # Nearest by the hash that was asked for; the other hashes decide between equals.
        nearness = (content != same, distances.get(recipe.name, 0), sum(distances.values()))
        for file in held:
            if file.path != itself:
                hits.append(((*nearness, file.path), Hit(file, distances, content == same)))
    hits.sort(key=lambda ranked: ranked[0])
    shown = tuple(_as_of_now(hit) for _, hit in hits[:limit])
    return Answer(shown, asked, asked.pixels is not None, unreachable)


def _as_of_now(hit: Hit) -> Hit:
    """A hit whose file went since the last scan is shown as gone; few are shown, so each may cost a stat."""
    if hit.file.state is State.MISSING or files.is_present(hit.file.path):
        return hit
    return hit._replace(file=hit.file._replace(state=State.MISSING))
