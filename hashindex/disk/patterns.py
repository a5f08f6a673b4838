"""Patterns of --include and --exclude. They mean what they mean in a .gitignore file.

Does no I/O, except that it resolves links in a pattern that is a whole path. It does not use pathspec: for 172 of 600
random sets of patterns, pathspec 1.1 disagreed with git (folder/**, [!a], [\\]], [z-a], [[:alpha:]]).
tests/test_patterns.py compares this module with git.

Four differences from git are intended. ? and [...] match one character instead of one byte. A pattern that begins with
/ or ~/ may also be a whole path on this computer. A leading # and trailing spaces are part of the pattern, because it
is an argument and not a line of a file. On Windows, case is ignored.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hashindex.core.language import Message

_SEPARATOR = os.sep.encode()
_SPECIAL = frozenset("*?[\\")
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t-\\r ",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_NEVER = "(?!)"
_ANY_FOLDERS = "(?:.*/)?"
_FLAGS = re.DOTALL | (re.IGNORECASE if os.name == "nt" else 0)


class _NeverMatches(Exception):
    """The pattern has an unclosed bracket or ends with a backslash."""


class _Pattern(NamedTuple):
    wanted: bool
    """False if it begins with !."""
    folders_only: bool
    by_name: bool
    """It has no slash, so it is matched against the name alone."""
    below: str
    """Regular expression for the name, or for the path relative to the root."""
    whole: str
    """Regular expression for the whole path; "" if the pattern cannot be one."""


class _Any:
    """Several patterns at once: whether any matches."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._name = _union([each.below for each in patterns if each.by_name])
        self._below = _union([each.below for each in patterns if not each.by_name])
        self._whole = _union([each.whole for each in patterns if each.whole])

    def matches(self, path: bytes, root: bytes) -> bool:
        if self._name is not None and self._name(os.fsdecode(path[path.rfind(_SEPARATOR) + 1 :])) is not None:
            return True
        if self._below is not None and self._below(_slashed(path[len(root) :]).lstrip("/")) is not None:
            return True
        return self._whole is not None and self._whole(_slashed(path)) is not None


