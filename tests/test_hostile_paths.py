"""Names and folders that mean harm: nothing outside a root is read, nothing that is no file is opened, and no name
reaches a terminal, a script or a page as anything but a name."""

import json
import os
import re
import socket
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pictures import draw, fill, save, write
from trees import listing
from typer.testing import CliRunner

from hashindex import HashIndex, ScanOptions, UsageError
from hashindex.care import doctor
from hashindex.commands.cli import app
from hashindex.core.messages import Job
from hashindex.core.options import Limits, WalkRules
from hashindex.disk import roots
from hashindex.index import local_executor
from hashindex.pictures import examine

posix = pytest.mark.skipif(os.name != "posix", reason="names and links as POSIX has them")

# Linux takes every byte but two; macOS wants UTF-8.
NAMES = [
    b"two\nlines.png",
    b"carriage\rreturn.png",
    b"\x1b]0;owned\x07\x1b[2J\x1b[31m.png",
    b"\x9b31m.png" if sys.platform == "linux" else "\x9b31m.png".encode(),
    b"bell\x07 back\x08 delete\x7f.png",
    b"'quotes\" `and` $(more).png",
    b"--help.png",
    b"..png",
    b"... ..png",
    b"<script>alert(1)</script>.png".replace(b"/", b"_"),
    b"<img src=x onerror=alert(1)>.png",
    b"&lt;b&gt;{{data}}.png",
    "\u202egnp.exe.png".encode(),
    "\u2066\u200f\u2028\u2029\ufeff\u00ad.png".encode(),
    *([b"stray \xff\xfe.png", b"\xed\xa0\xbd half.png", b"\xf0\x9f\x98.png"] if sys.platform == "linux" else []),
    b"n" * 251 + b".png",
    "猫".encode() * 80 + b".png",
    b"%s%n%x.png",
    b"[bold red]rich[/].png".replace(b"/", b"_"),
]


