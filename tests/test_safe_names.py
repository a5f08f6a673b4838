"""Tests of names that every system accepts, and of the keys that tell which names may be one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core.safe_names import MOST_BYTES, name_key, safe_name, shortened

TEXT = st.text(st.characters(codec=None), max_size=300) | st.text("con.aux1 _\u00b2/\\\udcff\u202ee\u0301", max_size=12)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat", "cat"),
        *((kept, kept) for kept in ("\u732b", "d\u00e9j\u00e0 vu", "\U0001f468\u200d\U0001f469", "-a b_c(1)")),
        # Windows
        *((f"a{bad}b", "a_b") for bad in '<>:"/\\|?*'),
        *((name, f"_{name}") for name in ("CON", "con", "nul.tar", "Aux .x", "COM1", "com0", "LPT\u00b2", "CONIN$")),
        ("console", "console"),
        ("com10", "com10"),
        ("a.con", "a.con"),
        ("name. . ", "name"),
        ("  name", "name"),
        # Dots
        (".", ""),
        ("..", ""),
        (". .", ""),
        ("", ""),
        (" ", ""),
        (".hidden", "_hidden"),
        (".hashindex.jsonl", "_hashindex.jsonl"),
        ("...a", "_..a"),
        # Control characters, directions, bytes that are not UTF-8, halves of characters
        ("a\0b\x1b\x7f\x85", "a_b___"),
        ("exe\u202egpj", "exe_gpj"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), "__"),
        ("\ufeffa\u2028", "_a_"),
        # One form
        ("e\u0301", "\u00e9"),
        # Length in bytes, between characters
        ("x" * 300, "x" * 255),
        ("\u732b" * 100, "\u732b" * 85),
        ("x" + "\U0001f408" * 64, "x" + "\U0001f408" * 63),
        ("x" * 254 + ".y", "x" * 254),
    ],
)  # fmt: skip
def test_a_safe_name_is_accepted_by_every_system(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(TEXT)
def test_a_safe_name_stays_as_it_is_and_has_nothing_unsafe(text: str) -> None:
    name = safe_name(text)
    assert safe_name(name) == name
    assert (len(name.encode()) <= MOST_BYTES, unicodedata.is_normalized("NFC", name)) == (True, True)
    assert not set(name) & {*'<>:"/\\|?*', *map(chr, range(32))}
    assert not name.startswith((".", " ")) and not name.endswith((".", " "))


@given(TEXT, st.integers(1, 20))
def test_a_name_is_cut_between_characters_and_is_safe_at_its_end(text: str, most: int) -> None:
    name = safe_name(text)
    cut = shortened(name, most)
    assert name.startswith(cut) and len(cut.encode()) <= most and not cut.endswith((".", " "))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cat.GIF", "cat.gif"),
        ("d\u00c9j\u00c0", "de\u0301ja\u0300"),
        ("STRASSE", "stra\u00dfe"),
        ("\u212a", "k"),
        ("\u0399\u0308\u0301", "\u0390"),
        ("a\u200db", "ab"),
        ("\u2764\ufe0f", "\u2764"),
        ("A/B", "a/b"),
    ],
)
def test_names_that_some_system_takes_for_one_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("cat", "cats"), ("a/b", "a_b"), ("\u00e9", "e"), ("\uff41", "a")])
def test_other_names_have_other_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@given(TEXT)
def test_case_and_normal_form_do_not_change_the_key(text: str) -> None:
    name = safe_name(text)
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    assert {name_key(form) for form in (*forms, name_key(name))} == {name_key(name)}
