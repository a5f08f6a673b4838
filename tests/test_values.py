"""Options and arguments of every type that a command may have, and the sentences for wrong values."""

import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from hashindex.commands.command import Command, add, command


class Colour(StrEnum):
    RED = "red"
    DARK_RED = "dark-red"


def invoke(made: Command, *words: str) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    add(app, [made])
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def run(*words: str) -> tuple[Result, dict[str, Any]]:
    """The result of a small command, and the values that it was given."""
    seen: dict[str, Any] = {}

    @command("try")
    def tried(
        ctx: typer.Context,
        files: Annotated[list[Path] | None, typer.Argument()] = None,
        text: Annotated[str | None, typer.Option()] = None,
        whole: Annotated[int, typer.Option(min=1)] = 7,
        part: Annotated[float | None, typer.Option()] = None,
        place: Annotated[Path | None, typer.Option()] = None,
        colour: Annotated[Colour | None, typer.Option()] = None,
        number: Annotated[list[int] | None, typer.Option(min=0)] = None,
        pair: Annotated[tuple[str, int] | None, typer.Option()] = None,
        switch: Annotated[bool | None, typer.Option("--on/--off")] = None,
        loud: Annotated[int, typer.Option("-l", count=True)] = 0,
    ) -> None:
        """Try."""
        seen.update({name: value for name, value in locals().items() if name not in ("ctx", "seen")})

    return invoke(tried, *words), seen


def test_values_that_are_not_given_are_the_defaults() -> None:
    result, seen = run()
    given = {name: value for name, value in seen.items() if value is not None}
    assert (result.exit_code, given) == (0, {"whole": 7, "loud": 0})


def test_every_type_is_converted() -> None:
    words = (
        "a b --text 5 --whole 10 --part 1e3 --place /x --colour dark-red --number 0 --number 3 --pair x 2 --off -lll"
    )
    result, seen = run(*words.split())
    assert result.exit_code == 0
    assert seen == {
        "files": [Path("a"), Path("b")],
        "text": "5",
        "whole": 10,
        "part": 1000.0,
        "place": Path("/x"),
        "colour": Colour.DARK_RED,
        "number": [0, 3],
        "pair": ("x", 2),
        "switch": False,
        "loud": 3,
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--whole", "1.5"), "--whole takes a whole number, not '1.5'."),
        (("--whole", "0"), "--whole takes a number of 1 or more, not 0."),
        (("--whole", ""), "--whole takes a whole number, not ''."),
        (("--part", "half"), "--part takes a number, not 'half'."),
        (("--number", "1", "--number", "-1"), "--number takes a number of 0 or more, not -1."),
        (("--pair", "a", "b"), "--pair takes a whole number, not 'b'."),
        (("--colour", "dark-rad"), "--colour takes red or dark-red, not 'dark-rad'; did you mean dark-red?"),
        (("--colour", "\x1b[2J"), "--colour takes red or dark-red, not '\\\\x1b[2J'."),
    ],
)
def test_a_wrong_value_is_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    result, seen = run(*words)
    assert (result.exit_code, seen) == (2, {})
    assert f"Error: {sentence}" in result.stderr


def test_a_type_without_a_conversion_is_an_error_for_the_programmer() -> None:
    @command("try")
    def tried(ctx: typer.Context, when: Annotated[datetime.datetime | None, typer.Option()] = None) -> None:
        """Try."""

    with pytest.raises(TypeError, match="cannot convert datetime yet"):
        invoke(tried)
