"""Converts the text of an option or an argument to its type, and says which values it takes if the text is wrong.

Typer does this with Pydantic, whose import takes more processor time than all the rest of a short command.
"""

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import cycle
from pathlib import Path
from typing import IO, Any, get_args, get_origin

import typer

from hashindex.core.language import N_, sentence
from hashindex.output.text.common import listed_names, show_text


class WrongValue(typer.BadParameter):
    """An error of the command line, shown with the usage in the language of the process and without Click's prefix."""

    def format_message(self) -> str:
        return self.message

    def show(self, file: IO[Any] | None = None) -> None:
        where = file or sys.stderr
        if self.ctx is not None:
            command, option = self.ctx.command_path, self.ctx.help_option_names[0]
            way_out = sentence("Try '{command} {option}' for help.", command=command, option=option)
            typer.echo(f"{self.ctx.get_usage()}\n{way_out}\n", file=where, color=self.ctx.color)
        typer.echo(sentence("Error: {message}", message=self.message), file=where)


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
            template, parts = error.args
            raise WrongValue(sentence(template, name=name, **parts), ctx=ctx) from None

    def _checked(self, value: Any, convert: Callable[[str], object]) -> Any:
        converted: Any = convert(value) if isinstance(value, str) else value
        if self._minimum is not None and not converted >= self._minimum:
            parts = {"least": f"{self._minimum:,}", "given": show_text(str(value))}
            raise ValueError(N_("{name} takes a number of {least} or more, not {given}."), parts)
        return converted


def _conversion(type: type) -> Callable[[str], object]:
    if issubclass(type, Enum):
        return _choice(type)
    if type not in _CONVERSIONS:
        raise TypeError(f"hashindex/commands/values.py cannot convert {type.__name__} yet; add it to _CONVERSIONS.")
    return _CONVERSIONS[type]


def _number(type: Callable[[str], object], template: str) -> Callable[[str], object]:
    def convert(text: str) -> object:
        try:
            return type(text)
        except ValueError:
            raise ValueError(template, {"given": show_text(text)}) from None

    return convert


def _choice(type: type[Enum]) -> Callable[[str], object]:
    """Choices are shown in the order of the enum."""
    known = {str(each.value): each for each in type}

    def convert(text: str) -> object:
        if text in known:
            return known[text]
        *first, last = known
        parts = {"choices": listed_names(first), "last": last, "given": show_text(text)}
        template = N_("{name} takes {choices} or {last}, not {given!r}{suggestion}")
        raise ValueError(template, {**parts, "suggestion": suggestion(text, known)})

    return convert


_CONVERSIONS: Mapping[type, Callable[[str], object]] = {
    str: str,
    Path: Path,
    bool: bool,  # flags are given as bool, never as text
    int: _number(int, N_("{name} takes a whole number, not {given!r}.")),
    float: _number(float, N_("{name} takes a number, not {given!r}.")),
}


def suggestion(given: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the known name most like it, if any is."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return sentence("; did you mean {name}?", name=close[0]) if close else sentence(".")
