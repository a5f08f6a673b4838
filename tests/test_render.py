"""Tests of what a person and a script read: JSON keys are an interface, and no name of a file may act on a terminal."""

import io
import json
import os
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

import pytest
from builders import SECOND, content, file
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core import dates
from hashindex.core.model import (
    Answer,
    Decoded,
    Destination,
    File,
    Forgotten,
    Group,
    Hit,
    Member,
    Problem,
    Progress,
    Relation,
    RootStatus,
    ScanSummary,
    State,
    Status,
)
from hashindex.core.options import Level
from hashindex.core.organizing import Action, Batch, BatchState, Outcome, Plan, Refusal, Step
from hashindex.disk.walk import HIDDEN_MOST
from hashindex.output import progress, render

posix = pytest.mark.skipif(os.name != "posix", reason="only POSIX has names that are any bytes")

CAT = content(3, format="gif", width=240, height=200, frames=12)
DOG = content(5, width=1000, height=800)

GROUP = Group(
    id=3,
    level=Level.RADIUS,
    hash="phash",
    radius=8,
    widest=6,
    members=(
        Member(file("/表情/猫.gif".encode(), CAT, size=2048), 0),
        Member(file(b"/b.jpg", DOG, size=1536), 6),
        Member(file(b"/c.jpg", 7), None),
    ),
)
STEP = Step(Action.COPY, b"/a/b.jpg", b"/out/00012_1.gif", number=12, copy=1, digest=bytes(32), size=3, mtime_ns=4)
PLAN = Plan(dest=b"/out", action=Action.COPY, steps=(STEP,), pictures=7, groups=1, grouped=2, remaining=5)
STATUS = Status(
    catalogue="/data/catalogue.db",
    roots=(RootStatus("/表情".encode(), 9, 1_700_000_000 * SECOND), RootStatus(b"/never", 1, None)),
    destinations=(Destination(b"/Stickers", 12),),
    present=10,
    missing=1,
    other=2,
    problems=3,
    contents=8,
    blank=1,
    outdated=4,
    copies=5,
    variants=1200,
    waiting=7,
    formats={"jpeg": 7, "gif": 3},
    recipes={"phash v1": 8},
    bytes=4096,
)


EMPTY = Status("/c.db", (), present=0, missing=0, other=0, problems=0, contents=0, blank=0, outdated=0)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The person's time zone is UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of the process cannot be set on this system")
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# JSON


