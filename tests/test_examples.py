"""Every example of the README, the guide and the command line reference runs."""

import os
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from pictures import captioned, draw, save, write
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from hashindex import HashIndex, ScanOptions
from hashindex.clients.layouts import Machine
from hashindex.commands.cli import app

ROOT = Path(__file__).resolve().parent.parent
IN_A_SHELL = ("index.md", "recipes.md")
"""Pages whose examples tests/test_docs_commands.py runs in a real shell."""
ON_A_CLUSTER = ("scale.md",)
"""Pages whose examples need a cluster; tests/test_dask.py makes one."""
DOCS = sorted(path.name for path in (ROOT / "docs").glob("*.md") if ".zh-" not in path.name)
PAGES = ("README.md", *(f"docs/{name}" for name in DOCS if name not in IN_A_SHELL + ON_A_CLUSTER))
ONLY_PARSED = (
    "watch", "service install", "service uninstall", "service start", "service stop", "service status", "service logs",
    "config edit", "demo", "review",
)  # fmt: skip
"""Commands that run for ever, change or ask the machine, or open an editor; and demo, which tests/test_cli.py runs."""
NEEDS_MORE = {"--dask", "--open", "--read", "read"}
"""Words of commands that need a cluster, a viewer or an extra: these are parsed too."""
FINDS = {"groups", "find", "untag", "report"}
"""Commands that end with 1 if nothing is found: the pictures here are few, small and without words."""
INSTALLING = re.compile(r"uv |pipx |python3 -m venv|\.venv/bin/|hashindex --install-completion")
"""How to install hashindex: tests/test_installation.py and CI try that."""
PICTURES = (
    "QQ/Pic/1.png", "QQ/Pic/old.gif", "Downloads/1 again.png", "Desktop/cat.jpg", "Pictures/cat.png", "new/1.png",
    "main/1.gif", "a.gif", "b.gif", "cat.gif", "cat.png", "cat.jpg",
)  # fmt: skip
"""Files of one picture in the home folder, which is the current folder too."""
CLIENTS = (
    ".config/QQ/nt_qq_0123456789abcdef0123456789abcdef/nt_data/Pic/a.txt",
    "xwechat_files/wxid_me_1a2b/msg/attach/0123456789abcdef0123456789abcdef/a.txt",
)
"""Folders of chat clients, without pictures: organize --mode move would refuse to take these."""
OTHERS = ("c.gif", "dog.png", "cat1.gif", "cat2.gif", "new/2.png", "QQ/Pic/2.png", "Downloads/2.png")


def blocks(page: str, language: str) -> list[str]:
    """The code of each block of a page in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shell_blocks(page: str) -> list[list[str]]:
    """The command lines of each shell block of a page, and of the examples of each --help."""
    helps = re.findall(r"Examples:\n\n((?: +hashindex .*\n)+)", "\n".join(blocks(page, "console")))
    return [[line.strip() for line in text.splitlines() if line.strip()] for text in (*blocks(page, "sh"), *helps)]


EXAMPLES = {page: found for page in PAGES if (found := shell_blocks(page))}
SCRIPTS = [(page, number) for page in PAGES for number in range(len(blocks(page, "python")))]


@pytest.fixture(scope="module")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder with all pictures that examples name, which are scanned, four decisions and four batches."""
    folder = tmp_path_factory.mktemp("examples") / "home"
    variables = {"HOME": "", "USERPROFILE": "", "XDG_DATA_HOME": ".data", "XDG_CONFIG_HOME": ".config"}
    with pytest.MonkeyPatch.context() as patch:
        for variable, name in {**variables, "LOCALAPPDATA": ".local", "HASHINDEX_CATALOGUE": ".c.db"}.items():
            patch.setenv(variable, str(folder / name))
        place = os.fsencode(folder)
        patch.setattr("hashindex.clients.caches.this_machine", lambda: Machine("linux", place, place, place, {}))
        draw_pictures(folder)
        patch.chdir(folder)
        index = HashIndex()
        index.scan(".", ScanOptions(workers=1))
        for pair in (("c.gif", "dog.png"), ("cat1.gif", "dog.png"), ("cat2.gif", "dog.png"), ("c.gif", "cat2.gif")):
            index.separate(*pair)
        for number in range(4):
            index.organize(folder.with_name(str(number)), keepers=True)
        shutil.copytree(folder, folder.with_name("untouched"))
        yield folder


def draw_pictures(folder: Path) -> None:
    for number, name in enumerate(PICTURES):
        save(draw(1).resize((160 - 4 * number, 120 - 3 * number)), folder / name)
    for number, name in enumerate(OTHERS, 2):
        save(draw(number), folder / name)
    save(captioned(draw(1), "words"), folder / "cat-with-words.png")
    save(draw(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "mirrored-cat.png")
    for name in ("pairs.tsv", "labels.tsv"):
        (folder / name).write_text(f"path_a\tpath_b\tlabel\n{folder}/a.gif\t{folder}/cat.jpg\tsame\n")
    for name in CLIENTS:
        write(folder / name, b"text")


def restore(home: Path) -> None:
    """Takes back what examples changed."""
    shutil.rmtree(home)
    shutil.copytree(home.with_name("untouched"), home)
    os.chdir(home)


@pytest.fixture
def home(first_home: Path) -> Path:
    restore(first_home)
    return first_home


def invoke(words: list[str], stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)


def words_of(line: str) -> tuple[list[str], bool]:
    """(the words of hashindex, without what comes after it, and whether it reads standard input)."""
    words = shlex.split(line, comments=True)
    reads = words[0] == "curl"
    if reads:
        words = words[words.index("|") + 1 :]
    return list(takewhile(lambda word: word not in ("|", ">", "&&"), words)), reads


def parsed(words: list[str]) -> None:
    """Parses a command line without running it. Raises an error for a wrong one."""
    command: Any = get_command(app)
    name, context = "hashindex", None
    while hasattr(command, "commands"):
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        name, command, words = command.resolve_command(context, words)
    command.make_context(name, words, parent=context)


def test_every_page_was_found() -> None:
    assert {"README.md", "docs/guide.md", "docs/cli.md"} <= set(EXAMPLES)
    assert sum(map(len, EXAMPLES["docs/cli.md"])) > 60 and len(SCRIPTS) >= 3


@pytest.mark.parametrize("page", EXAMPLES)
def test_the_commands_of_a_page_run_block_by_block(page: str, home: Path) -> None:
    for block in EXAMPLES[page]:
        for line in block:
            try_out(line, home)
        # A dedupe or a forget in one block does not change the next.
        restore(home)


def try_out(line: str, home: Path) -> None:
    if INSTALLING.match(line):
        return
    (program, *words), reads = words_of(line)
    assert program == "hashindex", line
    words = [re.sub("^~", str(home), word) for word in words]
    if any(words[: len(each.split())] == each.split() for each in ONLY_PARSED) or NEEDS_MORE.intersection(words):
        parsed(words)
        return
    result = invoke(words, (home / "cat.gif").read_bytes() if reads else None)
    assert result.exit_code == 0 or (result.exit_code == 1 and words[0] in FINDS), (line, result.output)


@pytest.mark.parametrize(("page", "number"), SCRIPTS)
def test_a_python_example_runs(
    page: str, number: int, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = home / "example.py"
    script.write_text(blocks(page, "python")[number], encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()
