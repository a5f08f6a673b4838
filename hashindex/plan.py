"""(groups, the rest, names taken) -> which file goes where under which number. Collisions are solved here.

Pure: a plan is data; printing it and carrying it out are interpreters of it.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from hashindex.formats import FORMATS
from hashindex.model import File, Group, Plan, Step

ACTIONS = ("copy", "hardlink", "symlink", "move")
DIGITS = 5
"""00012.gif, as the notebook named them; more pictures than that get more digits."""
_NUMBERED = re.compile(rb"(\d{5,})(?:_\d+)?(?:\.[^.]*)?", re.IGNORECASE)


def make_plan(
    groups: Sequence[Group],
    rest: Iterable[File],
    dest: bytes,
    taken: Collection[bytes],
    action: str,
    *,
    number_rest: bool,
) -> Plan:
    """A number a group, its keeper bare and the others _1, _2, ...; then, if number_rest, a number a file of rest.

    taken: names that dest holds; numbering goes on after the highest of them, so no target can be taken. action: one
    of ACTIONS; all but "move" place one file of each content of a group: a second would be the same bytes again.
    """
    rest = list(rest)
    steps: list[Step] = []
    number = next_number(taken)
    sets = [[member.file for member in group.members] for group in groups]
    for files in [*sets, *([file] for file in rest if number_rest)]:
        placed = files if action == "move" else list(_one_per_content(files))
        for copy, file in enumerate(placed):
            target = os.path.join(dest, name_of(number, copy, file))
            steps.append(Step(action, file.path, target, number, copy, file.content.id))
        number += 1
    grouped = sum(map(len, sets))
    return Plan(dest, tuple(steps), grouped + len(rest), len(groups), grouped, len(rest))


def next_number(taken: Collection[bytes]) -> int:
    """One more than the highest number among these names; 1 if there is none."""
    numbers = (int(match[1]) for name in taken if (match := _NUMBERED.fullmatch(name)))
    return max(numbers, default=0) + 1


def name_of(number: int, copy: int, file: File) -> bytes:
    """00012.gif, 00012_1.jpg: the suffix is the true one by content, whatever the file was called."""
    suffix = FORMATS[file.content.format].suffix
    return f"{number:0{DIGITS}d}{f'_{copy}' if copy else ''}{suffix}".encode()


def _one_per_content(files: Iterable[File]) -> Iterator[File]:
    met: set[int] = set()
    for file in files:
        if file.content.id not in met:
            met.add(file.content.id)
            yield file
