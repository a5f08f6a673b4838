"""Patterns of --include and --exclude, with the meaning that they have in a .gitignore file.

Pure, except that links are resolved in a pattern that is a whole path. The translation is written here because of 600
random sets of patterns pathspec 1.1 decided 172 differently from git (folder/**, [!a], [\\]], [z-a], [[:alpha:]]).
tests/test_patterns.py compares this module with git.

Four things differ from git on purpose. ? and [...] stand for one character, where git takes one byte. A pattern that
begins with / or ~/ may also be the whole path of something on this computer. # at the start and spaces at the end
count, because these are arguments and not lines of a file. On Windows upper and lower case are the same.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

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
    """A bracket that is not closed, or a backslash with nothing behind it."""


class _Pattern(NamedTuple):
    wanted: bool
    """False where it began with !."""
    folders_only: bool
    by_name: bool
    """It has no slash, so it is compared with the name alone."""
    below: str
    """A regular expression of the name, or of the path below the root."""
    whole: str
    """One of the whole path; "" where the pattern cannot be one."""


class _Any:
    """Some patterns at once: whether one of them matches."""

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
    """Some patterns in their order: the last one that matches decides."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._patterns = [_compiled(text) for text in texts]
        self._each = [_Any([pattern]) for pattern in self._patterns]
        # Most files match none; then one question is enough.
        self._of_folder = _Any(self._patterns)
        self._of_file = _Any([pattern for pattern in self._patterns if not pattern.folders_only])
        self._unmatched = set(range(len(texts)))

    def decide(self, path: bytes, root: bytes, is_folder: bool) -> bool | None:
        """What the patterns say of exactly this file or folder: True for a match, False for one after !, None if none.

        What they say of the folders above it is not asked here. 1 us where none of two matches.
        """
        if not (self._of_folder if is_folder else self._of_file).matches(path, root):
            return None
        decided: bool | None = None
        for number in range(len(self._patterns) - 1, -1, -1):
            # One that has not matched yet is asked also where it decides nothing: it may be called a mistake later.
            if decided is not None and number not in self._unmatched:
                continue
            pattern = self._patterns[number]
            if (is_folder or not pattern.folders_only) and self._each[number].matches(path, root):
                self._unmatched.discard(number)
                if decided is None:
                    decided = pattern.wanted
        return decided

    def unmatched(self) -> list[str]:
        """Those that matched nothing so far, in their order."""
        return [text for number, text in enumerate(self._texts) if number in self._unmatched]


def hint(pattern: str) -> str:
    """What may be wrong with a pattern that matched nothing: a clause to put behind a sentence, or ""."""
    inner = pattern.removeprefix("!").rstrip("/")
    if "[" in inner.replace("\\[", ""):
        return "; [ begins a choice of characters, \\[ is the bracket itself"
    if "/" in inner and not inner.startswith("**/"):
        anywhere = "**/" + inner.lstrip("/").removeprefix("*/")
        return f"; with a slash inside it counts from the scanned folder, at any depth it is {anywhere}"
    return ""


def _compiled(text: str) -> _Pattern:
    wanted = not text.startswith("!")
    rest = text if wanted else text[1:]
    if os.path.splitdrive(rest)[0]:
        rest = rest.replace("\\", "/")  # C:\Users\...: a path of Windows, in which \ escapes nothing
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
    """For a pattern that begins with a whole path; links in what comes before its first wildcard are resolved."""
    if pattern.startswith("~/"):
        pattern = os.path.expanduser("~").replace(os.sep, "/") + pattern[1:]
    parts = pattern.split("/")
    plain = next((number for number, part in enumerate(parts) if _SPECIAL.intersection(part)), len(parts))
    # Of /*/x only the reading from the scanned folder is meant.
    if plain < 2 or not os.path.isabs(pattern):
        return ""
    # The last part itself may be a link, which is met under its own name.
    keep = min(plain, len(parts) - 1)
    start = os.path.realpath("/".join(parts[:keep]) or "/").replace(os.sep, "/").rstrip("/")
    return _regex(re.escape(start + "/"), "/".join(parts[keep:]))


def _regex(start: str, pattern: str) -> str:
    try:
        return start + _translated(pattern)
    except _NeverMatches:
        return _NEVER


def _translated(pattern: str) -> str:
    """The regular expression of a pattern, as wildmatch.c of git reads it with WM_PATHNAME."""
    out: list[str] = []
    at, end = 0, len(pattern)
    while at < end:
        char = pattern[at]
        if char == "*":
            after = at
            while after < end and pattern[after] == "*":
                after += 1
            worker = (at == 0 or pattern[at - 1] == "/") and (after == end or pattern[after] == "/")
            if after - at < 2 or not worker:
                out.append("[^/]*")
            elif after == end:
                out.append(".*")
            else:
                if out[-1:] != [_ANY_FOLDERS]:  # many in a row would take for ever to fail
                    out.append(_ANY_FOLDERS)
                after += 1
            at = after
            continue
        if char == "?":
            out.append("[^/]")
        elif char == "[":
            choice, at = _choice(pattern, at + 1)
            out.append(choice)
        elif char == "\\":
            at += 1
            if at == end:
                raise _NeverMatches
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def _choice(pattern: str, at: int) -> tuple[str, int]:
    """What stands between brackets, from behind the first of them, and where the last of them is."""
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
