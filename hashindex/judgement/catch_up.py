"""Around a question that goes by verdicts: judges what was never compared before it, keeps what it found out after."""

from collections.abc import Sequence
from contextlib import suppress

from hashindex.errors import CatalogueLocked, CatalogueUnwritable
from hashindex.finding.grouping import Rule
from hashindex.judgement.relate import keep_relations, keep_verdicts
from hashindex.model import Level, Limits, Verdict
from hashindex.store.access import Access
from hashindex.store.catalogue import Catalogue


def catch_up(access: Access, rule: Rule) -> None:
    """Judges what was never compared: a scan was cut short, or turned pictures are asked for the first time."""
    if rule.level is Level.RADIUS:
        return
    with access.reading() as catalogue:
        is_done = not catalogue.verdicts.has_work(rule.turns)
    if not is_done:
        with access.writing() as catalogue:
            compare_new(catalogue, rule)


def compare_new(catalogue: Catalogue, rule: Rule) -> None:
    """The same, for who holds the catalogue already. catalogue: a writer."""
    if rule.level is not Level.RADIUS:
        keep_relations(catalogue, Limits(), turns=rule.turns)


def keep_found(access: Access, verdicts: Sequence[Verdict]) -> None:
    """Keeps verdicts, so that nobody pays for them twice; a catalogue that cannot be written now stays as it is."""
    if verdicts:
        with suppress(CatalogueLocked, CatalogueUnwritable), access.writing() as catalogue:
            keep_verdicts(catalogue, verdicts)