class Patterns:
    """Patterns in order: the last one that matches decides."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._patterns = [_compiled(text) for text in texts]
        self._each = [_Any([pattern]) for pattern in self._patterns]
        # Most files match no pattern, which one check shows.
        self._of_folder = _Any(self._patterns)
        self._of_file = _Any([pattern for pattern in self._patterns if not pattern.folders_only])
        self._unmatched = set(range(len(texts)))

    def decide(self, path: bytes, root: bytes, is_folder: bool) -> bool | None:
        """The decision for exactly this file or folder: True for a match, False for a match of !, None for no match.

        Parent folders are not considered. 1 us if neither of two patterns matches.
        """
        if not (self._of_folder if is_folder else self._of_file).matches(path, root):
            return None
        decided: bool | None = None
        for number in range(len(self._patterns) - 1, -1, -1):
            # Patterns that have not matched yet are tried even after the decision, so that unmatched() is right.
            if decided is not None and number not in self._unmatched:
                continue
            pattern = self._patterns[number]
            if (is_folder or not pattern.folders_only) and self._each[number].matches(path, root):
                self._unmatched.discard(number)
                if decided is None:
                    decided = pattern.wanted
        return decided

    def unmatched(self) -> list[str]:
        """Patterns that have matched nothing so far, in order."""
        return [text for number, text in enumerate(self._texts) if number in self._unmatched]


def hint(pattern: str) -> str:
    """Why a pattern may have matched nothing: a clause to append to a sentence, or ""."""
    inner = pattern.removeprefix("!").rstrip("/")
    if "[" in inner.replace("\\[", ""):
        return Message("; [ begins a set of characters, \\[ matches a bracket")
    if "/" in inner and not inner.startswith("**/"):
        anywhere = "**/" + inner.lstrip("/").removeprefix("*/")
        return Message(
            "; a pattern with a slash is relative to the scanned folder; {anywhere} matches at any depth",
            anywhere=anywhere,
        )
    return ""


def _compiled(text: str) -> _Pattern:
    wanted = not text.startswith("!")
    rest = text if wanted else text[1:]
    if os.path.splitdrive(rest)[0]:
        rest = rest.replace("\\", "/")  # C:\Users\...: in a path of Windows, \ is no escape
    folders_only = rest.endswith("/")
    rest = rest[:-1] if folders_only else rest
    by_name = "/" not in rest
    below = rest if by_name else rest.removeprefix("/")
    return _Pattern(wanted, folders_only, by_name, _regex("", below), _whole(rest))


def _slashed(path: bytes) -> str:
    return os.fsdecode(path) if os.sep == "/" else os.fsdecode(path).replace(os.sep, "/")


def _union(expressions: Sequence[str]) -> Callable[[str], re.Match[str] | None] | None:
    return re.compile("|".join(f"(?:{each})" for each in expressions), _FLAGS).fullmatch if expressions else None


def _whole(pattern: str) -> str:
    """Regular expression for a pattern that begins with a whole path. Links before its first wildcard are resolved."""
    if pattern.startswith("~/"):
        pattern = os.path.expanduser("~").replace(os.sep, "/") + pattern[1:]
    parts = pattern.split("/")
    literal = next((number for number, part in enumerate(parts) if _SPECIAL.intersection(part)), len(parts))
    # /*/x is always relative to the scanned folder.
    if literal < 2 or not os.path.isabs(pattern):
        return ""
    # The last part may be a link, which the walk finds under its own name.
    keep = min(literal, len(parts) - 1)
    start = os.path.realpath("/".join(parts[:keep]) or "/").replace(os.sep, "/").rstrip("/")
    return _regex(re.escape(start + "/"), "/".join(parts[keep:]))


def _regex(start: str, pattern: str) -> str:
    try:
        return start + _translated(pattern)
    except _NeverMatches:
        return _NEVER


def _translated(pattern: str) -> str:
    """The regular expression of a pattern, with the rules of git's wildmatch.c and WM_PATHNAME."""
    out: list[str] = []
    at, end = 0, len(pattern)
    while at < end:
        char = pattern[at]
        if char == "*":
            after = at
            while after < end and pattern[after] == "*":
                after += 1
            is_whole_part = (at == 0 or pattern[at - 1] == "/") and (after == end or pattern[after] == "/")
            if after - at < 2 or not is_whole_part:
                out.append("[^/]*")
            elif after == end:
                out.append(".*")
            else:
                if out[-1:] != [_ANY_FOLDERS]:  # many in a row would take exponential time to fail
                    out.append(_ANY_FOLDERS)
                after += 1
            at = after
            continue
        if char == "?":
            out.append("[^/]")
        elif char == "[":
            expression, at = _bracket(pattern, at + 1)
            out.append(expression)
        elif char == "\\":
            at += 1
            if at == end:
                raise _NeverMatches
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """The regular expression for [...], and the position of its ]. at: after the [."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    parts: list[str] = []
    before = ""
    first = True
    while first or pattern[at : at + 1] != "]":
        first = False
        char = _char(pattern, at)
        if char == "\\":
            at += 1
            char = _char(pattern, at)
            parts.append(re.escape(char))
        elif char == "-" and before and pattern[at + 1 : at + 2] not in ("", "]"):
            at += 1
            last = _char(pattern, at)
            if last == "\\":
                at += 1
                last = _char(pattern, at)
            if before <= last:
                parts.append(f"{re.escape(before)}-{re.escape(last)}")
            char = ""
        elif char == "[" and pattern[at + 1 : at + 2] == ":":
            close = pattern.find("]", at + 2)
            if close < 0:
                raise _NeverMatches
            if close > at + 2 and pattern[close - 1] == ":":
                name = pattern[at + 2 : close - 1]
                if name not in _CLASSES:
                    raise _NeverMatches
                parts.append(_CLASSES[name])
                at, char = close, ""
            else:
                parts.append("\\[")
        else:
            parts.append(re.escape(char))
        before = char
        at += 1
    found = "".join(parts)
    if negated:
        return (f"[^/{found}]", at)
    return (f"(?!/)[{found}]" if found else _NEVER, at)


def _char(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise _NeverMatches
    return pattern[at]
