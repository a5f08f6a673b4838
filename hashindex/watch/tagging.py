"""Gives new pictures the tags of the rules in the settings, in the background; see background.py."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hashindex.core.language import Message
from hashindex.core.tags import TagRule
from hashindex.watch.background import BackgroundWork


class BackgroundTagger(BackgroundWork):
    """A rule by words takes seconds when the words of very many pictures are not in the index yet."""

    def __init__(self, catalogue: Path, rules: Sequence[TagRule], on_end: Callable[[], None], now: float = 0.0) -> None:
        super().__init__("tag", catalogue, on_end, now)
        self._rules: Sequence[TagRule] = ()
        self.set_rules(rules)

    def set_rules(self, rules: Sequence[TagRule]) -> None:
        """Also for the pictures of before."""
        self._rules = rules
        self.request()

    def request(self) -> None:
        """Asks for the work, if there is a rule."""
        self.is_needed = bool(self._rules)

    def finish(self) -> None:
        """There is no process."""

    def kill_workers(self) -> None:
        """There is no process."""

    def failure(self, name: str, error: str) -> Message:
        return Message("The rules for tags could not be applied: {name}: {error}", name=name, error=error)

    def work(self) -> None:
        """Applies every rule to all pictures."""
        # Imported late: most daemons have no rules.
        from hashindex.index.tagging import tag_by_rules

        with self.writing() as catalogue:
            for rule in self._rules:
                self.raise_if_pausing()
                tag_by_rules(catalogue, [rule])
