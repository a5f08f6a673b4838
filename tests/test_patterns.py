"""Patterns of --include and --exclude: the examples that people know, and agreement with git on random ones."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashindex.disk.patterns import Patterns, hint


def decided(patterns: list[str], path: str, root: str = "/pictures") -> bool | None:
    """What the patterns say of one path below a root; a slash at its end makes it a folder."""
    whole = os.fsencode(f"{root}/{path.rstrip('/')}".replace("/", os.sep))
    return Patterns(patterns).decide(whole, os.fsencode(root.replace("/", os.sep)), path.endswith("/"))


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.psd", ["a.psd", "x/y/a.psd", "x.psd/"], ["a.psdx", "psd"]),
        ("old", ["old", "old/", "x/old/"], ["x/older", "old/a.png"]),
        ("old/", ["old/", "x/y/old/"], ["old", "x/old"]),
        ("/old", ["old/", "old"], ["x/old/"]),
        ("/old/", ["old/"], ["old", "x/old/"]),
        ("chat/old", ["chat/old/"], ["x/chat/old/", "old/"]),
        ("chat/*.gif", ["chat/a.gif"], ["chat/x/a.gif", "x/chat/a.gif"]),
        ("*/old/*", ["x/old/a.png"], ["old/a.png", "x/y/old/a.png"]),
        ("**/old/*", ["old/a.png", "x/old/a.png", "x/y/old/a.png"], ["old/", "old/x/a.png"]),
        ("**/old", ["old/", "x/y/old/"], ["x/older"]),
        ("chat/**", ["chat/a.png", "chat/x/a.png"], ["chat/", "x/chat/a.png"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "b"]),
        ("a?.png", ["ab.png", "a猫.png"], ["a.png", "abc.png"]),
        ("[ab].png", ["a.png", "b.png"], ["c.png", "[ab].png"]),
        ("[!ab].png", ["c.png"], ["a.png"]),
        ("[^ab].png", ["c.png"], ["a.png"]),
        ("[a-c].png", ["b.png"], ["d.png", "-.png"]),
        ("[[:digit:]].png", ["7.png"], ["x.png"]),
        (r"\[2021\] cats/", ["[2021] cats/"], ["2 cats/"]),
        ("[[]2021] cats/", ["[2021] cats/"], ["2 cats/"]),
        ("x[!a]y", ["xby"], ["x/y"]),
        (r"\!important", ["!important"], ["important"]),
        ("#recycle/", ["#recycle/"], ["recycle/"]),
        (r"\*.png", ["*.png"], ["a.png"]),
        ("a.b", ["a.b"], ["aXb"]),
        ("[", [], ["[", "a"]),
        ("a\\", [], ["a", "a\\"]),
        ("[z-a]", ["z"], ["a", "m"]),
        ("/", [], ["a", "a/"]),
        ("", [], ["a", "a/"]),
    ],
)
def test_a_pattern_matches_what_it_matches_in_a_gitignore(pattern: str, matching: list[str], others: list[str]) -> None:
    assert {path: decided([pattern], path) for path in matching} == dict.fromkeys(matching, True)
    assert {path: decided([pattern], path) for path in others} == dict.fromkeys(others)


def test_of_several_patterns_the_last_that_matches_decides() -> None:
    patterns = ["*.gif", "!keep*", "keep-not.gif"]
    said = {name: decided(patterns, name) for name in ("a.gif", "keep.gif", "keep-not.gif", "a.png")}
    assert said == {"a.gif": True, "keep.gif": False, "keep-not.gif": True, "a.png": None}


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8 need a POSIX file system")
def test_a_name_that_is_not_utf_8_is_matched_byte_by_byte() -> None:
    patterns = Patterns([os.fsdecode(b"\xff?.png")])
    assert patterns.decide(b"/p/\xff\xfe.png", b"/p", False) is True
    assert Patterns(["*.png"]).decide(b"/p/\xff\n\xfe.png", b"/p", False) is True


@pytest.mark.skipif(os.name != "posix", reason="whole paths as POSIX writes them")
def test_a_whole_path_is_matched_as_what_it_is(tmp_path: Path) -> None:
    """Also where it leads over a link, and counted from any root that is above it."""
    real = tmp_path.resolve() / "real"
    (real / "old").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    for pattern in (f"{real}/old", f"{real}/old/", f"{tmp_path}/link/old", f"{real}/o*/"):
        for root in (real, tmp_path.resolve()):
            path = os.fsencode(real / "old")
            assert Patterns([pattern]).decide(path, os.fsencode(root), True) is True, (pattern, root)
            assert Patterns([pattern]).decide(path + b"er", os.fsencode(root), False) is None


def test_a_pattern_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path.resolve()))
    old = os.fsencode(tmp_path.resolve() / "old")
    assert Patterns(["~/old/"]).decide(old, os.fsencode(tmp_path.resolve()), True) is True


def test_any_number_of_folders_many_times_over_is_quick() -> None:
    deep = "/".join("abcdefghij") * 3
    assert decided(["**/" * 40 + "x"], deep) is None


def test_patterns_that_matched_nothing_are_known_also_where_a_later_one_decided() -> None:
    patterns = Patterns(["*.png", "a.*", "nothing", "![ab].png"])
    assert patterns.decide(b"/p/a.png", b"/p", False) is False
    assert patterns.unmatched() == ["nothing"]


@pytest.mark.parametrize(
    ("pattern", "clause"),
    [
        ("*/old/*", "; **/old/* matches at any depth"),
        ("/chat/a.png", "; **/chat/a.png matches at any depth"),
        ("[2021] cats", r"\[ matches a bracket"),
        (r"\[2021\] cats", ""),
        ("**/old/*", ""),
        ("*.psd", ""),
        ("old/", ""),
    ],
)
def test_the_hint_says_what_may_be_meant(pattern: str, clause: str) -> None:
    assert clause in hint(pattern)
    assert bool(hint(pattern)) == bool(clause)


# Against git

FOLDERS = ("a", "a/b", "old", "a/old", "a/old/b", "x.png", "b", "b/a", "b/a/old", "[1]", "a]")
NAMES = ("a", "b", "old", "x.png", "[1]", "a]", "!k", "#h", " s", "a b", "]", "^", "-", "B", "1")
# Not among them: stars behind a letter and before a slash (a**/b). Git takes the letters off before it looks at the
# stars, and then reads them as **/b, against its own manual.
ATOMS = (
    *("a", "b", "old", "*", "**", "?", "x.png", "*.png", "a*", "*d", "o?d", "***", "*a*"),
    *("[ab]", "[!a]", "[^a]", "[]]", "[!]a]", "[]-a]", "[a-z]", "[z-a]", "[a-", "[", "[/]", "a[!b]b", "[--a]"),
    *("\\[1\\]", "[1]", "[[]1]", "\\a", "[\\]]", "[a\\-z]", "a\\", "[[:alpha:]]", "[[:foo:]]", "[[:a]", "[[:punct:]1]"),
)


@st.composite
def one_pattern(draw: st.DrawFn) -> str:
    begin = draw(st.sampled_from(("", "", "", "/", "!", "!/", "**/")))
    parts = draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3))
    return begin + "/".join(parts) + draw(st.sampled_from(("", "", "/", "/**")))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if shutil.which("git") is None or os.name != "posix":
        pytest.skip("git is not here to compare with, or the names cannot be made")
    base = tmp_path_factory.mktemp("repository").resolve()
    subprocess.run(["git", "init", "-q", base], check=True, capture_output=True)
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("", *FOLDERS):
        for name in NAMES:
            path = base / folder / name
            if not path.exists():
                path.touch()
    yield base


def by_git(base: Path, patterns: list[str], paths: list[str]) -> dict[str, bool]:
    (base / ".git" / "info" / "exclude").write_text("".join(f"{pattern}\n" for pattern in patterns))
    command = ["git", "-C", str(base), "-c", "core.excludesFile=", "check-ignore", "--no-index", "-vnz", "--stdin"]
    done = subprocess.run(command, input="\0".join(paths), capture_output=True, text=True, check=False)
    fields = done.stdout.split("\0")[:-1]
    return {
        path: bool(pattern) and not pattern.startswith("!")
        for pattern, path in zip(fields[2::4], fields[3::4], strict=True)
    }


def by_us(base: Path, patterns: list[str], paths: list[str]) -> dict[str, bool]:
    """As the walk does it: a folder that is excluded is not entered."""
    ours, root = Patterns(patterns), os.fsencode(base)

    def excluded(path: str) -> bool:
        above = os.path.dirname(path)
        if above and excluded(above):
            return True
        return ours.decide(os.path.join(root, os.fsencode(path)), root, (base / path).is_dir()) is True

    return {path: excluded(path) for path in paths}


# Each example asks git once, about 190 paths.
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns=st.lists(one_pattern(), min_size=1, max_size=4))
def test_what_is_excluded_is_what_git_ignores(repository: Path, patterns: list[str]) -> None:
    paths = sorted(
        str(path.relative_to(repository))
        for path in repository.rglob("*")
        if ".git" not in path.relative_to(repository).parts
    )
    assert by_us(repository, patterns, paths) == by_git(repository, patterns, paths)
