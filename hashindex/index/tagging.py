"""Tags that rules of the settings give: to pictures below a folder, or with certain words."""

from collections.abc import Sequence

from hashindex.core.tags import TagRule
from hashindex.index.find import contents_with
from hashindex.store.catalogue import Catalogue


def tag_by_rules(catalogue: Catalogue, rules: Sequence[TagRule]) -> int:
    """Gives pictures the tags of these rules. Returns how many tags were new to a picture. catalogue: a writer."""
    count = 0
    for rule in rules:
        if rule.folder_bytes is not None:
            digests = catalogue.digests_below(rule.folder_bytes)
        else:
            digests = list(catalogue.digests_of(contents_with(catalogue, rule.words)).values())
        with catalogue.atomic():
            count += catalogue.words.tag_by_rule(digests, rule.tag)
    return count
