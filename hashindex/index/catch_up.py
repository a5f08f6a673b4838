"""Before a query by verdicts, judges the pairs that no scan has judged; after the query, stores new verdicts.

A query only needs to read the catalogue. If the catalogue is read-only, or another process is writing, the verdicts
stay in memory.
"""

from collections.abc import Callable
from contextlib import suppress

from hashindex.core.errors import CatalogueLocked, CatalogueUnwritable
from hashindex.core.messages import Verdict
from hashindex.core.model import Progress
from hashindex.core.options import Level
from hashindex.index.grouping import Grouping
from hashindex.index.judge_new import keep_relations, keep_verdicts
from hashindex.index.keeping import keep_standings
from hashindex.pictures.isolated_worker import Result
from hashindex.store.access import PATIENCE_S, Access
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing


def answered(
    access: Access,
    grouping: Grouping,
    ask: Callable[[Catalogue], tuple[Result, list[Verdict], list[Standing]]],
    on_progress: Callable[[Progress], None],
) -> Result:
    """Judges all waiting pairs, then returns the result of ask on one snapshot of the catalogue.

    ask also returns the verdicts and standings that it had to compute. They are stored if the catalogue can be written
    now.
    """
    is_done = _catch_up(access, grouping, on_progress)
    with access.reading() as catalogue, catalogue.as_of_now():
        if not is_done:
            catalogue.verdicts.keep_in_memory()
            compare_new(catalogue, grouping, on_progress)
        result, new, standings = ask(catalogue)
        verdicts = [*catalogue.verdicts.unsaved(), *new]
        digests = catalogue.digests_of({id for one in verdicts for id in (one.a, one.b)})
    if verdicts or standings:
        # If they cannot be stored, the next query computes them again.
        with (
            suppress(CatalogueLocked, CatalogueUnwritable),
            access.writing(wait_s=min(PATIENCE_S, access.wait_s)) as catalogue,
        ):
            keep_verdicts(catalogue, verdicts, digests)
            keep_standings(catalogue, standings)
    return result


def answered_in(
    catalogue: Catalogue,
    grouping: Grouping,
    ask: Callable[[Catalogue], tuple[Result, list[Verdict], list[Standing]]],
    on_progress: Callable[[Progress], None],
) -> Result:
    """As answered, in a catalogue that is open for writing."""
    compare_new(catalogue, grouping, on_progress)
    with catalogue.as_of_now():
        result, new, standings = ask(catalogue)
        digests = catalogue.digests_of({id for one in new for id in (one.a, one.b)})
    keep_verdicts(catalogue, new, digests)
    keep_standings(catalogue, standings)
    return result


def _catch_up(access: Access, grouping: Grouping, on_progress: Callable[[Progress], None]) -> bool:
    """Judges and stores the pairs that no scan has judged. Returns False if the catalogue cannot be written."""
    if not grouping.by_verdicts:
        return True
    with access.reading() as catalogue:
        if not catalogue.verdicts.has_work(grouping.turns, variants=_wants_variants(grouping)):
            return True
    with (
        suppress(CatalogueLocked, CatalogueUnwritable),
        access.writing(wait_s=min(PATIENCE_S, access.wait_s)) as catalogue,
    ):
        # Check this before minutes of work that could not be stored.
        with catalogue.atomic():
            catalogue.verdicts.check_writable()
        compare_new(catalogue, grouping, on_progress)
        return True
    return False


def compare_new(catalogue: Catalogue, grouping: Grouping, on_progress: Callable[[Progress], None]) -> None:
    """Judges the pairs that no scan has judged: a scan was interrupted, or variants or turns are asked for first now.

    catalogue: a writer, or one that keeps changes in memory.
    """
    if grouping.by_verdicts:
        keep_relations(
            catalogue,
            grouping.limits,
            turns=grouping.turns,
            variants=_wants_variants(grouping),
            workers=grouping.workers,
            on_progress=on_progress,
        )


def _wants_variants(grouping: Grouping) -> bool:
    return grouping.at_level is Level.SIMILAR
