"""class HashIndex: what the command line, a daemon and other programs share. Returns model values, never prints.

What decodes pictures (scan, query) or moves them (organize) is imported where it is used: the others start twice as
fast without it.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from hashindex.core.errors import UsageError
from hashindex.core.explanation import Calibration, Explanation
from hashindex.core.messages import Verdict
from hashindex.core.model import (
    Answer,
    Cache,
    Decision,
    Finding,
    Forgotten,
    Group,
    Problem,
    Progress,
    Said,
    ScanSummary,
    Status,
)
from hashindex.core.options import Limits, ScanOptions
from hashindex.core.organizing import Action, Batch, Organized, Outcome, Plan, Step
from hashindex.core.settings import default_catalogue_path
from hashindex.disk import files
from hashindex.disk.roots import new_root, root_named
from hashindex.hashing import recipes
from hashindex.index.catch_up import answered, asking
from hashindex.index.grouping import DEFAULT_HASH, Grouping, GroupingArguments, radius_in_range, turns_of
from hashindex.index.groups import groups_of
from hashindex.index.judge_new import keep_relations
from hashindex.index.neighbours import keep_neighbours
from hashindex.store.access import Access
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal

if TYPE_CHECKING:
    from hashindex.index.query import Searcher

PathLike = str | bytes | os.PathLike[str]


class HashIndex:
    """A persistent index of pictures by what they look like.

    Each method opens the catalogue for itself, so one HashIndex may be kept for long and used beside other
    processes. From the first query on it keeps a process that opens pictures, and from the second on the keys of that
    hash in memory (8 or 32 bytes a picture) until they change; close ends both, as does `with HashIndex() as index:`.
    All raise HashIndexError's children with a sentence for the person: CatalogueMissing until the first scan (which
    makes the catalogue), CatalogueLocked after wait_s, and what each method names. Scanning starts worker processes: a
    script that calls it needs the `if __name__ == "__main__":` that multiprocessing asks for.
    """

    def __init__(
        self,
        catalogue: str | os.PathLike[str] | None = None,
        *,
        wait_s: float = 30.0,
        on_notice: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """catalogue: path of the SQLite file; None is HASHINDEX_CATALOGUE or the user's data folder.

        on_notice: hears, in a sentence, that a damaged catalogue was set aside. What writes does that, and goes on with
        a new one that holds what could be rescued; what only reads raises CatalogueDamaged.
        """
        self.path = Path(catalogue) if catalogue is not None else default_catalogue_path()
        self._access = Access(self.path, wait_s, on_notice)
        self._searcher: Searcher | None = None

    def close(self) -> None:
        """Ends the process that query keeps, and forgets the keys; a later call has them again. `with` closes too."""
        if self._searcher is not None:
            self._searcher.close()
            self._searcher = None

    def __enter__(self) -> "HashIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        rescued = 0

        def run() -> ScanSummary:
            nonlocal rescued
            # What is built anew is built whole: the folders of the old catalogue are scanned with those named now.
            rescued += 1
            return self._scan(roots, options, executor, on_problem, on_progress, and_known=rescued > 1)

        return self._access.with_recovery(run)

    def _scan(
        self,
        roots: Sequence[PathLike],
        options: ScanOptions,
        executor: Executor | None,
        on_problem: Callable[[Problem], None],
        on_progress: Callable[[Progress], None],
        *,
        and_known: bool,
    ) -> ScanSummary:
        from hashindex.index.scan import NO_ROOTS, scan

        def check() -> None:
            """Before a catalogue is made: it is not, where there is nothing to put in."""
            if not roots:
                raise UsageError(NO_ROOTS)
            for root in roots:
                new_root(root)

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
            keep_neighbours(catalogue, lambda: on_progress(done))

            def judged(compared: Progress) -> None:
                on_progress(done._replace(judged=compared.judged, to_judge=compared.to_judge))

            keep_relations(catalogue, options.limits, workers=options.workers, executor=executor, on_progress=judged)
            return summary

    def caches(self) -> list[Cache]:
        """What chat clients keep on this machine, client by client, told from the layout of their folders.

        Counts roughly, in a few seconds at most where there are very many files. Needs no catalogue.
        """
        from hashindex.clients.caches import caches

        return caches()

    def client_roots(self, clients: Sequence[str]) -> list[bytes]:
        """The picture folders of these clients ("qq", "tim", "wechat", "discord", "telegram") on this machine.

        What scan and a daemon take as roots. UsageError for an unknown client, or one without a folder here.
        """
        from hashindex.clients.caches import roots_of

        return roots_of(clients)

    def doctor(self) -> list[Finding]:
        """What is wrong with this machine, or with the catalogue, each with the way out. Changes nothing.

        Reads the whole catalogue once. Raises nothing of hashindex's: a damaged catalogue is a finding.
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
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Finding]:
        """Whether the catalogue is sound and says what the disk says, each trouble with the way out.

        Its pages, references, packed hashes and kept neighbours, and the digests and hashes of some files, drawn by
        lot; full: of all files, and all neighbours. Pictures are decoded by other processes, within limits; one that
        takes its decoder down is a finding. on_progress: files read, and all. Raises CatalogueDamaged where
        nothing can be asked. Some seconds; full reads and decodes every picture, as a first scan does.
        """
        from hashindex.care.check import check

        with self._access.reading() as catalogue:
            return list(check(catalogue, full=full, limits=limits, workers=workers, on_progress=on_progress))

    def backup(self, file: str | os.PathLike[str]) -> int:
        """Copies the catalogue as it is now into a new file, while others write. Returns its bytes.

        UsageError where something has that name, CatalogueUnwritable where the disk does not take it.
        """
        from hashindex.store.backup import back_up

        with self._access.reading() as catalogue:
            return back_up(catalogue, Path(file).expanduser())

    def groups(
        self,
        grouping: Grouping | None = None,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        **how: Unpack[GroupingArguments],
    ) -> list[Group]:
        """Groups of two or more present files that belong together; those of equal bytes always do.

        grouping: how; its fields may be given one by one instead, as in groups(level="similar"). See Grouping.
        Verdicts that nobody needed before are found out, and kept where the catalogue can be written; on_progress is
        called meanwhile. Ordered by their lowest path. UsageError for what does not go together or is not known.
        """
        chosen = _chosen(grouping, how)

        def ask(catalogue: Catalogue) -> tuple[list[Group], list[Verdict]]:
            return groups_of(catalogue, chosen, asking(on_progress))

        return answered(self._access, chosen, ask, on_progress)

    def query(
        self,
        image: PathLike | None = None,
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
        """Files of the catalogue that look like a picture, the most alike first; also those that are gone.

        image: its path, or data: its bytes. The asked file itself is no hit. radius: bits of hash, None is
        QUERY_RADIUS; each hit says what it is to the asked picture. mirrored, rotated: also to it as a mirror image,
        or turned by quarters. family: also the thumbnails and unfinished downloads that a client keeps of a picture
        that is there. Raises UnreadablePicture where it cannot be read or decoded, UsageError as groups does.
        """
        from hashindex.index.query import QUERY_RADIUS, QuerySpec, Searcher, ask
        from hashindex.pictures.read_picture import read_picture

        recipe = recipes.recipe_named(hash)
        radius = radius_in_range(QUERY_RADIUS[hash] if radius is None else radius, recipe)
        name = "The picture" if image is None else os.fsdecode(image)
        itself = None if image is None else files.absolute(image)
        with self._access.reading() as catalogue:
            if itself is not None:
                data = read_picture(itself, name, limits)
            self._searcher = self._searcher or Searcher()
            turns = turns_of(mirrored, rotated)
            question = QuerySpec(data or b"", name, itself, recipe, radius, limit, turns, family)
            return ask(catalogue, self._searcher, question, limits)

    def explain(
        self,
        a: PathLike,
        b: PathLike,
        *,
        mirrored: bool = False,
        rotated: bool = False,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Explanation:
        """What two pictures are to each other, and everything that says so.

        They need not be in a catalogue, nor need there be one; where there is, a person's word and files that are
        gone are looked up in it. mirrored, rotated: also tries a as a mirror image, or turned by quarters, and says
        which way fits. Raises UnreadablePicture where one cannot be compared. About 0.1 s.
        """
        from hashindex.index.explain import explain, read
        from hashindex.pictures.isolated_worker import IsolatedWorker

        paths = files.absolute(a), files.absolute(b)
        with (
            self._access.reading() if self.path.exists() else nullcontext() as catalogue,
            IsolatedWorker(limits) as worker,
        ):
            one, other = (read(catalogue, path, worker) for path in paths)
            return explain(catalogue, one, other, turns_of(mirrored, rotated), worker)

    def calibrate(
        self,
        labels: PathLike | None = None,
        *,
        folder: PathLike | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Calibration:
        """How well each hash at each radius, and each level, does on pairs that a person labelled.

        Those are the words of same and separate in the catalogue, and labels: a file of tab-separated columns, see
        calibrate.read_labels; folder: what its paths are relative to, if not its own folder. on_progress: pairs done,
        and all. UsageError where there are no labels at all, or the file cannot be understood. 5 to 10 ms a pair.
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
        again: bool = False,
        grouping: Grouping | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        **how: Unpack[GroupingArguments],
    ) -> Plan:
        """What organize would do with all present pictures outside destinations; changes nothing.

        A number a group, counting on from what dest holds; rest: also one for each ungrouped picture; again: also
        what was placed before and is not there any more. The other arguments are those of groups. See
        plan.make_plan. UsageError where dest is a root, holds one, or is no folder.
        """
        from hashindex.organize.organize import action_named, plan

        chosen = _chosen(grouping, how)
        return plan(self._access, dest, action_named(action), chosen, rest=rest, again=again, on_progress=on_progress)

    def organize(
        self,
        dest: PathLike,
        *,
        action: Action = Action.COPY,
        rest: bool = False,
        again: bool = False,
        grouping: Grouping | None = None,
        from_client_cache: bool = False,
        stop: Callable[[], bool] = lambda: False,
        on_step: Callable[[Step], None] = lambda step: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_placed: Callable[[int, int], None] = lambda done, total: None,
        **how: Unpack[GroupingArguments],
    ) -> Organized:
        """Carries out such a plan, as one batch that undo takes back. Ends what a killed run left open first.

        stop is asked before each file, on_step gets each file that was placed. on_progress shows the comparing that may
        come first, on_placed how many steps are done, and all. Raises as plan does, UsageError where there is not room
        enough, or where it would move files out of a chat client's own folders and from_client_cache does not say so
        (nothing is placed then), CatalogueLocked while another batch lives.
        """
        from hashindex.organize.organize import action_named, organize

        return organize(
            self._access,
            dest,
            action_named(action),
            _chosen(grouping, how),
            rest=rest,
            again=again,
            from_client_cache=from_client_cache,
            stop=stop,
            on_step=on_step,
            on_progress=on_progress,
            on_placed=on_placed,
        )

    def same(self, *pictures: PathLike, limits: Limits = Limits()) -> Said:  # noqa: B008 - frozen
        """Says that these files show one picture, whatever the judge thinks; groups and organize obey.

        Kept by content, so it holds for every file of the same bytes, in any folder, and when they are renamed. It is
        transitive: what is the same as one of them is the same as all. A later word on the same two takes its place.
        UnreadablePicture where a file is no picture, cannot be read or is larger than limits.bytes; UsageError where
        all are of the same bytes.
        """
        return self._say(pictures, limits, same=True)

    def separate(self, *pictures: PathLike, limits: Limits = Limits()) -> Said:  # noqa: B008 - frozen
        """Says that no two of these files belong together; they are never in one group. See same.

        UsageError also for more than words.MOST_SEPARATE of them.
        """
        return self._say(pictures, limits, same=False)

    def take_back(self, *pictures: PathLike, same: bool, limits: Limits = Limits()) -> int:  # noqa: B008 - frozen
        """Takes back what same (or separate) said of two or more of these files; returns how many words went.

        Of pictures that were said to be the same together, those that are not named stay the same.
        """
        from hashindex.index.decisions import take_back

        digests = _digests_of(pictures, limits)

        def run() -> int:
            with self._access.writing() as catalogue:
                return take_back(catalogue, digests, same=same)

        return self._access.with_recovery(run)

    def _say(self, pictures: Sequence[PathLike], limits: Limits, *, same: bool) -> Said:
        from hashindex.index.decisions import say

        digests = _digests_of(pictures, limits)

        def run() -> Said:
            with self._access.writing() as catalogue:
                return say(catalogue, digests, same=same)

        return self._access.with_recovery(run)

    def words(self) -> list[Decision]:
        """Everything that same and separate said, the oldest first."""
        with self._access.reading() as catalogue:
            return catalogue.verdicts.words()

    def add_words(self, words: Sequence[Decision]) -> None:
        """Adds words from elsewhere; of two on the same contents the later one stays."""

        from hashindex.index.decisions import add

        def run() -> None:
            with self._access.writing() as catalogue:
                add(catalogue, words)

        self._access.with_recovery(run)

    def undo(
        self,
        batch: int | None = None,
        *,
        stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Outcome:
        """Takes a batch back (the last one with anything to take back), last step first.

        What has changed since is refused and said; the rest goes on. UsageError where there is nothing to undo.
        """
        from hashindex.organize.organize import undo

        return undo(self._access, batch, stop, on_progress)

    def history(self) -> list[Batch]:
        """Every batch of organize, oldest first."""
        with self._access.reading() as catalogue:
            return Journal(catalogue).batches()

    def recover(self) -> list[Batch]:
        """Ends the batches that a killed run left open, by what the disk says; returns them as they are then.

        Each organize and undo does so first. Never removes a last copy.
        """
        from hashindex.organize.organize import recover

        return recover(self._access)

    def status(self) -> Status:
        """Counts by state and format. Cost: 1.4 s at a million files, more where hashes are outdated."""
        from hashindex.index.status import status_of

        with self._access.reading() as catalogue:
            return status_of(catalogue)

    def problems(self) -> list[Problem]:
        """Every root, folder and present file that could not be taken in, and why, by path."""
        with self._access.reading() as catalogue:
            return catalogue.problems()

    def forget(self, path: PathLike) -> Forgotten:
        """Drops what the catalogue knows of a file, a folder or a root. Touches no file of the user's.

        UsageError if it knows nothing there.
        """
        absolute = files.absolute(path)

        def run() -> Forgotten:
            with self._access.writing() as catalogue, catalogue.atomic():
                forgotten = catalogue.forget(absolute)
                return forgotten if any(forgotten) else catalogue.forget(os.path.realpath(absolute))

        dropped = self._access.with_recovery(run)
        if not any(dropped):
            raise UsageError(f"The catalogue knows nothing at {os.fsdecode(absolute)}; see hashindex status.")
        return dropped


def _digests_of(pictures: Sequence[PathLike], limits: Limits) -> list[bytes]:
    from hashindex.pictures.examine import digest_of
    from hashindex.pictures.formats import unmasked
    from hashindex.pictures.read_picture import read_picture

    return [
        digest_of(unmasked(read_picture(files.absolute(picture), os.fsdecode(picture), limits))) for picture in pictures
    ]


def _chosen(grouping: Grouping | None, how: GroupingArguments) -> Grouping:
    if grouping is None:
        return Grouping(**how)  # type: ignore[arg-type]
    if how:
        raise UsageError(f"Give a Grouping, or {', '.join(how)}; not both.")
    return grouping