def test_scan_json_is_a_summary_event() -> None:
    summary = ScanSummary(1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert json.loads(render.scan_json(summary)) == {
        "event": "summary",
        "files": 1,
        "unchanged": 2,
        "digested": 3,
        "decoded": 4,
        "moved": 5,
        "missing": 6,
        "other": 7,
        "problems": 8,
        "outdated": 9,
        "hidden": 0,
        "unmatched": [],
    }


def test_group_json_has_the_keeper_first_and_says_so() -> None:
    assert json.loads(render.group_json(GROUP)) == {
        "id": 3,
        "level": "radius",
        "hash": "phash",
        "radius": 8,
        "why": "",
        "agreed": True,
        "widest": 6,
        "members": [
            {
                "path": "/表情/猫.gif",
                "keep": True,
                "bytes": 2048,
                "width": 240,
                "height": 200,
                "frames": 12,
                "format": "gif",
                "distance": 0,
            },
            {
                "path": "/b.jpg",
                "keep": False,
                "bytes": 1536,
                "width": 1000,
                "height": 800,
                "frames": 1,
                "format": "jpeg",
                "distance": 6,
            },
            {
                "path": "/c.jpg",
                "keep": False,
                "bytes": 100,
                "width": 10,
                "height": 10,
                "frames": 1,
                "format": "jpeg",
                "distance": None,
            },
        ],
        "weak_links": [],
    }


@pytest.mark.parametrize(("state", "present"), [(State.PRESENT, True), (State.MISSING, False)])
def test_hit_json_says_whether_the_file_is_there(state: State, present: bool) -> None:
    hit = Hit(
        file(b"/b.jpg", DOG, state=state, size=1536), {"phash": 6, "dhash": 4}, same_bytes=False, relation=Relation.COPY
    )
    assert json.loads(render.hit_json(hit)) == {
        "path": "/b.jpg",
        "present": present,
        "identical": False,
        "relation": "copy",
        "turn": None,
        "distances": {"phash": 6, "dhash": 4},
        "bytes": 1536,
        "width": 1000,
        "height": 800,
        "frames": 1,
        "format": "jpeg",
    }


def test_step_json_is_all_that_a_script_needs_to_do_it() -> None:
    assert json.loads(render.step_json(STEP)) == {
        "action": "copy",
        "source": "/a/b.jpg",
        "target": "/out/00012_1.gif",
        "number": 12,
        "copy": 1,
    }


def test_plan_summary_json_says_that_nothing_was_applied() -> None:
    assert json.loads(render.plan_summary_json(PLAN)) == {
        "event": "summary",
        "pictures": 7,
        "groups": 1,
        "grouped": 2,
        "remaining": 5,
        "applied": False,
        "batch": None,
    }


def test_problem_json_is_a_path_and_a_reason() -> None:
    assert json.loads(render.problem_json(Problem(b"/a.jpg", "it is cut off"))) == {
        "path": "/a.jpg",
        "reason": "it is cut off",
    }


def test_status_json_has_every_count_and_times_in_utc() -> None:
    assert json.loads(render.status_json(STATUS)) == {
        "catalogue": "/data/catalogue.db",
        "catalogue_bytes": 4096,
        "states": {"present": 10, "missing": 1, "other": 2, "problems": 3},
        "lesser": 0,
        "formats": {"jpeg": 7, "gif": 3},
        "contents": 8,
        "blank": 1,
        "outdated": 4,
        "hashes": {"phash v1": 8},
        "pairs": {"copies": 5, "variants": 1200, "waiting": 7},
        "roots": [
            {"path": "/表情", "files": 9, "scanned": "2023-11-14T22:13:20+00:00"},
            {"path": "/never", "files": 1, "scanned": None},
        ],
        "destinations": [{"path": "/Stickers", "files": 12}],
        "daemon": None,
    }


def test_chinese_stays_readable_in_json() -> None:
    assert render.problem_json(Problem("/表情/猫😀.gif".encode(), "图")) == ('{"path":"/表情/猫😀.gif","reason":"图"}')


Line = Callable[[bytes], str]


JSON_PATHS: dict[str, tuple[Line, Callable[[dict], str]]] = {  # type: ignore[type-arg]
    "problem": (lambda path: render.problem_json(Problem(path, "why")), lambda value: value["path"]),
    "hit": (lambda path: render.hit_json(Hit(file(path, 1), {}, False)), lambda value: value["path"]),
    "source": (lambda path: render.step_json(STEP._replace(source=path, target=b"/x")), lambda value: value["source"]),
    "target": (lambda path: render.step_json(STEP._replace(source=b"/x", target=path)), lambda value: value["target"]),
    "member": (
        lambda path: render.group_json(Group(1, Level.RADIUS, "phash", 8, 0, (Member(file(path, 1), 0),))),
        lambda value: value["members"][0]["path"],
    ),
    "root": (
        lambda path: render.status_json(replace(EMPTY, roots=(RootStatus(path, 0, None),))),
        lambda value: value["roots"][0]["path"],
    ),
}
"""Where JSON holds a path: how to write it there, how to find it again."""


@posix
@pytest.mark.parametrize("place", JSON_PATHS)
@pytest.mark.parametrize(
    "path", [b"/\xff.jpg", "/表情/\U0001f600".encode() + b"\x80.gif", b"/\xed\xa0\xbd\xed\xb8\x80", b'/"\\\n\x00\x1b']
)
def test_a_path_of_any_bytes_comes_back_from_json(place: str, path: bytes) -> None:
    write, find = JSON_PATHS[place]
    line = write(path).encode()
    assert os.fsencode(find(json.loads(line))) == path


@posix
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_every_path_comes_back_from_json(path: bytes) -> None:
    line = render.problem_json(Problem(path, "why")).encode()
    assert os.fsencode(json.loads(line)["path"]) == path


@pytest.mark.parametrize("character", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_json_object_stays_on_one_line_whatever_the_name_holds(character: str) -> None:
    assert len(render.problem_json(Problem(f"/a{character}b.jpg".encode(), "why")).splitlines()) == 1


# Paths for a person


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/表情/猫.gif", "/表情/猫.gif"),
        ("/a b　c.jpg", "/a b　c.jpg"),
        ("/é😀.png", "/é😀.png"),
        ("/a\nb", r"/a\nb"),
        ("/a\r\t\0b", r"/a\r\t\x00b"),
        ("/\x1b[31mred\x1b[0m", r"/\x1b[31mred\x1b[0m"),
        ("/\x1b]0;title\x07", r"/\x1b]0;title\x07"),
        ("/\x7f", r"/\x7f"),
        ("/gpj.\u202eexe", r"/gpj.\u202eexe"),
        ("/\u2066\u2069\u200f", r"/\u2066\u2069\u200f"),
        ("/\u200b\ufeff", r"/\u200b\ufeff"),
        ("/\u2028\u2029", r"/\u2028\u2029"),
        ("/\ue000\U000f0000", r"/\ue000\U000f0000"),
        ("/\U000e0041", r"/\U000e0041"),
    ],
)
def test_show_path_takes_out_what_could_act_on_a_terminal(path: str, shown: str) -> None:
    assert render.show_path(path.encode()) == shown


