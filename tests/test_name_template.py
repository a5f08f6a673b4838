"""Tests of the templates for names and folders: fields, formats, and the sentence for each mistake."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core.errors import UsageError
from hashindex.core.name_template import FIELDS, NameFields, Naming
from hashindex.core.name_words import NameWords
from hashindex.core.safe_names import safe_name

USUAL = NameFields(
    number=12,
    copy=0,
    stem="cat",
    modified=datetime(2026, 11, 29, 14, 5, 6, tzinfo=UTC),
    taken=None,
    kind="still",
    is_group=True,
    width=640,
    height=480,
)
TAKEN = datetime(987, 3, 4, 5, 6, 7, tzinfo=UTC)


def named(template: str, **given: Any) -> str:
    return Naming(template).stem_of(USUAL._replace(**given))


def folders(template: str, **given: Any) -> tuple[str, ...]:
    return Naming(folder=template).folders_of(USUAL._replace(**given))


@pytest.mark.parametrize(
    ("template", "given", "name"),
    [
        ("{number}{_copy}", {}, "00012"),
        ("{number}{_copy}", {"copy": 3}, "00012_3"),
        ("{number}{_copy}", {"number": 123456}, "123456"),
        ("{number:03}-{copy}", {"copy": 3}, "012-3"),
        ("{number:09d}", {}, "000000012"),
        ("{copy:02}", {}, "00"),
        ("{group}x", {}, "00012x"),
        ("{group:02}x", {"is_group": False}, "x"),
        ("{stem}", {}, "cat"),
        ("{{{stem}}}", {}, "{cat}"),
        ("{kind} {width}x{height}", {}, "still 640x480"),
        ("{text} {number}", {"words": NameWords("收到请回复", "cat")}, "收到请回复 00012"),
        ("{text} {number}", {}, "00012"),
        ("{text}", {}, "00012"),
        ("{tags}", {"words": NameWords("", "big cat, a/b")}, "big cat, a_b"),
        ("{date}", {}, "2026-11-29"),
        ("{date}", {"taken": TAKEN}, "0987-03-04"),
        ("{modified}", {"taken": TAKEN}, "2026-11-29"),
        ("{date:%Y%m%d-%H%M%S} %%", {"taken": TAKEN}, "09870304-050607 %%"),
        ("{date:%y %j 100%%}", {"taken": TAKEN}, "87 063 100%"),
    ],
)
def test_a_template_is_filled_in(template: str, given: dict[str, Any], name: str) -> None:
    assert named(template, **given) == name


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("a\\b", "a_b"),
        ("con", "_con"),
        ("", "00012"),
        ("..", "00012"),
        (" . ", "00012"),
        ("{number}", "{number}"),
        ("x" * 400, "x" * 255),
    ],
)
def test_a_field_gives_a_safe_name_or_else_the_default_name(stem: str, name: str) -> None:
    assert named("{stem}", stem=stem) == name


@pytest.mark.parametrize(
    ("template", "given", "names"),
    [
        ("", {}, ()),
        ("{kind}", {}, ("still",)),
        ("{date:%Y/%m}/{kind}", {}, ("2026", "11", "still")),
        ("{kind}/{group}", {"is_group": False}, ("still",)),
        ("{group}/{kind}", {"is_group": False}, ("still",)),
        ("{stem}/x", {"stem": ".."}, ("x",)),
        ("{stem}/x", {"stem": "../../home"}, ("_._.._home", "x")),
        ("{stem}/x", {"stem": "/etc"}, ("_etc", "x")),
        ("{stem}", {"stem": "."}, ()),
        ("by {stem}", {"stem": "aux. "}, ("by aux",)),
    ],
)
def test_only_the_template_makes_folders_and_empty_ones_are_left_out(
    template: str, given: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert folders(template, **given) == names


@given(
    template=st.lists(st.sampled_from([*(f"{{{field}}}" for field in FIELDS), "/", "x"]), max_size=9).map("".join),
    stem=st.text(st.characters(codec=None), max_size=20) | st.text("./\\ ", max_size=6),
    copy=st.integers(0, 3),
    is_group=st.booleans(),
)
def test_whatever_a_picture_is_called_its_names_are_safe_and_below_the_destination(
    template: str, stem: str, copy: int, is_group: bool
) -> None:
    try:
        naming = Naming("{stem}{_copy}", template)
    except UsageError:
        return
    fields = USUAL._replace(stem=stem, copy=copy, is_group=is_group)
    names = [*naming.folders_of(fields), naming.stem_of(fields)]
    assert all(names) and [safe_name(name) for name in names] == names


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{nr}", "has an unknown field {nr}; known are {number}, {_copy},"),
        ("{}", "has an unknown field {};"),
        ("{0}", "has an unknown field {0};"),
        ("{stem.upper}", "has an unknown field {stem.upper};"),
        ("{stem[0]}", "has an unknown field {stem[0]};"),
        ("{stem!r}", "has an unknown field {stem!r};"),
        ("{ number}", "has an unknown field { number};"),
        ("{stem", "is not valid: each field stands in a pair of braces, as in {number}. Write {{ for a brace."),
        ("stem}", "is not valid: each field stands in a pair of braces, as in {number}. Write {{ for a brace."),
        ("{stem:.3}", "has an unknown format '.3': {stem} takes none."),
        ("{kind:s}", "has an unknown format 's': {kind} takes none."),
        ("{_copy:03}", "has an unknown format '03': {_copy} takes none."),
        ("{number:5}", "has an unknown format '5': {number} takes a width such as 03."),
        ("{number:099999}", "has an unknown format '099999'"),
        ("{number:{width}}", "has an unknown format '{width}'"),
        ("{date:%B}", "has an unknown format '%B': {date} takes text with the codes %Y, %m, %d, %H, %M, %S, %y, %j,"),
        ("{date:%}", "has an unknown format '%'"),
        ("{date:{stem}}", "has an unknown format '{stem}'"),
        ("", "gives the name '', which is not valid on every system."),
        ("{date:%H:%M}", "gives the name '14:05', which is not valid on every system."),
        ("aux", "gives the name 'aux'"),
        ("{stem}.", "gives the name 'name.'"),
        (".{stem}", "gives the name '.name'"),
        ("a\0", "gives the name 'a\\x00'"),
        ("x" * 256, "which is not valid on every system."),
        ("{kind}/{stem}", "for names has a /; give folders with a template for folders."),
        ("{date:%Y/%m}", "for names has a /; give folders with a template for folders."),
    ],
)
def test_a_wrong_template_is_refused_with_a_sentence(template: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Naming(template)
    assert f"The template {template!r} " in str(caught.value) and says in str(caught.value)


@pytest.mark.parametrize(
    ("template", "folder"),
    [
        *(("/abs", ""), ("a//b", ""), ("a/", ""), ("/", "")),
        *(("..", ".."), ("a/../b", ".."), ("./a", ".")),
        *(("a\\b", "a\\b"), ("C:/a", "C:"), ("~/a?", "a?")),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_below_or_not_valid_is_refused(template: str, folder: str) -> None:
    with pytest.raises(UsageError) as caught:
        Naming(folder=template)
    says = f"gives the folder {folder!r}, which is not valid on every system; folders are below DEST, with / between"
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("naming", "uses"),
    [
        (Naming(), False),
        (Naming("{modified}{number}"), False),
        (Naming("{date}"), True),
        (Naming(folder="{kind}/{date:%Y}"), True),
    ],
)
def test_the_date_of_exif_is_used_only_if_a_template_has_it(naming: Naming, uses: bool) -> None:
    assert naming.uses_date_taken is uses
