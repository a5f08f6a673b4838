"""class HashIndex: the one door for the command line, the daemon and other programs. Returns values and never prints.

Each method imports the modules that only it needs: so the other commands start faster.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from hashindex.core.arguments import at_least, checked, do_nothing, instance_of, never
from hashindex.core.deduping import Deduped, DedupeOptions, DedupePlan, Removal
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import (
    Answer,
    Cache,
    Decision,
    File,
    Finding,
    Forgotten,
    Group,
    NumberedDecision,
    Problem,
    Progress,
    ReportSummary,
    Said,
    ScanSummary,
    Status,
    Totals,
)
from hashindex.core.name_template import DEFAULT_NAME, Naming
from hashindex.core.options import DEFAULT_HASH, Level, Limits, ScanOptions
from hashindex.core.organizing import Action, Batch, Organized, Outcome, PlaceOptions, Plan, Step
from hashindex.core.paths import PathLike, Paths, paths_bytes
from hashindex.core.reviewing import GroupDetail, ReviewChange, ReviewedContent, ReviewKind
from hashindex.core.settings import default_catalogue_path
from hashindex.core.tags import TagCount, TagRule, parted, tag_named
from hashindex.core.tags import to_lines as tag_lines
from hashindex.core.watch_events import WatchEvent
from hashindex.core.words import FoundPicture, PictureWords, ReadPicture, ReadSummary, WordCounts
from hashindex.disk import files
from hashindex.store.access import Access
from hashindex.store.catalogue import Catalogue

if TYPE_CHECKING:
    from hashindex.core.explanation import Calibration, Explanation
    from hashindex.core.messages import Verdict
    from hashindex.index.executor import ScanExecutor
    from hashindex.index.grouping import Grouping, GroupingArguments
    from hashindex.index.groups import Grouped
    from hashindex.index.query import Searcher
    from hashindex.index.selection import Selection
    from hashindex.pictures.in_memory import PictureInMemory
    from hashindex.store.standings import Standing
    from hashindex.watch.daemon import WatchOptions


@checked
class HashIndex:
    """A persistent index of pictures by what they look like.

    Each method opens the catalogue and closes it again, so a HashIndex may be kept and used beside other processes.
    The first query starts a process that opens pictures, and the second loads the keys of its hash into memory (8 or
    32 bytes a picture) until they change. close ends the process and frees the keys, as does `with HashIndex() as
    index:`. Errors are subclasses of HashIndexError whose text is a sentence for the user: CatalogueMissing before the
    first scan, which makes the catalogue; CatalogueLocked after wait_s; and the errors that each method names. Some
    methods start worker processes: a script needs `if __name__ == "__main__":`, as for multiprocessing.
    """

    def __init__(
        self,
        catalogue: PathLike | None = None,
        *,
        wait_s: float = 30.0,
        on_notice: Callable[[str], None] = do_nothing,
    ) -> None:
        """catalogue: path of the SQLite file; None is HASHINDEX_CATALOGUE or the user's data folder.

        A method that writes sets a damaged catalogue aside, calls on_notice with a sentence that says so, and goes on
        with a new catalogue that holds what could be rescued. A method that only reads raises CatalogueDamaged.
        """
        at_least(0, wait_s=wait_s)
        self.path = default_catalogue_path() if catalogue is None else _own_file(catalogue)
        self._access = Access(self.path, wait_s, on_notice)
        self._searcher: Searcher | None = None

    def close(self) -> None:
        """Ends the process that query started, and frees the keys. Later calls start and load them again."""
        if self._searcher is not None:
            self._searcher.close()
            self._searcher = None

    def __enter__(self) -> "HashIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"HashIndex({str(self.path)!r})"

    def scan(
        self,
        roots: Paths = (),
        options: ScanOptions = ScanOptions(),  # noqa: B008 - frozen
        *,
        executor: "Executor | ScanExecutor | None" = None,
        on_problem: Callable[[Problem], None] = do_nothing,
        on_progress: Callable[[Progress], None] = do_nothing,
    ) -> ScanSummary:
        """Updates the catalogue from one folder or several, or from all folders scanned before if none are given.

        UsageError for a new folder that does not exist. A known folder that cannot be reached is reported as a problem,
        and its files stay as they are. After KeyboardInterrupt everything read so far is kept. executor: where
        files are read and pairs judged: a DaskExecutor, or any executor of concurrent.futures whose workers can read
        the same paths. An unchanged file costs one stat.
        """
        folders = paths_bytes(roots)
        tries = 0

        def run() -> ScanSummary:
            nonlocal tries
            tries += 1
            # The second try has a new catalogue: to fill it, the folders of the old one are scanned too.
            return self._scan(folders, options, executor, on_problem, on_progress, and_known=tries > 1)

        return self._access.with_recovery(run)

    def _scan(
        self,
        roots: Sequence[bytes],
        options: ScanOptions,
        executor: "Executor | ScanExecutor | None",
        on_problem: Callable[[Problem], None],
        on_progress: Callable[[Progress], None],
        *,
        and_known: bool,
    ) -> ScanSummary:
        from hashindex.disk.roots import new_root, root_named
        from hashindex.index.executor import ScanExecutor
        from hashindex.index.find import index_words
        from hashindex.index.judge_new import keep_relations
        from hashindex.index.local_executor import GivenExecutor
        from hashindex.index.scan import NO_ROOTS, scan

        def check() -> None:
            """Raises UsageError before a catalogue is made for nothing."""
            if not roots:
                raise UsageError(NO_ROOTS)
            for root in roots:
                new_root(root)

        if executor is not None and not isinstance(executor, ScanExecutor):
            executor = GivenExecutor(instance_of(Executor, executor=executor))
        waiting = Progress(0, 0, 0, walking=False, waiting=True)
        with self._access.writing(create=check, on_wait=lambda: on_progress(waiting)) as catalogue:
            known = {root.path for root in catalogue.roots()}
            folders = [root_named(root, known) for root in roots]
            if and_known:
                folders = sorted(known.union(folders))
            summary = scan(
                catalogue, folders, options, executor=executor, on_problem=on_problem, on_progress=on_progress
            )
            done = Progress(summary.files, summary.digested, summary.digested, walking=False, comparing=True)

            def judged(compared: Progress) -> None:
                on_progress(done._replace(judged=compared.judged, to_judge=compared.to_judge))

            keep_relations(catalogue, options.limits, workers=options.workers, executor=executor, on_progress=judged)
            if catalogue.word_index.is_available():
                index_words(catalogue)
            return summary

    def read(
        self,
        folders: Paths = (),
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        workers: int | None = None,
        on_read: Callable[[ReadPicture], None] = do_nothing,
        on_problem: Callable[[Problem], None] = do_nothing,
        on_progress: Callable[[int, int], None] = do_nothing,
    ) -> ReadSummary:
        """Reads the words of the pictures in or below these scanned folders, or of all, which were not read yet.

        Needs the extra `text`. Each content is read once; copies take the words of a larger copy. Pictures are read by
        worker processes of low priority, 0.1 to 0.3 s each. After KeyboardInterrupt everything read so far is kept.
        on_read: called for each picture that was read. on_progress: pictures done, and all. UsageError if the extra is
        not installed, one of its models is missing or damaged, or a folder does not exist.
        """
        from hashindex.disk.roots import root_named
        from hashindex.index.read_words import in_workers, read_words
        from hashindex.pictures.text_engine import installed_models

        at_least(1, workers=workers)
        models = installed_models()

        def run() -> ReadSummary:
            with self._access.writing() as catalogue:
                known = {root.path for root in catalogue.roots()}
                places = [root_named(folder, known) for folder in paths_bytes(folders)]
                return read_words(
                    catalogue,
                    models,
                    in_workers(models, limits, workers),
                    folders=places,
                    on_read=on_read,
                    on_problem=on_problem,
                    on_progress=on_progress,
                )

        return self._access.with_recovery(run)

    def check_reader(self) -> None:
        """Raises the UsageError of read if it cannot read words on this machine. About 60 ms."""
        from hashindex.pictures.text_engine import installed_models

        installed_models()

    def caches(self) -> list[Cache]:
        """The caches of chat clients on this machine, client by client, found by the layout of their folders.

        File counts are rough for very large caches: counting stops after a few seconds. Needs no catalogue.
        """
        from hashindex.clients.caches import caches

        return caches()

    def client_roots(self, clients: str | Sequence[str]) -> list[str]:
        """The picture folders of one client or several on this machine, for scan and watch.

        Clients are "qq", "tim", "wechat", "discord" and "telegram". UsageError for an unknown client, or one without a
        folder here.
        """
        from hashindex.clients.caches import roots_of

        return list(map(os.fsdecode, roots_of([clients] if isinstance(clients, str) else clients)))

    def doctor(self) -> list[Finding]:
        """Problems of this machine and of the catalogue, each with the way out. Changes nothing.

        Reads the whole catalogue once. Raises no HashIndexError: a damaged catalogue is a finding.
        """
        from hashindex.care.doctor import diagnose
        from hashindex.clients.caches import caches

        return diagnose(self.path, self._access.wait_s, caches(count=False))

    def check(
        self,
        *,
        full: bool = False,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        workers: int | None = None,
        on_progress: Callable[[int, int], None] = do_nothing,
    ) -> list[Finding]:
        """Checks the catalogue, and compares it with the disk. Each finding names the way out.

        Checks pages, references, packed hashes, and the digests and hashes of a random sample of
        files; with full, of all files. Pictures are decoded by worker processes within limits; a picture that crashes
        its decoder is a finding. on_progress: files read, and all. CatalogueDamaged if the catalogue cannot be queried
        at all. Takes some seconds; full takes as long as a first scan.
        """
        from hashindex.care.check import check

        at_least(1, workers=workers)
        with self._access.reading() as catalogue:
            return list(check(catalogue, full=full, limits=limits, workers=workers, on_progress=on_progress))

    def backup(self, file: PathLike) -> int:
        """Copies the catalogue as it is now into a new file, while others may write. Returns the size in bytes.

        UsageError if the file exists, CatalogueUnwritable if the disk refuses it.
        """
        from hashindex.store.backup import back_up

        with self._access.reading() as catalogue:
            return back_up(catalogue, _own_file(file))

    def groups(
        self,
        grouping: "Grouping | None" = None,
        *,
        selection: "Selection | None" = None,
        on_progress: Callable[[Progress], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> list[Group]:
        """Groups of two or more present files that belong together.

        Files of equal bytes always belong together. selection: which groups, in which order; None for all, ordered by
        their lowest path. A group has the same number with and without a selection. The fields of Grouping may be given
        one by one instead, as in groups(level="similar"). Before answering, judges the pairs that no scan has judged,
        calling on_progress; after it, saves the new verdicts if the catalogue can be written. UsageError for unknown or
        contradictory options.
        """
        from hashindex.index.catch_up import answered
        from hashindex.index.groups import groups_of

        chosen = _chosen(grouping, how)

        def ask(catalogue: Catalogue) -> "Grouped":
            return groups_of(catalogue, chosen, on_progress)

        groups = answered(self._access, chosen, ask, on_progress)
        if selection is None:
            return groups
        from hashindex.index.selection import Selection, selected

        return selected(groups, instance_of(Selection, selection=selection))

    def totals(
        self,
        grouping: "Grouping | None" = None,
        *,
        on_progress: Callable[[Progress], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> Totals:
        """What the groups come to. The arguments are those of groups.

        Costs less than groups, since the copies of a group are not compared to find the best.
        """
        from hashindex.index.catch_up import answered
        from hashindex.index.groups import totals_of

        chosen = _chosen(grouping, how)

        def ask(catalogue: Catalogue) -> "tuple[Totals, list[Verdict], list[Standing]]":
            return *totals_of(catalogue, chosen, on_progress), []

        return answered(self._access, chosen, ask, on_progress)

    def file(self, path: PathLike) -> File | None:
        """The file at this path as the catalogue knows it, present or missing; None if no scan found a picture there.

        Links in the folders of the path are resolved; the last part may be a link too.
        """
        from hashindex.index.selection import paths_of

        with self._access.reading() as catalogue:
            return next(filter(None, map(catalogue.file_at, paths_of(path))), None)

    def files(self, under: PathLike | None = None, *, missing: bool = False) -> Iterator[File]:
        """Every picture of the catalogue, or below a folder, ordered by folder and name.

        missing: also pictures that are gone. The catalogue is read as the iterator proceeds: a million files take
        seconds and little memory.
        """
        folder = None if under is None else files.real_path(under)

        def found() -> Iterator[File]:
            with self._access.reading() as catalogue, catalogue.as_of_now():
                yield from catalogue.files_below(folder, missing=missing)

        return found()

    def query(
        self,
        image: "PathLike | PictureInMemory | None" = None,
        *,
        data: bytes | None = None,
        hash: str = DEFAULT_HASH,
        radius: int | None = None,
        limit: int | None = 10,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        mirrored: bool = False,
        rotated: bool = False,
        family: bool = False,
    ) -> Answer:
        """Files of the catalogue that look like a picture, the most similar first; also files that are gone.

        image: a path, an Image of Pillow or an array of NumPy: rows, columns and 1, 3 or 4 channels (grey, RGB or RGBA)
        of uint8. Instead of it, data: the bytes of a picture file. The file at the path is no hit. radius: most bits of
        hash between the two pictures; None is QUERY_RADIUS. mirrored, rotated: also compares with the mirror
        image, or with quarter turns. family: also returns thumbnails and unfinished downloads of pictures that are
        present. UnreadablePicture if the picture cannot be read or decoded, UsageError as in groups.
        """
        from hashindex.hashing import recipes
        from hashindex.index.grouping import radius_in_range, turns_of
        from hashindex.index.query import QUERY_RADIUS, QuerySpec, ask
        from hashindex.pictures import in_memory
        from hashindex.pictures.read_picture import read_picture

        if (image is None) == (data is None):
            raise UsageError(Message("query takes a picture as image, or the bytes of its file as data."))
        at_least(1, limit=limit)
        recipe = recipes.recipe_named(hash)
        radius = radius_in_range(QUERY_RADIUS[hash] if radius is None else radius, recipe)
        name: str = Message("The picture")
        itself = None
        if isinstance(image, str | bytes | os.PathLike):
            name, itself = os.fsdecode(image), files.absolute(image)
        elif image is not None:
            data = in_memory.png_of(image)
        with self._access.reading() as catalogue:
            if itself is not None:
                data = read_picture(itself, name, limits)
            turns = turns_of(mirrored, rotated)
            spec = QuerySpec(data or b"", name, itself, recipe, radius, limit, turns, family)
            return ask(catalogue, self._kept_searcher(), spec, limits)

    def find(
        self,
        words: str,
        *,
        limit: int | None = 20,
        under: PathLike | None = None,
        on_indexed: Callable[[int, int], None] = do_nothing,
    ) -> list[FoundPicture]:
        """Pictures with these words in their text, their tags or their file names, the best first.

        words: separated by blanks; each is a word, a part of one, or a phrase without blanks. Width, case, punctuation
        and traditional or simplified signs do not count. Pictures with all words come first, then those in which a
        letter of a word must be forgiven; if there are none, those with some of the words. A picture is found once,
        with its present copies. under: only pictures with a file below this folder, which is then the one shown.
        on_indexed: contents whose words were indexed, and all, if there are many new ones. UsageError if there is no
        word. About 0.1 s at 100,000 pictures (benchmarks/find.py).
        """
        from hashindex.index.find import find

        at_least(1, limit=limit)
        folder = None if under is None else files.real_path(under)
        return find(self._access, words, limit, folder, on_indexed)

    def words_of(self, files: Iterable[File]) -> dict[int, PictureWords]:
        """The recognised text and the tags of files, by the id of their content; without those that have none."""
        from hashindex.index.words import words_of_files

        with self._access.reading() as catalogue:
            return words_of_files(catalogue, files)

    def word_counts(self) -> WordCounts:
        """Counts of present pictures, and of those whose text was read."""
        with self._access.reading() as catalogue:
            return catalogue.words.counts()

    def explain(
        self,
        a: "PathLike | PictureInMemory",
        b: "PathLike | PictureInMemory",
        *,
        mirrored: bool = False,
        rotated: bool = False,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> "Explanation":
        """How two pictures are related, with all the evidence.

        Each is a path, an Image or an array, as for query. No catalogue is needed. If there is one, the user's
        decisions count, and a file that is gone is compared by its stored signature. mirrored, rotated: also tries the
        mirror image of a, or its quarter turns, and reports which one fits. UnreadablePicture if either cannot be
        compared. About 0.1 s.
        """
        from hashindex.index.explain import explain, read
        from hashindex.index.grouping import turns_of
        from hashindex.pictures import in_memory
        from hashindex.pictures.isolated_worker import IsolatedWorker

        with ExitStack() as stack:
            # The judge reads files, in another process.
            paths = [
                files.absolute(each)
                if isinstance(each, str | bytes | os.PathLike)
                else stack.enter_context(in_memory.as_file(each))
                for each in (a, b)
            ]
            catalogue = stack.enter_context(self._access.reading()) if self.path.exists() else None
            worker = stack.enter_context(IsolatedWorker(limits))
            one, other = (read(catalogue, path, worker) for path in paths)
            found = explain(catalogue, one, other, turns_of(mirrored, rotated), worker)
            sides = [
                side if isinstance(each, str | bytes | os.PathLike) else side._replace(path_bytes=b"")
                for each, side in zip((a, b), (found.a, found.b), strict=True)
            ]
            return found._replace(a=sides[0], b=sides[1])

    def calibrate(
        self,
        labels: PathLike | None = None,
        *,
        folder: PathLike | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        on_progress: Callable[[int, int], None] = do_nothing,
    ) -> "Calibration":
        """How well each hash at each radius, and each level, does on labelled pairs.

        The pairs are the decisions in the catalogue and those of labels, a file of tab-separated columns (see
        calibrate.read_labels). folder: base of the relative paths in labels; None is the folder of that file.
        on_progress: pairs done, and all. UsageError if there are no labels, or labels is malformed. 5 to 10 ms a pair.
        """
        from hashindex.index.calibrate import calibrate

        file = None if labels is None else files.absolute(labels)
        place = None if folder is None else files.absolute(folder)
        with self._access.reading() if self.path.exists() else nullcontext() as catalogue:
            return calibrate(catalogue, file, place, limits, on_progress)

    def plan(
        self,
        dest: PathLike,
        *,
        action: Action = Action.COPY,
        rest: bool = False,
        keepers: bool = False,
        again: bool = False,
        name: str = DEFAULT_NAME,
        folder: str = "",
        grouping: "Grouping | None" = None,
        on_progress: Callable[[Progress], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> Plan:
        """What organize would do with all present pictures outside destinations. Changes nothing.

        Each group gets a number, counting on from the last number in dest. rest: each ungrouped picture gets a number
        too. keepers: only the keeper of each group is placed, and nothing in a group that has a picture in dest. again:
        also places pictures that were placed before and are gone from dest. name, folder: templates, see Naming; {date}
        reads each new picture. The other arguments are those of groups. See plan.make_plan. UsageError if dest is a
        root, contains one, or is no folder, or if a template is not valid.
        """
        from hashindex.organize.organize import action_named, plan

        chosen = _chosen(grouping, how)
        options = PlaceOptions(rest, keepers, again, Naming(name, folder))
        return plan(self._access, dest, action_named(action), chosen, options, on_progress=on_progress)

    def organize(
        self,
        dest: PathLike,
        *,
        action: Action = Action.COPY,
        rest: bool = False,
        keepers: bool = False,
        again: bool = False,
        name: str = DEFAULT_NAME,
        folder: str = "",
        grouping: "Grouping | None" = None,
        from_client_cache: bool = False,
        stop: Callable[[], bool] = never,
        on_step: Callable[[Step], None] = do_nothing,
        on_progress: Callable[[Progress], None] = do_nothing,
        on_placed: Callable[[int, int], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> Organized:
        """Makes a plan and carries it out, as one batch that undo can reverse. First completes interrupted batches.

        stop is called before each file; True ends the batch. on_step is called for each placed file. on_progress: the
        judging of pairs that may come first. on_placed: steps done, and all. The other arguments are those of plan.
        Raises the errors of plan; UsageError, and places nothing, if the disk is too full, or if it would move files
        out of a chat client's folders without from_client_cache; CatalogueLocked while another batch runs.
        """
        from hashindex.organize.organize import action_named, organize

        return organize(
            self._access,
            dest,
            action_named(action),
            _chosen(grouping, how),
            PlaceOptions(rest, keepers, again, Naming(name, folder)),
            from_client_cache=from_client_cache,
            stop=stop,
            on_step=on_step,
            on_progress=on_progress,
            on_placed=on_placed,
        )

    def plan_dedupe(
        self,
        options: DedupeOptions = DedupeOptions(),  # noqa: B008 - frozen
        *,
        grouping: "Grouping | None" = None,
        on_progress: Callable[[Progress], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> DedupePlan:
        """Which copies dedupe would remove, and why others are left. Changes nothing.

        A copy is removed only if the judge compared it with the picture that is kept, at the full scale of the smaller
        one, and that picture is at least as good in everything that the rule "best" knows. Other arguments are those
        of groups, whose level must be copies. UsageError for folders that do not exist or are not scanned.
        """
        from hashindex.organize.dedupe import plan

        return plan(self._access, options, _chosen(grouping, how), on_progress)

    def dedupe(
        self,
        options: DedupeOptions = DedupeOptions(),  # noqa: B008 - frozen
        *,
        grouping: "Grouping | None" = None,
        stop: Callable[[], bool] = never,
        on_removed: Callable[[Removal], None] = do_nothing,
        on_progress: Callable[[Progress], None] = do_nothing,
        on_step: Callable[[int, int], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> Deduped:
        """Makes a plan and carries it out, as one batch that undo can reverse. First completes interrupted batches.

        Removed copies go to the trash or to a folder; nothing is deleted. Both files are read again just before each
        removal. stop is called before each file; True ends the batch. on_removed is called for each removed copy.
        on_progress: the judging of pairs that may come first. on_step: steps done, and all. Raises the errors of
        plan_dedupe; UsageError if the folder has too little space; CatalogueLocked while another batch runs.
        """
        from hashindex.organize.dedupe import dedupe

        return dedupe(
            self._access,
            options,
            _chosen(grouping, how),
            stop=stop,
            on_removed=on_removed,
            on_progress=on_progress,
            on_step=on_step,
        )

    def group_details(
        self,
        digests: Sequence[bytes],
        grouping: "Grouping | None" = None,
        *,
        on_progress: Callable[[Progress], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> list[GroupDetail]:
        """The groups around pictures, as groups finds them among all, and what dedupe would do with each.

        digests: of the pictures. A group is found if it has one of them, or if another decision could bring one of them
        into it. Their numbers count these groups only. Arguments as those of groups; the level must not be radius.
        Cost: by the number of members, not of pictures in the catalogue. Starts the process that query uses, if some
        pictures must be compared first.
        """
        from hashindex.organize.dedupe import details

        chosen = _chosen(grouping, how)
        worker = self._kept_searcher().worker(chosen.limits)
        return details(self._access, digests, chosen, worker, on_progress)

    def chances(self, groups: Sequence[Group]) -> list[tuple[float | None, ...]]:
        """For each member of each group, the judge's chance that it is a copy of the keeper; None if unknown."""
        from hashindex.index.chances import chances_of

        with self._access.reading() as catalogue:
            return chances_of(catalogue, groups)

    def seen_since(self, first_seen_ns: int) -> set[bytes]:
        """Paths of the present pictures that a scan has first seen at this time or later. Reads every row of a file."""
        with self._access.reading() as catalogue:
            return catalogue.seen_since(first_seen_ns)

    def review(
        self, level: Level, members: Sequence[File], kind: ReviewKind, chosen: Sequence[File] = ()
    ) -> ReviewChange:
        """Records the user's decision on a group, by content, and that the group was reviewed.

        members: the files of the group. chosen: those that the decision is about. SAME, SEPARATE: as same and
        separate; with some of the members, these are separate from the other ones. KEPT: the only chosen one is the
        keeper of the group, whatever the rules say, and the others may be removed for it. SKIPPED: nothing more.
        UsageError for a wrong number of pictures.
        """
        from hashindex.index.reviews import review

        def run() -> ReviewChange:
            with self._access.writing() as catalogue:
                return review(catalogue, level, members, kind, chosen)

        return self._access.with_recovery(run)

    def undo_review(self, change: ReviewChange) -> None:
        """Undoes what review changed. UsageError, and nothing is undone, if a later decision changed it."""
        from hashindex.index.reviews import undo_review

        def run() -> None:
            with self._access.writing() as catalogue:
                undo_review(catalogue, change)

        self._access.with_recovery(run)

    def reviewed(self, level: Level) -> dict[bytes, ReviewedContent]:
        """The contents of groups that were reviewed at a level, by digest."""
        with self._access.reading() as catalogue:
            return catalogue.reviews.reviewed(level)

    def versions(self) -> Iterator[int]:
        """Yields, each time it is asked, a number that changes when another connection writes to the catalogue.

        Keeps the catalogue open for reading; it must be used in one thread. 10 us.
        """
        with self._access.reading() as catalogue:
            while True:
                yield catalogue.data_version()

    def same(self, *pictures: PathLike, limits: Limits = Limits()) -> Said:  # noqa: B008 - frozen
        """Records the user's decision that these files show one picture. It overrides the judge.

        Stored by content, so it holds for every file of the same bytes, wherever it is and whatever its name. It is
        transitive: a picture that is the same as one of them is the same as all. A later decision on the same two
        pictures replaces it. UnreadablePicture if a file is no picture, cannot be read or is larger than limits.bytes;
        UsageError if all have the same bytes.
        """
        return self._decide(pictures, limits, same=True)

    def separate(self, *pictures: PathLike, limits: Limits = Limits()) -> Said:  # noqa: B008 - frozen
        """Records the decision that no two of these files belong together: no group holds two of them. See same.

        UsageError also for more than decisions.MOST_SEPARATE files.
        """
        return self._decide(pictures, limits, same=False)

    def withdraw(self, *pictures: PathLike, same: bool, limits: Limits = Limits()) -> int:  # noqa: B008 - frozen
        """Withdraws the decisions of same (or of separate) among these files; returns how many pairs that were.

        After same on more pictures than are named here, the others stay the same.
        """
        from hashindex.index.decisions import take_back

        digests = _digests_of(pictures, limits)

        def run() -> int:
            with self._access.writing() as catalogue:
                return take_back(catalogue, digests, same=same)

        return self._access.with_recovery(run)

    def _kept_searcher(self) -> "Searcher":
        """The searcher, whose process and keys are used again by the next call."""
        from hashindex.index.query import Searcher

        self._searcher = self._searcher or Searcher()
        return self._searcher

    def _decide(self, pictures: Sequence[PathLike], limits: Limits, *, same: bool) -> Said:
        from hashindex.index.decisions import say

        digests = _digests_of(pictures, limits)

        def run() -> Said:
            with self._access.writing() as catalogue:
                return say(catalogue, digests, same=same)

        return self._access.with_recovery(run)

    def tag(self, tags: str | Sequence[str], pictures: Paths, *, limits: Limits = Limits()) -> int:  # noqa: B008 - frozen
        """Gives one picture or several a tag, or several. Returns how many tags were new to a picture.

        Kept by content like decisions: a tag holds for every file of the same bytes, wherever it is. UsageError for a
        tag that is not valid (see tags.tag_named), UnreadablePicture as in same.
        """
        named, digests = _tags(tags), _digests_of(paths_bytes(pictures), limits)

        def run() -> int:
            with self._access.writing() as catalogue, catalogue.atomic():
                return catalogue.words.tag(digests, named, time.time_ns())

        return self._access.with_recovery(run)

    def untag(self, tags: str | Sequence[str], pictures: Paths, *, limits: Limits = Limits()) -> int:  # noqa: B008 - frozen
        """Takes these tags from these pictures. Returns how many tags were taken from a picture. See tag.

        No rule gives such a tag to the picture again.
        """
        named, digests = _tags(tags), _digests_of(paths_bytes(pictures), limits)

        def run() -> int:
            with self._access.writing() as catalogue, catalogue.atomic():
                return catalogue.words.untag(digests, named, time.time_ns())

        return self._access.with_recovery(run)

    def tag_by_rules(self, rules: Sequence[TagRule]) -> int:
        """Gives pictures the tags that rules name (see tags.tag_rule). Returns how many tags were new to a picture.

        A tag that untag took from a picture is not given to it again.
        """
        from hashindex.index.tagging import tag_by_rules

        def run() -> int:
            with self._access.writing() as catalogue:
                return tag_by_rules(catalogue, rules)

        return self._access.with_recovery(run)

    def tags(self) -> list[TagCount]:
        """Every tag, by name, with the number of present pictures that have it."""
        with self._access.reading() as catalogue:
            return catalogue.words.tag_counts()

    def tags_of(self, pictures: Paths, *, limits: Limits = Limits()) -> list[list[str]]:  # noqa: B008 - frozen
        """The tags of each of these pictures, by name. UnreadablePicture as in same."""
        digests = _digests_of(paths_bytes(pictures), limits)
        with self._access.reading() as catalogue:
            found = catalogue.words.tags_of(digests)
        return [found.get(digest, []) for digest in digests]

    def decisions(self) -> list[Decision]:
        """All decisions of same and separate, the oldest first."""
        with self._access.reading() as catalogue:
            return catalogue.verdicts.decisions()

    def numbered_decisions(self) -> list[NumberedDecision]:
        """The decisions of same and separate with the files of their pictures, the oldest first."""
        from hashindex.index.decisions import numbered

        with self._access.reading() as catalogue, catalogue.as_of_now():
            return numbered(catalogue)

    def withdraw_numbered(self, numbers: int | Sequence[int]) -> list[NumberedDecision]:
        """Withdraws the decisions of one number or several of numbered_decisions, and returns them.

        UsageError, and nothing is withdrawn, if there is no decision of a number.
        """
        from hashindex.index.decisions import take_back_numbered

        wanted = [numbers] if isinstance(numbers, int) else numbers

        def run() -> list[NumberedDecision]:
            with self._access.writing() as catalogue:
                return take_back_numbered(catalogue, wanted)

        return self._access.with_recovery(run)

    def roots(self) -> list[str]:
        """The folders that are scanned, by path."""
        with self._access.reading() as catalogue:
            return [os.fsdecode(root.path) for root in catalogue.roots()]

    def add_decisions(self, decisions: Sequence[Decision]) -> None:
        """Adds decisions of another catalogue. Of two on the same pair of contents the later one stays."""
        from hashindex.index.decisions import add

        def run() -> None:
            with self._access.writing() as catalogue:
                add(catalogue, decisions)

        self._access.with_recovery(run)

    def export_decisions(self) -> list[str]:
        """All decisions and tags as JSON lines, for import_decisions of another catalogue."""
        from hashindex.index.decisions import to_lines

        with self._access.reading() as catalogue:
            return [*to_lines(catalogue.verdicts.decisions()), *tag_lines(catalogue.words.taggings())]

    def import_decisions(self, lines: Iterable[str], *, name: str = Message("The text")) -> int:
        """Adds the decisions and tags in lines of export_decisions; returns their number. See add_decisions.

        Of two decisions on a tag of a picture the later one stays. UsageError for a malformed line, with its number
        and name, and nothing is added.
        """
        from hashindex.index.decisions import add, from_lines

        taggings, others = parted(lines)
        decisions = from_lines(others, name)

        def run() -> None:
            with self._access.writing() as catalogue:
                add(catalogue, decisions)
                with catalogue.atomic():
                    catalogue.words.put_taggings(taggings)

        self._access.with_recovery(run)
        return len(decisions) + len(taggings)

    def report(
        self,
        file: PathLike,
        *,
        contact_sheet: PathLike | None = None,
        grouping: "Grouping | None" = None,
        selection: "Selection | None" = None,
        on_progress: Callable[[Progress], None] = do_nothing,
        on_thumbnail: Callable[[int, int], None] = do_nothing,
        **how: "Unpack[GroupingArguments]",
    ) -> list[ReportSummary]:
        """Writes the groups as one HTML page with thumbnails, and on request as PNGs. Returns one summary per file.

        contact_sheet: of the first PNG; more than 20 groups go on sheets with -2, -3, ... at the end of their names.
        Replaces only its own earlier files: UsageError if file or contact_sheet is another file. grouping, selection,
        on_progress and the other arguments are those of groups. on_thumbnail: thumbnails done, and all, for each file.
        """
        from hashindex.index.selection import Selection
        from hashindex.output.contact_sheet import write_contact_sheets
        from hashindex.output.report import check_page, write_report

        page = _own_file(file)
        check_page(page)
        chosen = _chosen(grouping, how)
        selection = selection or Selection()
        groups = self.groups(chosen, selection=selection, on_progress=on_progress)
        limits, workers, sort = chosen.limits, chosen.workers, selection.sort
        words = self.words_of(member.file for group in groups for member in group.members)
        written = [
            write_report(groups, page, limits=limits, sort=sort, workers=workers, words=words, on_progress=on_thumbnail)
        ]
        if contact_sheet is not None:
            sheet = _own_file(contact_sheet)
            written += write_contact_sheets(groups, sheet, limits=limits, workers=workers, on_progress=on_thumbnail)
        return written

    def undo(
        self,
        batch: int | None = None,
        *,
        stop: Callable[[], bool] = never,
        on_progress: Callable[[int, int], None] = do_nothing,
    ) -> Outcome:
        """Reverses a batch, its last step first; None is the last batch that has a step to reverse.

        A file that has changed since is left and reported as refused; the others go on. on_progress: steps done, and
        all. UsageError if there is nothing to undo.
        """
        from hashindex.organize.organize import undo

        return undo(self._access, batch, stop, on_progress)

    def history(self) -> list[Batch]:
        """Every batch of organize and dedupe, oldest first."""
        from hashindex.store.journal import Journal

        with self._access.reading() as catalogue:
            return Journal(catalogue).batches()

    def destinations(self) -> list[str]:
        """The folders in which organize placed pictures, or into which dedupe moved copies."""
        with self._access.reading() as catalogue:
            return list(map(os.fsdecode, catalogue.destinations()))

    def recover(self) -> list[Batch]:
        """Completes the batches that a killed run left open, by the state of the disk; returns them as they are then.

        Each organize and undo does this first. Never removes the last copy of a content.
        """
        from hashindex.organize.organize import recover

        return recover(self._access)

    def status(self) -> Status:
        """Counts by state and format. Takes 1.4 s at a million files, longer while hashes are outdated."""
        from hashindex.index.status import status_of

        with self._access.reading() as catalogue:
            return status_of(catalogue)

    def watch(
        self,
        roots: Paths = (),
        options: "WatchOptions | None" = None,
        *,
        stop: Callable[[], bool] = never,
    ) -> Iterator[WatchEvent]:
        """Keeps the catalogue up to date while pictures come and go, and yields what happens.

            for event in index.watch("~/Pictures"):
                print(event.kind, event.path)

        roots: one folder or several; if there are none, those of options, or else all folders scanned before. Ends when
        stop returns True, which is asked at least twice a second, or when the loop is left. CatalogueLocked if another
        process watches, UsageError if there is no folder. Runs in a thread; a slow loop delays no reading.
        """
        from hashindex.watch.daemon import WatchOptions
        from hashindex.watch.event_stream import events_of

        options = WatchOptions() if options is None else instance_of(WatchOptions, options=options)
        folders = paths_bytes(roots)
        return events_of(self.path, replace(options, roots=folders) if folders else options, stop)

    def problems(self) -> list[Problem]:
        """Every root, folder and present file that could not be indexed, with the reason, by path."""
        with self._access.reading() as catalogue:
            return catalogue.problems()

    def forget(self, path: PathLike) -> Forgotten:
        """Removes a file, a folder or a root from the catalogue. Touches no file of the user.

        UsageError if the catalogue has nothing at that path.
        """
        absolute = files.absolute(path)

        def run() -> Forgotten:
            with self._access.writing() as catalogue, catalogue.atomic():
                found = catalogue.forget(absolute)
                return found if any(found) else catalogue.forget(os.path.realpath(absolute))

        forgotten = self._access.with_recovery(run)
        if not any(forgotten):
            raise UsageError(
                Message("The catalogue knows nothing at {path}; see hashindex status.", path=os.fsdecode(absolute))
            )
        return forgotten


def _own_file(path: PathLike) -> Path:
    """A file that this program writes; ~ is the home folder."""
    return Path(os.fsdecode(files.expanded(path)))


def _digests_of(pictures: Sequence[PathLike], limits: Limits) -> list[bytes]:
    from hashindex.pictures.examine import digest_of
    from hashindex.pictures.formats import unmasked
    from hashindex.pictures.read_picture import read_picture

    return [
        digest_of(unmasked(read_picture(files.absolute(picture), os.fsdecode(picture), limits))) for picture in pictures
    ]


def _tags(given: str | Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(tag_named, [given] if isinstance(given, str) else given)))


def _chosen(grouping: "Grouping | None", how: "GroupingArguments") -> "Grouping":
    from hashindex.index.grouping import Grouping

    if grouping is None:
        return Grouping(**how)  # type: ignore[arg-type]
    if how:
        raise UsageError(Message("Give a Grouping, or {options}; not both.", options=", ".join(how)))
    return instance_of(Grouping, grouping=grouping)