@posix
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/\xff\xfe.jpg", r"/\xff\xfe.jpg"),
        (b"/\x9b31m", r"/\x9b31m"),
        ("/猫".encode()[:-1], r"/\xe7\x8c"),
        (b"/\xed\xb2\x80", r"/\xed\xb2\x80"),
        (rb"/a\nb", r"/a\\nb"),
        (rb"/a\xffb", r"/a\\xffb"),
        (b"/a\\", "/a\\\\"),
    ],
)
def test_show_path_shows_stray_bytes_and_doubles_backslashes(path: bytes, shown: str) -> None:
    assert render.show_path(path) == shown


def names() -> st.SearchStrategy[bytes]:
    """Any bytes, any text, and both beside what show_path writes itself."""
    tricky = st.sampled_from(
        [rb"\n", rb"\xff", rb"\\", rb"\u202e", b"\\", b"\n", b"\xff", b"\xc2\x9b", b"\x9b", b"\xad"]
    )
    text = st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.lists(st.binary(max_size=4) | text | tricky, max_size=4).map(b"".join)


@posix
@given(names())
def test_show_path_gives_only_printable_characters(path: bytes) -> None:
    shown = render.show_path(path)
    # The wide space of Chinese text is not printable to Python, but it is only a space.
    odd = [c for c in shown if not c.isprintable() and unicodedata.category(c) != "Zs"]
    assert (odd, shown.encode().decode()) == ([], shown)


def read_back(shown: str) -> bytes:
    """The path that is shown so: \\xff is a stray byte, \\u00ff the character."""
    plain = {"\\": b"\\", "n": b"\n", "r": b"\r", "t": b"\t"}

    def part(match: re.Match[str]) -> bytes:
        text = match[0]
        if text[0] != "\\":
            return text.encode()
        if text[1] in plain:
            return plain[text[1]]
        number = int(text[2:], 16)
        return bytes([number]) if text[1] == "x" else chr(number).encode("utf-8", "surrogatepass")

    tokens = re.finditer(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|[^\\]", shown)
    return b"".join(map(part, tokens))


@posix
@given(names())
def test_a_path_can_be_read_back_so_two_are_never_shown_alike(path: bytes) -> None:
    assert read_back(render.show_path(path)) == path


@posix
def test_a_stray_byte_is_not_shown_as_the_character_of_that_number() -> None:
    alike = [n for n in range(0x80, 0x100) if render.show_path(bytes([n])) == render.show_path(chr(n).encode())]
    assert alike == []


NASTY = b"/\x1b[2J\n\xff\xe2\x80\xae.jpg" if os.name == "posix" else b"/\x1b[2J\n\xe2\x80\xae.jpg"

TEXT_PATHS: dict[str, Line] = {
    "group": lambda path: render.group_text(Group(1, Level.RADIUS, "phash", 8, 0, (Member(file(path, 1), 0),))),
    "hit": lambda path: render.hit_text(Hit(file(path, 1), {}, True), "phash"),
    "gone hit": lambda path: render.hit_text(Hit(file(path, 1, state=State.MISSING), {}, True), "phash"),
    "source": lambda path: render.step_text(STEP._replace(source=path, target=b"/x")),
    "target": lambda path: render.step_text(STEP._replace(source=b"/x", target=path)),
    "problem": lambda path: render.problem_text(Problem(path, "why")),
    "root": lambda path: render.status_text(replace(EMPTY, roots=(RootStatus(path, 0, None),))),
    "catalogue": lambda path: render.status_text(replace(EMPTY, catalogue=os.fsdecode(path))),
}
"""Where text for a person holds a path."""


@pytest.mark.parametrize("place", TEXT_PATHS)
def test_every_text_shows_paths_so_that_they_are_safe(place: str) -> None:
    text = TEXT_PATHS[place](NASTY)
    assert render.show_path(NASTY) in text
    assert text.replace("\n", "").isprintable()


# Sizes, counts and sentences


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KB"),
        (1536, "1.5 KB"),
        (2**20, "1.0 MB"),
        (5 * 2**20 + 2**19, "5.5 MB"),
        (2**30, "1.0 GB"),
        (2**40, "1024.0 GB"),
    ],
)
def test_show_bytes_in_units_of_1024(count: int, shown: str) -> None:
    assert render.show_bytes(count) == shown


