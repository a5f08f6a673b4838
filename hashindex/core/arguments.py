"""Checks arguments against their annotations, so that a wrong one is a UsageError that names it. No I/O.

Options are dataclasses that extend Options; HashIndex is decorated with `checked`. What an annotation cannot say, such
as the range of a radius, is checked where it is used.
"""

import inspect
import operator
import reprlib
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from enum import StrEnum
from functools import cache, wraps
from numbers import Integral, Real
from typing import Any, TypeVar, Union, get_args, get_origin

from hashindex.core.errors import UsageError
from hashindex.core.language import Message

AnyValue = TypeVar("AnyValue")
AnyClass = TypeVar("AnyClass", bound=type)


class _DoNothing:
    """A callback that does nothing. Its repr is short, for help()."""

    def __call__(self, *_: object) -> None:
        pass

    def __repr__(self) -> str:
        return "do_nothing"


class _Never:
    """A callback that says no."""

    def __call__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "never"


do_nothing = _DoNothing()
never = _Never()


def checked(cls: AnyClass) -> AnyClass:
    """Decorates a class: its public methods raise UsageError for an argument that does not fit its annotation.

    The text of an enum's value becomes the value. Annotations that are strings are left to the method, because their
    types are not imported yet.
    """
    for name, value in list(vars(cls).items()):
        if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, _checked(value))
    return cls


class Options:
    """Base of frozen dataclasses (repr=False) that callers create. The fields are checked as arguments are.

    A __post_init__ calls Options.__post_init__(self): super() finds no class in a dataclass with slots.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            self._set(field.name, _fitted(field.name, getattr(self, field.name), field.type))

    def _set(self, name: str, value: object) -> None:
        """Replaces a field of a frozen dataclass."""
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Only what is not as usual, since help() shows options as defaults."""
        shown = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)  # type: ignore[arg-type]
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def at_least(least: float, **numbers: float | None) -> None:
    """UsageError for a number that is smaller than least; None is fine."""
    for name, number in numbers.items():
        if number is not None and not number >= least:
            raise UsageError(
                Message("{name} is {least:,} or more, not {number:,}.", name=name, least=least, number=number)
            )


def instance_of(kind: type[AnyValue], **arguments: AnyValue) -> AnyValue:
    """One argument, by its name; UsageError if it is not of that class."""
    ((name, value),) = arguments.items()
    _fitted(name, value, kind)
    return value


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*positional: Any, **named: Any) -> Any:
        signature = _signature(function)
        given = signature.bind(*positional, **named)
        for name, value in given.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                given.arguments[name] = tuple(_fitted(name, each, parameter.annotation) for each in value)
            elif parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                given.arguments[name] = _fitted(name, value, parameter.annotation)
        return function(*given.args, **given.kwargs)

    return call


@cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _fitted(name: str, value: object, annotation: Any) -> object:
    """The value, converted to the annotation where that loses nothing. UsageError if it does not fit."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    for kind in kinds:
        outer = get_origin(kind) or kind
        if _fits(value, outer):
            return _with_fitting_items(name, value, kind) if outer in (Sequence, tuple) else _converted(value, outer)
    choices = [str(each) for kind in kinds if _is_enum(kind) for each in kind]
    if choices and isinstance(value, str):
        raise UsageError(
            Message(
                'There is no {name} called "{value}"; choose one of {choices}.',
                name=name,
                value=value,
                choices=", ".join(choices),
            )
        )
    raise UsageError(
        Message(
            "{name} takes {kinds}, not {given}.",
            name=name,
            kinds=" | ".join(map(_name_of, kinds)),
            given=reprlib.repr(value),
        )
    )


def _fits(value: object, kind: Any) -> bool:
    if isinstance(kind, str) or kind in (Any, object, inspect.Parameter.empty):
        return True
    if kind is None:
        return value is None
    if kind in (int, float):
        # NumPy registers its numbers with these classes.
        return not isinstance(value, bool) and isinstance(value, Integral if kind is int else Real)
    if kind in (Sequence, Iterable):
        return isinstance(value, kind) and not isinstance(value, str | bytes)
    if kind is tuple:
        return isinstance(value, tuple | list)
    if _is_enum(kind):
        return isinstance(value, str) and value in list(kind)
    return isinstance(value, kind)


def _converted(value: Any, kind: Any) -> object:
    if kind is int:
        return operator.index(value)
    if kind is float or _is_enum(kind):
        return kind(value)
    return value


def _with_fitting_items(name: str, value: Any, kind: Any) -> tuple[object, ...]:
    (item, *_) = get_args(kind)
    return tuple(_fitted(f"{name}[{number}]", each, item) for number, each in enumerate(value))


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _name_of(kind: Any) -> str:
    if kind is None or kind is type(None):
        return "None"
    if _is_enum(kind):
        return " | ".join(repr(str(each)) for each in kind)
    return str(getattr(kind, "__name__", kind))