@pytest.fixture
def hostile(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture under each name, twice: so each is in a group, in a query and in a plan."""
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for seed, name in enumerate(NAMES):
        below = os.path.join(os.fsencode(folder), b"\x1b[5m<b>" if seed % 2 else b"plain")
        os.makedirs(below, exist_ok=True)
        save(draw(seed), folder / "picture.png").rename(Path(os.fsdecode(os.path.join(below, name))))
        save(draw(seed), folder / f"{seed}.bmp")
    write(Path(os.fsdecode(os.path.join(os.fsencode(folder), b"no \x1b[1m picture\n.png"))), b"text")
    return folder


def shell(*words: str | bytes | Path) -> tuple[int, str, str]:
    arguments = [os.fsdecode(word) for word in words]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def is_safe(text: str) -> bool:
    """No character that could steer a terminal, hide text or turn it round; lines end where we end them."""
    return all(character == "\n" or unicodedata.category(character)[0] != "C" for character in text) and not (
        {"\u2028", "\u2029"} & set(text)
    )


COMMANDS: list[tuple[str, ...]] = [
    ("groups",),
    ("groups", "--hash", "phash"),
    ("problems",),
    ("status",),
    ("history",),
    ("words",),
    ("doctor",),
    ("check",),
    ("recover",),
]


@posix
def test_no_command_lets_a_name_steer_a_terminal(hostile: Path, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"out \x1b[1m\n<i>")
    nasty = sorted(hostile.rglob("*exe.png"))[0]
    said = [shell("scan", hostile, "--hidden", "-vv"), *(shell(*words) for words in COMMANDS)]
    said += [shell("query", nasty), shell("explain", nasty, hostile / "0.bmp")]
    said += [shell("same", nasty, hostile / "0.bmp"), shell("organize", out), shell("organize", out, "--apply")]
    said += [shell("history"), shell("doctor"), shell("check"), shell("report", f"{out}.html"), shell("undo")]
    said += [shell("query", tmp_path / "\x1b[2J"), shell("scan", tmp_path / "\x1b[2J"), shell("forget", nasty)]
    said += [shell("scan", hostile, "--catalogue", hostile / "\x1b[2J" / "0.bmp" / "c.db")]
    said += [shell("backup", tmp_path / "\x1b[2J" / "x"), shell("words", "--import", tmp_path / "\x1b[2J")]
    said += [shell("calibrate", tmp_path / "\x1b[2J"), shell("status", "--config", tmp_path / "\x1b[2J")]
    for number, (_, stdout, stderr) in enumerate(said):
        assert (number, is_safe(stdout), is_safe(stderr)) == (number, True, True), stdout + stderr
    assert all("\\x1b" in text for _, text, _ in (said[1], said[3]))


@posix
def test_every_name_comes_back_out_of_json_as_it_is_on_disk(hostile: Path, tmp_path: Path) -> None:
    shell("scan", hostile, "--hidden")
    walk = os.walk(os.fsencode(hostile))
    there = {os.path.join(parent, name) for parent, _, names in walk for name in names}
    _, text, _ = shell("groups", "--json")
    kinds = {unicodedata.category(character) for character in text if character != "\n"}
    assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    named = {os.fsencode(member["path"]) for line in text.splitlines() for member in json.loads(line)["members"]}
    _, problems, _ = shell("problems", "--json")
    named |= {os.fsencode(json.loads(line)["path"]) for line in problems.splitlines()}
    assert named == there


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


@posix
def test_no_name_is_markup_in_a_report(hostile: Path, index: HashIndex, tmp_path: Path, folder: Path) -> None:
    plain = tmp_path / "plain pictures"
    for seed in range(len(NAMES)):
        save(draw(seed), plain / f"{seed}.png")
        save(draw(seed), plain / f"{seed}.bmp")
    shell("scan", hostile, "--hidden")
    assert shell("report", tmp_path / "a.html", "--contact-sheet", tmp_path / "a.png")[0] == 0
    other = ("--catalogue", str(tmp_path / "other.db"))
    shell("scan", plain, *other)
    assert shell("report", tmp_path / "b.html", *other)[0] == 0
    tags = [Tags((tmp_path / name).read_text(encoding="utf-8")).found for name in ("a.html", "b.html")]
    assert sorted(tags[0]) == sorted(tags[1])
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", (tmp_path / "a.html").read_text(encoding="utf-8")) is None


@posix
def test_organize_and_undo_take_every_name(hostile: Path, index: HashIndex, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in hostile.rglob("*") if path.is_file()}
    index.scan([hostile])
    assert index.organize(tmp_path / "out", action="move", rest=True).outcome.refused == ()  # type: ignore[arg-type]
    assert all(re.fullmatch(r"\d{5}(_\d+)?\.(png|bmp)", name) for name in listing(tmp_path / "out"))
    index.undo()
    assert {path: path.read_bytes() for path in hostile.rglob("*") if path.is_file()} == before


# What is no file, and links


@posix
def test_what_is_no_file_is_never_opened_whatever_its_name(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "null.gif").symlink_to("/dev/null")
    (folder / "tty.gif").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.jpg"))
        if os.geteuid() == 0 and sys.platform == "linux":
            os.mknod(folder / "device.bmp", 0o600 | 0o020000, os.makedev(1, 5))
        opened: list[bytes] = []
        open_ = os.open

        def noting(path: object, *rest: object) -> int:
            opened.append(path)  # type: ignore[arg-type]
            return open_(path, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", noting)
        for rules in (WalkRules(), WalkRules(links=True)):
            index.scan([folder], ScanOptions(rules))
    named = {path for path in opened if isinstance(path, bytes) and path.startswith(os.fsencode(folder))}
    assert named == set()


@posix
def test_a_file_that_a_pipe_or_a_link_replaced_since_the_walk_is_not_read(folder: Path, tmp_path: Path) -> None:
    secret = save(draw(1), tmp_path / "secret.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to(secret)
    jobs = [Job(os.fsencode(folder.resolve() / name), 9, True, links=False) for name in ("pipe.png", "link.png")]
    found = examine.examine(jobs, frozenset(), Limits())
    assert [(one.digest, one.decoded) for one in found] == [(None, None)] * 2
    assert all(one.problem for one in found)


@posix
def test_a_folder_swapped_for_a_link_between_walk_and_open_is_not_entered(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(draw(1), folder / "stickers" / "cat.png")
    outside = tmp_path / "outside"
    save(draw(2), outside / "cat.png")
    real = examine.examine

    def swapping(*given: object) -> object:
        if not (folder / "stickers").is_symlink():
            (folder / "stickers").rename(tmp_path / "aside")
            (folder / "stickers").symlink_to(outside)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(local_executor, "examine", swapping)
    problems: list[str] = []
    with ThreadPoolExecutor(1) as executor:
        index.scan([folder], executor=executor, on_problem=lambda problem: problems.append(problem.reason))
    assert problems == ["the file cannot be read: a folder of its path was replaced by a link"]
    assert index.status().contents == 0
    # Followed where that is wanted.
    monkeypatch.undo()
    assert index.scan([folder], ScanOptions(WalkRules(links=True))).decoded == 1


@posix
def test_links_that_leave_the_root_are_followed_only_when_asked(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    save(draw(1), outside / "cat.png")
    (folder / "folder").symlink_to(outside)
    (folder / "cat.png").symlink_to(outside / "cat.png")
    (folder / "dotted").symlink_to("../outside")
    assert index.scan([folder]).files == 0
    assert index.scan([folder], ScanOptions(WalkRules(links=True))).files > 0


@posix
def test_nothing_is_written_through_a_link_under_the_manifests_name(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    diary = write(tmp_path / "diary", b"dear diary\n")
    dest = tmp_path / "out"
    dest.mkdir()
    fill(folder, [1, 2])
    index.scan([folder])
    (dest / ".hashindex.jsonl").symlink_to(diary)
    with pytest.raises(UsageError, match="cannot be read"):
        index.organize(dest, rest=True)
    (dest / ".hashindex.jsonl").unlink()
    (dest / ".hashindex.jsonl.part").symlink_to(diary)

    def swap(step: object) -> None:
        (dest / ".hashindex.jsonl").unlink(missing_ok=True)
        (dest / ".hashindex.jsonl").symlink_to(diary)

    outcome = index.organize(dest, rest=True, on_step=swap).outcome
    assert (outcome.done, "could not be written" in (outcome.stopped or "")) == (2, True)
    (dest / ".hashindex.jsonl").unlink()
    (batch,) = index.recover()
    assert (batch.trouble, len((dest / ".hashindex.jsonl").read_text().splitlines())) == (None, 3)
    assert diary.read_bytes() == b"dear diary\n"


@posix
def test_a_pipe_under_the_manifests_name_does_not_hang(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / ".hashindex.jsonl")
    with pytest.raises(UsageError, match="not a regular file"):
        index.organize(tmp_path / "out", rest=True)


# Mounts that hang


def test_a_root_that_does_not_answer_is_a_problem_and_the_others_are_scanned(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    fill(folder, [1])
    fill(other, [2])
    index.scan([folder, other])
    hung = threading.Event()
    stat_ = os.stat
    hangs = os.fsencode(other.resolve())

    def hanging(path: object, *rest: object, **named: object) -> object:
        if path == hangs and threading.current_thread().name == "stat":
            hung.wait(60)
        return stat_(path, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", hanging)
    monkeypatch.setattr(roots, "RESPONSE_S", 0.1)
    monkeypatch.setattr(doctor, "ANSWERS_S", 0.1)
    problems: list[str] = []
    try:
        summary = index.scan(on_problem=lambda problem: problems.append(problem.reason))
        assert summary.unchanged == 1
        assert problems[0].startswith("the folder does not respond within 0.1 s (does a network drive hang?); nothing")
        assert any("does not answer" in finding.says for finding in index.doctor() if finding.check == "root")
        with pytest.raises(UsageError, match="whether a network drive hangs"):
            HashIndex(tmp_path / "new.db").scan([other.resolve()])
    finally:
        hung.set()
    assert index.status().missing == 0