def test_a_time_is_in_the_persons_zone(utc: None) -> None:
    assert dates.local_minute(1_700_000_000 * SECOND) == "2023-11-14 22:13"


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        pytest.param(-1, "1969-12-31 23:59", id="before 1970"),
        pytest.param(2**63 - 1, "2262-04-11 23:47", id="the last one that the catalogue holds"),
        pytest.param(2**64 - 1, "2262-04-11 23:47", id="one that a stranger claims"),
        pytest.param(-(2**200), "1677-09-21 00:12", id="one before everything"),
    ],
)
def test_any_number_is_shown_as_a_time(utc: None, time_ns: int, shown: str) -> None:
    assert dates.local_minute(time_ns) == shown
    assert dates.iso(time_ns) is not None


def test_a_time_that_the_system_cannot_convert_is_shown_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    class Windows(datetime):
        def astimezone(self, tz: tzinfo | None = None) -> "Windows":
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(dates, "_EPOCH", Windows(1970, 1, 1, tzinfo=UTC))
    assert dates.local_minute(-1) == "1969-12-31 23:59"


def test_scan_text_is_one_sentence_of_counts() -> None:
    assert render.scan_text(ScanSummary(4726, 4000, 726, 700, 3, 2, 20, 1)) == (
        "4,726 files looked at: 4,000 unchanged, 726 read, 700 decoded, 3 moved, 2 gone, 20 not pictures, 1 problem."
    )


def test_scan_text_tells_of_outdated_hashes() -> None:
    assert render.scan_text(ScanSummary(outdated=1200)).splitlines() == [
        "0 files looked at: 0 unchanged, 0 read, 0 decoded, 0 moved, 0 gone, 0 not pictures, 0 problems.",
        "Hashes of an older version are left for 1,200 pictures; scan the folders that hold them to replace these.",
    ]


def test_group_text_marks_the_keeper_and_gives_distances() -> None:
    assert render.group_text(GROUP).splitlines() == [
        "Group 3: 3 pictures, at most 6 bits apart (phash)",
        "      keep  /表情/猫.gif  (gif, 240 x 200, 12 frames, 2.0 KB)",
        "    6 bits  /b.jpg  (jpeg, 1000 x 800, 1.5 KB)",
        "         -  /c.jpg  (jpeg, 10 x 10, 100 bytes)",
    ]


def test_group_text_says_one_bit() -> None:
    near = Group(1, Level.RADIUS, "phash", 8, 1, (Member(file(b"/a", 1), 0), Member(file(b"/b", 2), 1)))
    assert render.group_text(near).splitlines() == [
        "Group 1: 2 pictures, at most 1 bit apart (phash)",
        "      keep  /a  (jpeg, 10 x 10, 100 bytes)",
        "     1 bit  /b  (jpeg, 10 x 10, 100 bytes)",
    ]


def test_groups_have_an_empty_line_between() -> None:
    first, second = render.groups_text([GROUP, GROUP])
    assert (first, second) == (render.group_text(GROUP), "\n" + render.group_text(GROUP))


