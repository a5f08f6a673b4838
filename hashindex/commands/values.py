"""Converts the text of an option or an argument to its type, and says which values it takes if the text is wrong.

Typer does this with Pydantic, whose import takes more processor time than all the rest of a short command.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import cycle
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

from hashindex.output.text.common import show_text


class WrongValue(typer.BadParameter):
    """An error of the command line that is shown without Click's prefix."""

    def format_message(self) -> str:
        return self.message


class Conversion:
    """Converts the values of one parameter. Typer calls coerce."""

    def __init__(self, parameter: Any) -> None:
        """parameter: an option or argument; Any, because Typer does not export Click's types."""
        annotation = parameter.type_descriptor.annotation
        self._several = get_origin(annotation) if get_origin(annotation) in (list, tuple) else None
        types = get_args(annotation) if self._several else (annotation,)
        self._conversions = [_conversion(type) for type in types]
        self._minimum: float | None = parameter.type_descriptor.parameter_info.min

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The converted value; () and None stand for a value that was not given. Raises WrongValue."""
        is_many = param.multiple or param.nargs == -1
        if value is None:
            return () if is_many else None
        try:
            if self._several is None:
                return self._checked(value, self._conversions[0])
            # The values of a list have one type.
            return self._several(map(self._checked, value, cycle(self._conversions)))
        except ValueError as error:
            name = param.opts[0] if param.param_type_name == "option" else param.metavar or param.name.upper()
            raise WrongValue(f"{name} takes {error}", ctx=ctx) from None

    def _checked(self, value: Any, convert: Callable[[str], object]) -> Any:
        converted: Any = convert(value) if isinstance(value, str) else value
        if self._minimum is not None and not converted >= self._minimum:
            raise ValueError(f"a number of {self._minimum:,} or more, not {show_text(str(value))}.")
        return converted


def _conversion(type: type) -> Callable[[str], object]:
    if issubclass(type, Enum):
        return _choice(type)
    if type not in _CONVERSIONS:
        raise TypeError(f"hashindex/commands/values.py cannot convert {type.__name__} yet; add it to _CONVERSIONS.")
    return _CONVERSIONS[type]


def _number(type: Callable[[str], object], kind: str) -> Callable[[str], object]:
    def convert(text: str) -> object:
        try:
            return type(text)
        except ValueError:
            raise ValueError(f"a {kind}, not {show_text(text)!r}.") from None

    return convert


def _choice(type: type[Enum]) -> Callable[[str], object]:
    """Choices are shown in the order of the enum."""
    known = {str(each.value): each for each in type}

    def convert(text: str) -> object:
        if text in known:
            return known[text]
        *first, last = known
        raise ValueError(f"{', '.join(first)} or {last}, not {show_text(text)!r}{suggestion(text, known)}")

    return convert


_CONVERSIONS: Mapping[type, Callable[[str], object]] = {
    str: str,
    Path: Path,
    bool: bool,  # flags are given as bool, never as text
    int: _number(int, "whole number"),
    float: _number(float, "number"),
}


def suggestion(given: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the known name most like it, if any is."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else "."
