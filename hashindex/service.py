"""class HashIndex: what the command line, a daemon and other programs share. Returns model values, never prints."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from hashindex import files, formats, hashes
from hashindex.catalogue import Catalogue
from hashindex.decode import decode
from hashindex.errors import UnreadablePicture, UsageError
from hashindex.examine import digest_of
from hashindex.groups import Key, clusters, make_group
from hashindex.model import (
    Answer,
    Decoded,
    Group,
    Hit,
    Keep,
    Limits,
    Plan,
    Problem,
    RootStatus,
    ScanSummary,
    Status,
)
from hashindex.plan import ACTIONS, make_plan
from hashindex.scan import Progress, ScanOptions, current_maker, scan
from hashindex.search import LinearIndex
from hashindex.settings import default_catalogue_path

PathLike = str | bytes | os.PathLike[str]

DEFAULT_HASH = "phash256"
GROUP_RADIUS = {"phash": 4, "dhash": 2, "ahash": 0, "whash": 0, "phash256": 24, "dhash256": 12}
"""Bits within which groups are made by default; why, and what each gives on labelled pictures: docs/design.md."""
QUERY_RADIUS = {"phash": 10, "dhash": 8, "ahash": 4, "whash": 4, "phash256": 60, "dhash256": 40}
"""Wider than for groups: a person looks at the answer, nearest first."""


class Rule(NamedTuple):
    """How groups are made: neighbours within each radius of radii in turn; see groups.clusters."""

    recipe: hashes.Recipe
    radii: tuple[int, ...]


class HashIndex:
    """A persistent index of pictures by what they look like.

    Each method opens the catalogue for itself, so one HashIndex may be kept for long and used beside other
    processes. All raise HashIndexError's children with a sentence for the person: CatalogueMissing until the first
    scan (which makes the catalogue), CatalogueLocked after wait_s, and what each method names. Scanning starts
    worker processes: a script that calls it needs the `if __name__ == "__main__":` that multiprocessing asks for.
    """

    def __init__(self, catalogue: str | os.PathLike[str] | None = None, *, wait_s: float = 30.0) -> None:
        """catalogue: path of the SQLite file; None is HASHINDEX_CATALOGUE or the user's data folder."""
        self.path = Path(catalogue) if catalogue is not None else default_catalogue_path()
        self._wait_s = wait_s

    def scan(
        self,
        roots: Sequence[PathLike] = (),
        options: ScanOptions = ScanOptions(),  # noqa: B008 - frozen
        *,
        executor: Executor | None = None,
        on_problem: Callable[[Problem], None] = lambda problem: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> ScanSummary:
        """Brings the catalogue in step with these folders, or with all scanned before if none are given.

        A folder that was never scanned must be there (UsageError); a known one that cannot be reached is a problem
        and its files stay as they are. KeyboardInterrupt keeps what was done. executor: any of
        concurrent.futures' kind; it must be able to read the same paths. Unchanged files cost a stat.
        """
        with self._writing(create=lambda: [self._check_new_root(root) for root in roots]) as catalogue:
            known = {root.path for root in catalogue.roots()}
            folders = [self._root(root, known) for root in roots]
            return scan(catalogue, folders, options, executor=executor, on_problem=on_problem, on_progress=on_progress)

    def groups(
        self,
        *,
        hash: str = DEFAULT_HASH,
        radius: int | None = None,
        passes: Sequence[int] = (),
        keep: Keep = Keep.LARGEST,
    ) -> list[Group]:
        """Groups of two or more present files: near by hash, or of equal bytes, or blank with equal pixels.

        radius: bits, 0 <= radius <= the hash's bits; None is GROUP_RADIUS. passes: radii instead, each grouping what
        the last left over. Ordered by their lowest path. UsageError for an unknown hash or a radius out of range.
        """
        rule = _rule(hash, radius, passes)
        with self._reading() as catalogue:
            return _groups(catalogue, rule, keep)

    def query(
        self,
        image: PathLike | None = None,
        *,
        data: bytes | None = None,
        hash: str = DEFAULT_HASH,
        radius: int | None = None,
        limit: int | None = 10,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Answer:
        """Files of the catalogue that look like a picture, nearest first; also those that are gone.

        image: its path, or data: its bytes. The asked file itself is no hit. radius: bits, None is QUERY_RADIUS.
        Raises UnreadablePicture where it cannot be read or decoded, UsageError as groups does.
        """
        recipe = hashes.recipe_named(hash)
        radius = _in_range(QUERY_RADIUS[hash] if radius is None else radius, recipe)
        name = "The picture" if image is None else os.fsdecode(image)
        itself = None if image is None else files.absolute(image)
        with self._reading() as catalogue:
            data = _read_picture(itself, name, limits) if data is None and itself is not None else data or b""
            asked = decode(data, limits)
            same = catalogue.content_with(digest_of(data))
            if asked.prepared is None and same is None:
                raise UnreadablePicture(f"{name} cannot be compared: {asked.problem}.")
            return _answer(catalogue, asked, same, itself, recipe, radius, limit)

    def plan(
        self,
        dest: PathLike,
        *,
        rest: bool = False,
        action: str = "copy",
        hash: str = DEFAULT_HASH,
        radius: int | None = None,
        passes: Sequence[int] = (),
        keep: Keep = Keep.LARGEST,
    ) -> Plan:
        """What organize would do with all present pictures; changes nothing.

        A number a group, counting on from what dest holds; rest: also one for each ungrouped picture. The other
        arguments are those of groups.
        """
        if action not in ACTIONS:
            raise UsageError(f'There is no action called "{action}"; choose one of {", ".join(ACTIONS)}.')
        rule = _rule(hash, radius, passes)
        folder = files.absolute(dest)
        taken = files.names_in(folder)
        with self._reading() as catalogue:
            groups = _groups(catalogue, rule, keep)
            grouped = {member.file.path for group in groups for member in group.members}
            others = [file for file in catalogue.present_pictures() if file.path not in grouped]
            return make_plan(groups, others, folder, taken, action, number_rest=rest)

    def status(self) -> Status:
        """Counts by state and format. Reads the whole file table: 0.2 s at a million files."""
        with self._reading() as catalogue:
            counts = catalogue.counts()
            return Status(
                catalogue=str(self.path),
                roots=tuple(
                    RootStatus(root.path, catalogue.count_present_below(root.path), root.scanned_ns)
                    for root in catalogue.roots()
                ),
                problems=len(catalogue.problems()),
                outdated=catalogue.outdated(current_maker()),
                formats=catalogue.formats(),
                recipes=catalogue.recipes(),
                bytes=sum(os.path.getsize(name) for name in (self.path, f"{self.path}-wal") if os.path.exists(name)),
                **counts,
            )

    def problems(self) -> list[Problem]:
        """Every root, folder and present file that could not be taken in, and why, by path."""
        with self._reading() as catalogue:
            return catalogue.problems()

    def forget(self, path: PathLike) -> int:
        """Drops what the catalogue knows of a file, a folder or a root. Touches no file of the user's.

        Returns the number of rows dropped; UsageError if there are none.
        """
        absolute = files.absolute(path)
        with self._writing() as catalogue, catalogue.atomic():
            dropped = catalogue.forget(absolute) or catalogue.forget(os.path.realpath(absolute))
        if not dropped:
            raise UsageError(f"The catalogue knows nothing at {os.fsdecode(absolute)}; see hashindex status.")
        return dropped

    def _reading(self) -> Catalogue:
        return Catalogue(self.path, wait_s=self._wait_s)

    def _writing(self, create: Callable[[], object] | None = None) -> Catalogue:
        """A writer; only where `create` is given, and it raised nothing, is a missing catalogue made."""
        if create is None:
            self._reading().close()
        elif not self.path.exists():
            create()
        return Catalogue(self.path, write=True, wait_s=self._wait_s)

    def _check_new_root(self, root: PathLike) -> bytes:
        try:
            return files.real_folder(root)
        except OSError as error:
            raise UsageError(f"{os.fsdecode(root)}: {files.reason_of(error, 'folder')}.") from error

    def _root(self, root: PathLike, known: set[bytes]) -> bytes:
        absolute = files.absolute(root)
        return absolute if absolute in known else self._check_new_root(root)


def _rule(hash: str, radius: int | None, passes: Sequence[int]) -> Rule:
    recipe = hashes.recipe_named(hash)
    if passes and radius is not None:
        raise UsageError("A radius and passes exclude each other: passes are radii.")
    radii = tuple(passes) or (GROUP_RADIUS[hash] if radius is None else radius,)
    return Rule(recipe, tuple(_in_range(radius, recipe) for radius in radii))


def _in_range(radius: int, recipe: hashes.Recipe) -> int:
    if not 0 <= radius <= recipe.bits:
        raise UsageError(
            f"The radius {radius} is out of range: {recipe.name} has {recipe.bits} bits, so 0 to {recipe.bits}."
        )
    return radius


def _groups(catalogue: Catalogue, rule: Rule, keep: Keep) -> list[Group]:
    keys: dict[int, Key] = {}
    found: list[tuple[int, tuple[int, ...]]] = []
    # Version by version: keys of two recipes are not comparable, and each content has one of them.
    for of_version in catalogue.keys(rule.recipe.name).values():
        keys.update(of_version)
        found.extend(
            (cluster.radius, cluster.contents) for cluster in clusters(of_version, rule.recipe.bits, rule.radii)
        )
    clustered = {content for _, contents in found for content in contents}
    found.extend((rule.radii[0], (id,)) for id in catalogue.repeated_contents() if id not in clustered)
    groups = [
        make_group(
            [file for id in contents for file in catalogue.files_of(id)],
            keys,
            keep,
            hash=rule.recipe.name,
            radius=radius,
        )
        for radius, contents in found
    ]
    # By path, not by id: ids depend on which worker was faster, and the same folder should get the same numbers.
    return sorted(groups, key=lambda group: min(member.file.path for member in group.members))


def _read_picture(path: bytes, name: str, limits: Limits) -> bytes:
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
        index = LinearIndex(recipe.bits, catalogue.all_keys(recipe))
        near = [id for _, id in index.within(own[recipe.name, recipe.version], radius)]
        unreachable = catalogue.count_other_versions(recipe)
    else:
        near = []
    hits: list[tuple[tuple[object, ...], Hit]] = []
    for content in {*near, *([] if same is None else [same])}:
        theirs = catalogue.hashes_of(content)
        distances = {
            name: (own[name, version] ^ value).bit_count()
            for (name, version), value in theirs.items()
            if (name, version) in own
        }
        # Nearest by the hash that was asked for; the other hashes decide between equals.
        nearness = (content != same, distances.get(recipe.name, 0), sum(distances.values()))
        for file in catalogue.files_of(content, missing=True):
            if file.path != itself:
                hits.append(((*nearness, file.path), Hit(file, distances, content == same)))
    hits.sort(key=lambda ranked: ranked[0])
    return Answer(tuple(hit for _, hit in hits[:limit]), asked, asked.pixels is not None, unreachable)