@pytest.mark.parametrize(
    ("distances", "same_bytes", "nearness"),
    [
        ({"phash": 0}, True, "same bytes"),
        ({}, True, "same bytes"),
        ({"phash": 6, "dhash": 1}, False, "6 bits apart"),
        ({"phash": 1}, False, "1 bit apart"),
        ({}, False, "same pixels"),
    ],
)
def test_hit_text_says_how_near(distances: dict[str, int], same_bytes: bool, nearness: str) -> None:
    hit = Hit(file(b"/b.jpg", DOG), distances, same_bytes, Relation.COPY)
    assert render.hit_text(hit, "phash") == f"     copy  {nearness:>12}  /b.jpg  (jpeg, 1000 x 800, 100 bytes)"


def test_hit_text_says_how_a_picture_is_turned_and_nothing_of_what_nobody_can_tell() -> None:
    turned = Hit(file(b"/b.jpg", DOG), {"phash": 30}, False, Relation.COPY, "mirrored")
    assert render.hit_text(turned, "phash") == "     copy      mirrored  /b.jpg  (jpeg, 1000 x 800, 100 bytes)"
    unknown = Hit(file(b"/b.jpg", DOG), {}, False)
    assert render.hit_text(unknown, "phash") == "        -   same pixels  /b.jpg  (jpeg, 1000 x 800, 100 bytes)"


def test_hit_text_says_when_a_gone_file_was_last_seen(utc: None) -> None:
    gone: File = file(b"/b.jpg", DOG, state=State.MISSING, last_seen_ns=1_700_000_000 * SECOND)
    assert render.hit_text(Hit(gone, {"phash": 0}, False), "phash") == (
        "        -  0 bits apart  /b.jpg  (jpeg, 1000 x 800, 100 bytes, gone; last seen 2023-11-14 22:13)"
    )


@pytest.mark.parametrize(
    ("answer", "notes"),
    [
        (Answer((), Decoded("jpeg"), blank=False, unreachable=0), []),
        (
            Answer((), Decoded("jpeg"), blank=True, unreachable=0),
            ["This picture has too little detail to be compared by hash: only files with equal pixels are shown."],
        ),
        (
            Answer((), Decoded("jpeg", problem="it is cut off"), blank=False, unreachable=2),
            [
                "The picture was read only in part: it is cut off.",
                "2 pictures with older hashes were left out; run: hashindex scan",
            ],
        ),
    ],
)
def test_answer_notes_tell_what_limits_the_answer(answer: Answer, notes: list[str]) -> None:
    assert list(render.answer_notes(answer)) == notes


def test_step_text_reads_from_left_to_right() -> None:
    assert render.step_text(STEP) == "copy  /a/b.jpg  ->  /out/00012_1.gif"


def test_plan_summary_text_says_that_nothing_was_changed() -> None:
    assert render.plan_summary_text(PLAN) == (
        "pictures 7, groups 1, grouped 2, remaining 5. This is a plan of 1 step; nothing was changed."
    )


def test_problem_text_is_a_path_and_a_reason() -> None:
    assert render.problem_text(Problem(b"/a.jpg", "it is cut off")) == "/a.jpg: it is cut off"


def test_status_text_is_a_page_of_counts(utc: None) -> None:
    assert render.status_text(STATUS).splitlines() == [
        "Catalogue  /data/catalogue.db (4.0 KB)",
        "Pictures   10 present, 1 gone; 8 different contents, 1 with too little detail to compare",
        "Others     2 files that are not pictures; 3 problems (hashindex problems)",
        "Judged     5 pairs of copies, 1,200 of variants; 7 wait for a scan",
        "Outdated   4 pictures with hashes of an older version; run: hashindex scan",
        "Formats    jpeg 7, gif 3",
        "Root       /表情: 9 pictures, scanned 2023-11-14 22:13",
        "Root       /never: 1 picture, scanned never to the end",
        "Organized  /Stickers: 12 pictures, in no group",
    ]


def test_status_text_counts_one_file_that_is_not_a_picture() -> None:
    assert "1 file that is not a picture; 1 problem " in render.status_text(replace(EMPTY, other=1, problems=1))


def test_scan_text_says_how_many_hidden_files_were_left_out() -> None:
    assert render.scan_text(ScanSummary()).endswith("0 problems.")
    said = "; 79 hidden left out (--hidden takes them)."
    assert render.scan_text(ScanSummary(hidden=79)).endswith(said)
    most = "; 10,000 or more hidden left out (--hidden takes them)."
    assert render.scan_text(ScanSummary(hidden=HIDDEN_MOST)).endswith(most)


