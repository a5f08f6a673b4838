"""What is written for people stays true: the CLI reference, the READMEs and guides, the changelog."""

import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
import typer

from hashindex.commands.cli import app
from hashindex.commands.command import EXIT_CODES
from hashindex.core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

READMES = ("README.md", "README.zh-CN.md")
GUIDES = ("docs/guide.md", "docs/guide.zh-CN.md")
STARTS = ("docs/index.md", "docs/index.zh-CN.md")
RECIPES = ("docs/recipes.md", "docs/recipes.zh-CN.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def load_make_cli() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_cli = load_make_cli()

COMMANDS: list[tuple[tuple[str, ...], Any]] = list(make_cli.commands(app))


def line(words: tuple[str, ...]) -> str:
    return " ".join(("hashindex", *words))


def leaves() -> list[tuple[str, ...]]:
    return [words for words, command in COMMANDS if not hasattr(command, "commands")]


def code_lines(markdown: str) -> list[str]:
    """Lines inside fenced blocks."""
    return "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)).splitlines()


def test_the_cli_reference_is_current() -> None:
    difference = make_cli.drift(app)
    assert not difference, difference


def test_the_cli_reference_does_not_depend_on_the_machine() -> None:
    homes = {f"{Path.home()}/", f"{Path.home()}\\"}
    assert {home for home in homes if home in make_cli.build(app)} == set()


def test_every_command_and_option_has_help() -> None:
    silent = [line(words) for words, command in COMMANDS if not command.help]
    silent += [
        f"{line(words)} {parameter.name}"
        for words, command in COMMANDS
        for parameter in command.params
        if not getattr(parameter, "help", None) and not getattr(parameter, "hidden", False)
    ]
    assert silent == []


def test_the_help_of_a_command_ends_with_what_few_people_need() -> None:
    text = make_cli.help_of(app, ("groups",))
    head, _, experts = text.partition("\nExperts:\n")
    names, _, every = experts.partition("\nOptions of every command: ")
    assert re.findall(r"^  (--[\w-]+)", names, re.MULTILINE)[:4] == ["--hash", "--radius", "--passes", "--engine"]
    assert not {"--hash", "--max-pixels", "--catalogue", "--json"} & set(
        re.findall(r"^  (--[\w-]+)", head, re.MULTILINE)
    )
    assert " ".join(every.split()).startswith("--catalogue, --config, --json, -q, -v, --color, ")


def test_every_command_shows_examples() -> None:
    without = [
        words for words in leaves() if not re.search(r"^ *Examples:?$", make_cli.help_of(app, words), re.MULTILINE)
    ]
    assert [line(words) for words in without] == []


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_mentions_every_command(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [line(words) for words in leaves() if not re.search(rf"\b{line(words)}\b", text)] == []


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_explains_every_setting_and_every_exit_code(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    rows = [row.split("|")[1] for row in re.findall(r"^\|.*", text, re.MULTILINE)]
    settings = [field.name for field in dataclasses.fields(Settings)]
    assert [setting for setting in settings if not any(f"`{setting}`" in cell for cell in rows)] == []
    codes = re.findall(r"(?:^Exit codes:|;)\s(\d+) ", EXIT_CODES)
    assert [cell.strip() for cell in rows if cell.strip().isdigit()] == codes


def test_the_readme_gives_the_demo_and_the_test_command_on_one_line_each() -> None:
    lines = code_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    (demo,) = [text for text in lines if re.search(r"bin/hashindex demo\b", text)]
    (tests,) = [text for text in lines if "-m pytest" in text]
    starts = (
        "python3 -m venv .venv && .venv/bin/pip install . &&",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' &&",
    )
    assert (demo.startswith(starts[0]), tests.startswith(starts[1])) == (True, True)


def test_the_readme_is_a_front_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 700


def shape(name: str) -> dict[str, list[str]]:
    """What a translation must have in common: headings by level, commands without their comments, links, names."""
    text = (ROOT / name).read_text(encoding="utf-8").replace(".zh-CN.md", ".md")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    commands = re.sub(r"^```text.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)  # output has a language too
    return {
        "headings": re.findall(r"^(#+) ", prose, re.MULTILINE),
        "code": [re.sub(r" *# .*", "", command) for command in code_lines(commands)],
        "links": [re.sub(r"-(en|zh)(\.\w+)$", r"\2", link) for link in re.findall(r"\]\(([^)]*)\)", prose)],
        "names": sorted(re.findall(r"`([^`]+)`", prose)),
        "paragraphs": re.findall(r"^(\*\*|- |\|)", prose, re.MULTILINE),
    }


@pytest.mark.parametrize(("english", "chinese"), [READMES, GUIDES, STARTS, RECIPES])
def test_the_chinese_page_says_the_same(english: str, chinese: str) -> None:
    assert shape(chinese) == shape(english)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_of_the_repository(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not ((ROOT / page).parent / link).exists()] == []


def test_the_changelog_has_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^## \[?Unreleased\]?", text, re.MULTILINE)) == 1


# The generator itself, on a small app.


def small_app() -> typer.Typer:
    small = typer.Typer(help="A small app.")
    roots = typer.Typer(help="Folders.")
    small.add_typer(roots, name="roots")

    @small.command()
    def scan(folder: Annotated[str, typer.Argument(help="Folder to walk.")]) -> None:
        """Walk a folder.

        Examples:

            hashindex scan .
        """

    @small.command(hidden=True)
    def worker() -> None:
        """Not for people."""

    @roots.command("add")
    def add() -> None:
        """Add a folder."""

    return small


def test_make_cli_shows_every_command_but_hidden_ones() -> None:
    headings = re.findall(r"^## (.*)$", make_cli.build(small_app()), re.MULTILINE)
    assert headings == ["hashindex", "hashindex scan", "hashindex roots", "hashindex roots add"]


def test_make_cli_keeps_the_lines_of_examples() -> None:
    assert "  Examples:\n\n      hashindex scan .\n" in make_cli.help_of(small_app(), ("scan",))


def test_make_cli_does_not_change_the_app_it_shows() -> None:
    small = small_app()
    before = small.rich_markup_mode
    make_cli.build(small)
    assert small.rich_markup_mode == before


def test_drift_is_empty_for_a_current_file_and_a_sentence_with_a_diff_for_another(tmp_path: Path) -> None:
    target = tmp_path / "cli.md"
    target.write_text(make_cli.build(small_app()), encoding="utf-8")
    current = make_cli.drift(small_app(), target)
    target.write_text(target.read_text(encoding="utf-8").replace("Walk a folder.", "Walk."), encoding="utf-8")
    stale = make_cli.drift(small_app(), target).splitlines()
    assert (current, stale[0]) == ("", "docs/cli.md is not current; write it with: python docs/make_cli.py")
    assert {"-  Walk.", "+  Walk a folder."} <= set(stale)
