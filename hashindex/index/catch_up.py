"""Around a question that goes by verdicts: what no scan has judged yet is judged first, what came out is kept after.

The question is answered from what can be read. Where the catalogue cannot be written, or another process writes it,
the verdicts stay in memory.
"""

from collections.abc import Callable
from contextlib import suppress

from hashindex.core.errors import CatalogueLocked, CatalogueUnwritable
from hashindex.core.messages import Verdict
from hashindex.core.model import Progress
from hashindex.index.grouping import Grouping
from hashindex.index.judge_new import keep_relations, keep_verdicts
from hashindex.index.keeping import keep_standings
from hashindex.pictures.isolated_worker import Result
from hashindex.store.access import Access
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing

PATIENCE_S = 1.0
"""So long a question waits for another process that writes, before it does without."""


def answered(
    access: Access,
    grouping: Grouping,
    ask: Callable[[Catalogue], tuple[Result, list[Verdict], list[Standing]]],
    on_progress: Callable[[Progress], None],
) -> Result:
    """What ask makes of a catalogue in which no pair waits for a verdict, as of one moment.

    ask also gives the verdicts and standings that it had to find out; they are kept with the others, where that is
    possible now.
    """
    is_done = _catch_up(access, grouping, on_progress)
    with access.reading() as catalogue, catalogue.as_of_now():
        if not is_done:
            catalogue.verdicts.keep_in_memory()
            compare_new(catalogue, grouping, on_progress)
        made, new, standings = ask(catalogue)
        verdicts = [*catalogue.verdicts.unsaved(), *new]
        digests = catalogue.digests_of({id for one in verdicts for id in (one.a, one.b)})
    if verdicts or standings:
        # Else they are found out again the next time.
        with (
            suppress(CatalogueLocked, CatalogueUnwritable),
            access.writing(wait_s=min(PATIENCE_S, access.wait_s)) as catalogue,
        ):
            keep_verdicts(catalogue, verdicts, digests)
            keep_standings(catalogue, standings)
    return made


def _catch_up(access: Access, grouping: Grouping, on_progress: Callable[[Progress], None]) -> bool:
    """Judges what no scan has judged, and keeps it. Whether nothing is left that waits."""
    if not grouping.by_verdicts:
        return True
    with access.reading() as catalogue:
        if not catalogue.verdicts.has_work(grouping.turns):
            return True
    with (
        suppress(CatalogueLocked, CatalogueUnwritable),
        access.writing(wait_s=min(PATIENCE_S, access.wait_s)) as catalogue,
    ):
        # Before minutes of work that could not be kept.
        with catalogue.atomic():
            catalogue.verdicts.check_writable()
        compare_new(catalogue, grouping, on_progress)
        return True
    return False


def compare_new(catalogue: Catalogue, grouping: Grouping, on_progress: Callable[[Progress], None]) -> None:
    """Judges what no scan has judged: one was cut short, or turned pictures are asked for the first time.

    catalogue: a writer, or one that keeps changes in memory.
    """
    if grouping.by_verdicts:
        keep_relations(
            catalogue, grouping.limits, turns=grouping.turns, workers=grouping.workers, on_progress=on_progress
        )


def asking(on_progress: Callable[[Progress], None]) -> Callable[[int], None]:
    """What to hand to groups_of as on_judged."""

    def on_judged(count: int) -> None:
        on_progress(Progress(0, 0, 0, walking=False, comparing=True, judged=count, grouping=True))

    return on_judged