def test_forgotten_text_counts_pictures() -> None:
    assert render.forgotten_text(Forgotten(168, 0, 1)) == "Forgot 168 pictures; the files themselves stay."
    assert render.forgotten_text(Forgotten(1, 1, 0)) == "Forgot 1 picture and 1 other file; the files themselves stay."
    assert json.loads(render.forgotten_json(Forgotten(2, 1, 1))) == {"event": "summary", "forgotten": 3, "pictures": 2}


def test_plan_notes_say_that_moving_puts_pictures_there_twice() -> None:
    (note,) = render.plan_notes(PLAN._replace(dest=b"/Stickers", twice=908))
    assert note.startswith("908 files to be moved are in /Stickers already, byte for byte")
    assert "hashindex undo" in note


# Progress

COMPARING = Progress(0, 0, 0, walking=False, comparing=True, judged=1_200, to_judge=14_430)


@pytest.mark.parametrize(
    ("at", "rate", "line"),
    [
        (Progress(4726, 1200, 4726, walking=False), 250, "1,200 of 4,726 files, 250 a second, about 14 s left"),
        (Progress(2000, 500, 2000, walking=True), 250, "500 of 2,000 or more files, 250 a second"),
        (Progress(5, 0, 5, walking=False), 0, "0 of 5 files, 0 a second"),
        (Progress(5, 5, 5, walking=False), 5, "5 of 5 files, 5 a second, about 0 s left"),
        (Progress(0, 0, 0, walking=True), 0, "0 of 0 or more files, 0 a second"),
        (Progress(5, 5, 5, walking=False, comparing=True), 9, "5 files read, finding candidates"),
        (COMPARING, 400, "1,200 of 14,430 pairs compared, 400 a second, about 33 s left"),
        (COMPARING._replace(read=7), 0, "7 files read, 1,200 of 14,430 pairs compared, 0 a second"),
        (COMPARING._replace(to_judge=0, judged=12, grouping=True), 3, "checking groups, 12 pairs compared"),
        (Progress(0, 0, 0, walking=False, waiting=True), 0, "waiting for another process"),
    ],
)
def test_the_progress_line_says_what_is_done_and_what_is_left(at: Progress, rate: float, line: str) -> None:
    assert progress.line(at, rate) == line


@pytest.mark.parametrize(
    ("at", "rate", "name", "words"),
    [
        (Progress(20, 5, 20, walking=True), 9, "listing files", "5  9/s"),
        (Progress(20, 5, 20, walking=False), 5, "reading", "5/20  5/s  about 3 s left"),
        (Progress(20, 20, 20, walking=False, comparing=True), 5, "finding candidates", "  5/s"),
        (COMPARING, 410, "comparing pairs", "1,200/14,430  410/s  about 32 s left"),
        (COMPARING, 20, "comparing pairs", "1,200/14,430  20/s  about 11 min left"),
        (COMPARING._replace(judged=14_430), 410, "comparing pairs", "14,430/14,430  410/s"),
    ],
)
def test_a_stage_has_a_name_that_says_what_is_done(at: Progress, rate: float, name: str, words: str) -> None:
    stage = progress.stage_of(at)
    assert (stage.name, progress.words(stage, rate)) == (name, words)


def test_the_pace_of_a_stage_counts_from_its_own_beginning() -> None:
    pace = progress._Pace()
    read = progress.stage_of(Progress(100, 100, 100, walking=False))
    assert [pace.per_second(read._replace(done=done), at) for done, at in ((0, 10.0), (100, 20.0))] == [0, 10]
    pairs = progress.stage_of(COMPARING)
    assert [pace.per_second(pairs._replace(done=done), at) for done, at in ((0, 100.0), (50, 110.0))] == [0, 5]


def test_without_a_terminal_a_line_is_written_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress._Lines("files", iter([100.0, 101.0, 105.0, 109.9, 110.0]).__next__)
    for read in (10, 50, 99, 100):
        lines.show(Progress(100, read, 100, walking=False))
    assert capsys.readouterr() == (
        "",
        "50 of 100 files, 10 a second, about 5 s left\n100 of 100 files, 10 a second, about 0 s left\n",
    )


def test_a_short_run_without_a_terminal_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(quiet=False) as show:
        show(Progress(1, 1, 1, walking=False))
    assert capsys.readouterr() == ("", "")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(quiet=True) as show:
        show(Progress(1, 1, 1, walking=False))
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_on_standard_error_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(quiet=False) as show:
        show(Progress(10, 5, 10, walking=True))
        show(Progress(10, 10, 10, walking=False))
    assert ("10/10" in screen.getvalue(), capsys.readouterr().out) == (True, "")


def test_a_bar_is_never_full_while_there_is_more_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    done = Progress(10, 10, 10, walking=False)
    bar = progress._OnTerminal("files", lambda: 0.0, 0.0)
    shares = []
    for at in (
        done._replace(read=5),
        done,
        done._replace(comparing=True),
        COMPARING,
        COMPARING._replace(judged=14_430),
    ):
        bar.show(at)
        assert bar._bar is not None
        shares.append(bar._bar.tasks[0].total)
    bar.close()
    assert shares == [10, None, None, 14_430, None]


def test_a_question_that_is_answered_at_once_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.comparing(quiet=False) as show:
        show(COMPARING._replace(to_judge=0, grouping=True))
    assert screen.getvalue() == ""


def test_a_question_that_has_to_compare_first_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.comparing(quiet=False) as show:
        for judged in (0, 400, 800):
            show(COMPARING._replace(judged=judged))
        show(COMPARING._replace(to_judge=1, turned=True))
    assert capsys.readouterr() == (
        "",
        "The last scan was interrupted; comparing 14,430 pairs first.\n"
        "Pictures are compared mirrored or turned for the first time; comparing 1 pair first.\n",
    )
    with progress.comparing(quiet=True) as show:
        show(COMPARING)
    assert capsys.readouterr() == ("", "")


# Organize, undo, history.

BATCH = Batch(
    3, b"/out", Action.MOVE, BatchState.APPLIED, 1_700_000_000 * SECOND, None, done=4, skipped=1, undone=0, kept=0
)


def test_organized_json_ends_like_the_plan_and_tells_what_was_done() -> None:
    outcome = Outcome(3, 4, (Refusal(b"/a", "it is gone"),))
    assert json.loads(render.organized_json(PLAN, outcome)) == {
        "event": "summary",
        "pictures": 7,
        "groups": 1,
        "grouped": 2,
        "remaining": 5,
        "applied": True,
        "batch": 3,
        "placed": 4,
        "refused": 1,
        "stopped": None,
    }


def test_organized_text_tells_how_to_take_it_back_or_that_there_was_nothing() -> None:
    counts = "pictures 7, groups 1, grouped 2, remaining 5. "
    assert render.organized_text(PLAN, Outcome(3, 4, ())) == (
        counts + "Placed 4 in batch 3; hashindex undo takes it back."
    )
    assert render.organized_text(PLAN, Outcome(None, 0, ())) == counts + "Nothing new to place."


def test_plan_notes_name_joined_numbers_and_what_was_withheld() -> None:
    plan = Plan(b"/out", Action.COPY, (), 7, 1, 2, 5, joined=((12, 30),), withheld=2)
    assert list(render.plan_notes(plan)) == [
        "A new picture belongs to 00012, 00030 alike: it goes to 00012, and all keep their numbers.",
        "2 pictures placed before and since deleted, moved or renamed there are not placed again; --again does.",
    ]


def test_undone_says_how_many_were_left() -> None:
    outcome = Outcome(3, 4, (Refusal(b"/a", "it has changed since"),))
    assert render.undone_text(outcome) == "Took back 4 files of batch 3; 1 file left as it was."
    assert json.loads(render.undone_json(outcome)) == {
        "event": "summary",
        "batch": 3,
        "undone": 4,
        "refused": 1,
        "stopped": None,
    }
    assert json.loads(render.refusal_json(outcome.refused[0])) == {
        "event": "refused",
        "path": "/a",
        "reason": "it has changed since",
    }


@pytest.mark.usefixtures("utc")
def test_history_gives_counts_and_times() -> None:
    assert render.batch_text(BATCH) == "   3  2023-11-14 22:13  move  /out  4 placed, 1 skipped (applied)"
    assert json.loads(render.batch_json(BATCH)) == {
        "batch": 3,
        "dest": "/out",
        "mode": "move",
        "state": "applied",
        "started": "2023-11-14T22:13:20+00:00",
        "finished": None,
        "placed": 4,
        "skipped": 1,
        "undone": 0,
        "kept": 0,
    }
