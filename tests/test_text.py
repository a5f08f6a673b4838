"""Tests of texts and JSON: JSON keys are an interface, and no file name may control a terminal."""

import json
import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest
from builders import SECOND, content, file
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core import dates
from hashindex.core.deduping import Left
from hashindex.core.language import Message
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
    Relation,
    RootStatus,
    ScanSummary,
    State,
    Status,
    Totals,
)
from hashindex.core.options import Level
from hashindex.core.organizing import PLACING, Action, Batch, BatchCommand, BatchState, Outcome, Plan, Refusal, Step
from hashindex.disk.walk import HIDDEN_MOST
from hashindex.output.text.common import path_text, show_bytes, show_path
from hashindex.output.text.dedupe import left_text
from hashindex.output.text.forget import forgotten_json, forgotten_text
from hashindex.output.text.groups import group_json, group_text, groups_text
from hashindex.output.text.history import batch_json, batch_text
from hashindex.output.text.organize import (
    organized_json,
    organized_text,
    plan_notes,
    plan_summary_json,
    plan_summary_text,
    refusal_json,
    step_json,
    step_text,
    undone_json,
    undone_text,
)
from hashindex.output.text.problems import problem_json, problem_text
from hashindex.output.text.query import answer_notes, hit_json, hit_text
from hashindex.output.text.scan import scan_json, scan_text
from hashindex.output.text.status import status_json, status_text
from hashindex.output.text.terminal import Terminal, columns_of

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
PLAN = Plan(dest_bytes=b"/out", action=Action.COPY, steps=(STEP,), pictures=7, groups=1, grouped=2, remaining=5)
SETTINGS = Path("/config/settings.toml")
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
    waiting_variants=2_000,
    formats={"jpeg": 7, "gif": 3},
    recipes={"phash v1": 8},
    bytes=4096,
)


EMPTY = Status("/c.db", (), present=0, missing=0, other=0, problems=0, contents=0, blank=0, outdated=0)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time zone is UTC."""
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
    assert json.loads(scan_json(summary, Totals(10, 11, 12))) == {
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
        "groups": 10,
        "extra": 11,
        "extra_bytes": 12,
    }


def test_group_json_has_the_keeper_first_and_marks_it() -> None:
    assert json.loads(group_json(GROUP)) == {
        "event": "group",
        "id": 3,
        "level": "radius",
        "hash": "phash",
        "radius": 8,
        "why": "",
        "agreed": True,
        "doubt": None,
        "widest": 6,
        "extra_bytes": 1636,
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
                "relation": None,
                "faults": [],
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
                "relation": None,
                "faults": [],
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
                "relation": None,
                "faults": [],
            },
        ],
        "weak_links": [],
    }


@pytest.mark.parametrize(("state", "present"), [(State.PRESENT, True), (State.MISSING, False)])
def test_hit_json_tells_whether_the_file_is_present(state: State, present: bool) -> None:
    hit = Hit(
        file(b"/b.jpg", DOG, state=state, size=1536), {"phash": 6, "dhash": 4}, same_bytes=False, relation=Relation.COPY
    )
    assert json.loads(hit_json(hit)) == {
        "event": "hit",
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


def test_step_json_is_enough_for_a_script_to_carry_it_out() -> None:
    assert json.loads(step_json(STEP)) == {
        "event": "step",
        "action": "copy",
        "source": "/a/b.jpg",
        "target": "/out/00012_1.gif",
        "number": 12,
        "copy": 1,
    }


def test_plan_summary_json_is_not_applied() -> None:
    assert json.loads(plan_summary_json(PLAN)) == {
        "event": "summary",
        "pictures": 7,
        "groups": 1,
        "grouped": 2,
        "remaining": 5,
        "applied": False,
        "batch": None,
        "placed": 0,
        "refused": 0,
        "stopped": None,
    }


def test_problem_json_is_a_path_and_a_reason() -> None:
    assert json.loads(problem_json(Problem(b"/a.jpg", "it is cut off"))) == {
        "event": "problem",
        "path": "/a.jpg",
        "reason": "it is cut off",
    }


def test_status_json_has_every_count_and_times_in_utc() -> None:
    assert json.loads(status_json(STATUS, SETTINGS)) == {
        "event": "status",
        "catalogue": "/data/catalogue.db",
        "catalogue_bytes": 4096,
        "settings": "/config/settings.toml",
        "states": {"present": 10, "missing": 1, "other": 2, "problems": 3},
        "superseded": 0,
        "formats": {"jpeg": 7, "gif": 3},
        "contents": 8,
        "blank": 1,
        "outdated": 4,
        "hashes": {"phash v1": 8},
        "pairs": {"copies": 5, "variants": 1200, "waiting": 7, "waiting_variants": 2000},
        "roots": [
            {"path": "/表情", "files": 9, "scanned_at": "2023-11-14T22:13:20+00:00"},
            {"path": "/never", "files": 1, "scanned_at": None},
        ],
        "destinations": [{"path": "/Stickers", "files": 12}],
        "daemon": None,
    }


def test_chinese_stays_readable_in_json() -> None:
    line = problem_json(Problem("/表情/猫😀.gif".encode(), "图"))
    assert line == '{"event":"problem","path":"/表情/猫😀.gif","reason":"图"}'


Line = Callable[[bytes], str]


JSON_PATHS: dict[str, tuple[Line, Callable[[dict], str]]] = {  # type: ignore[type-arg]
    "problem": (lambda path: problem_json(Problem(path, "why")), lambda value: value["path"]),
    "hit": (lambda path: hit_json(Hit(file(path, 1), {}, False)), lambda value: value["path"]),
    "source": (
        lambda path: step_json(STEP._replace(source_bytes=path, target_bytes=b"/x")),
        lambda value: value["source"],
    ),
    "target": (
        lambda path: step_json(STEP._replace(source_bytes=b"/x", target_bytes=path)),
        lambda value: value["target"],
    ),
    "member": (
        lambda path: group_json(Group(1, Level.RADIUS, "phash", 8, 0, (Member(file(path, 1), 0),))),
        lambda value: value["members"][0]["path"],
    ),
    "root": (
        lambda path: status_json(replace(EMPTY, roots=(RootStatus(path, 0, None),)), SETTINGS),
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
    line = problem_json(Problem(path, "why")).encode()
    assert os.fsencode(json.loads(line)["path"]) == path


@pytest.mark.parametrize("character", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_json_object_stays_on_one_line_whatever_the_name_holds(character: str) -> None:
    assert len(problem_json(Problem(f"/a{character}b.jpg".encode(), "why")).splitlines()) == 1


# Paths in texts


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
def test_show_path_escapes_what_could_control_a_terminal(path: str, shown: str) -> None:
    assert show_path(path.encode()) == shown


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
def test_show_path_escapes_bytes_that_are_not_utf_8_and_doubles_backslashes(path: bytes, shown: str) -> None:
    assert show_path(path) == shown


def names() -> st.SearchStrategy[bytes]:
    """Any bytes, any text, and both beside escapes as show_path writes them."""
    tricky = st.sampled_from(
        [rb"\n", rb"\xff", rb"\\", rb"\u202e", b"\\", b"\n", b"\xff", b"\xc2\x9b", b"\x9b", b"\xad"]
    )
    text = st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.lists(st.binary(max_size=4) | text | tricky, max_size=4).map(b"".join)


@posix
@given(names())
def test_show_path_gives_only_printable_characters(path: bytes) -> None:
    shown = show_path(path)
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
def test_two_paths_are_never_shown_alike_since_each_can_be_read_back(path: bytes) -> None:
    assert read_back(show_path(path)) == path


@posix
def test_a_byte_that_is_not_utf_8_is_not_shown_as_the_character_of_that_number() -> None:
    alike = [n for n in range(0x80, 0x100) if show_path(bytes([n])) == show_path(chr(n).encode())]
    assert alike == []


NASTY = b"/\x1b[2J\n\xff\xe2\x80\xae.jpg" if os.name == "posix" else b"/\x1b[2J\n\xe2\x80\xae.jpg"

TEXT_PATHS: dict[str, Line] = {
    "group": lambda path: group_text(Group(1, Level.RADIUS, "phash", 8, 0, (Member(file(path, 1), 0),))),
    "hit": lambda path: hit_text(Hit(file(path, 1), {}, True), "phash"),
    "gone hit": lambda path: hit_text(Hit(file(path, 1, state=State.MISSING), {}, True), "phash"),
    "source": lambda path: step_text(STEP._replace(source_bytes=path, target_bytes=b"/x")),
    "target": lambda path: step_text(STEP._replace(source_bytes=b"/x", target_bytes=path)),
    "problem": lambda path: problem_text(Problem(path, "why")),
    "root": lambda path: status_text(replace(EMPTY, roots=(RootStatus(path, 0, None),)), SETTINGS),
    "catalogue": lambda path: status_text(replace(EMPTY, catalogue=os.fsdecode(path)), SETTINGS),
}
"""Texts that contain a path."""


@pytest.mark.parametrize("place", TEXT_PATHS)
def test_every_text_shows_paths_safely(place: str) -> None:
    text = TEXT_PATHS[place](NASTY)
    assert show_path(NASTY) in text
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
    assert show_bytes(count) == shown


def test_a_time_is_in_the_local_time_zone(utc: None) -> None:
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


NO_GROUPS = "No copies found. Variants: hashindex groups --level similar"


@pytest.mark.parametrize(
    ("summary", "seconds", "first"),
    [
        (ScanSummary(files=2669, digested=2669, decoded=2505), 48.2, "Read 2,669 pictures in 48 s."),
        (ScanSummary(files=1, digested=1), 0.04, "Read 1 picture in 0.0 s."),
        (ScanSummary(files=9, unchanged=8, digested=1), 700, "Read 1 picture in 12 min. 8 files are unchanged."),
        (ScanSummary(files=9, unchanged=9), 9000, "Checked 9 files in 2 h; no new picture."),
        (
            ScanSummary(4726, 4000, 726, 700, 3, 2, 20, 13),
            61,
            "Read 726 pictures in 61 s. 4,000 files are unchanged. 3 pictures were renamed or moved. "
            "2 pictures are gone. 20 files are not pictures. "
            "13 could not be read, or not completely (hashindex problems).",
        ),
        (
            ScanSummary(1, 0, 0, 0, 1, 1, 1, 1, 1, 1),
            1,
            "Checked 1 file in 1 s; no new picture. 1 picture was renamed or moved. 1 picture is gone. "
            "1 file is not a picture. 1 could not be read, or not completely (hashindex problems). "
            "1 hidden left out; --hidden takes it. "
            "1 picture still has hashes of an older version; to replace them, scan its folder.",
        ),
        (ScanSummary(hidden=79), 1, "Checked 0 files in 1 s; no new picture. 79 hidden left out; --hidden takes them."),
        (
            ScanSummary(hidden=HIDDEN_MOST),
            1,
            "Checked 0 files in 1 s; no new picture. 10,000 or more hidden left out; --hidden takes them.",
        ),
    ],
)
def test_scan_text_leaves_zeros_out(summary: ScanSummary, seconds: float, first: str) -> None:
    assert scan_text(summary, Totals(0, 0, 0), seconds) == f"{first}\n{NO_GROUPS}"


@pytest.mark.parametrize(
    ("new", "known", "told"),
    [
        (0, 0, ""),
        (0, 13, " 13 known problems, no new one (hashindex problems)."),
        (2, 15, " 2 could not be read, or not completely (hashindex problems)."),
    ],
)
def test_scan_text_tells_new_problems_from_known_ones(new: int, known: int, told: str) -> None:
    summary = ScanSummary(files=9, unchanged=9, problems=new)
    first = scan_text(summary, Totals(0, 0, 0), 1, known).splitlines()[0]
    assert first == f"Checked 9 files in 1 s; no new picture.{told}"


def test_scan_text_ends_with_what_was_found_and_the_next_step() -> None:
    summary, next_step = (
        ScanSummary(files=9, digested=9),
        "Next: hashindex groups, hashindex report report.html, hashindex dedupe",
    )
    assert scan_text(summary, Totals(383, 689, 212 << 20), 48).splitlines()[1:] == [
        "383 groups, 689 extra copies, at least 212.0 MB.",
        next_step,
    ]
    assert scan_text(summary, Totals(1, 1, 5), 48).splitlines()[1:] == [
        "1 group, 1 extra copy, at least 5 bytes.",
        next_step,
    ]


def test_group_text_marks_the_keeper_and_gives_distances() -> None:
    assert group_text(GROUP).splitlines() == [
        "Group 3: 3 pictures, at most 6 bits apart (phash)",
        "      keep  /表情/猫.gif  (gif, 240 x 200, 12 frames, 2.0 KB)",
        "    6 bits  /b.jpg  (jpeg, 1000 x 800, 1.5 KB)",
        "         -  /c.jpg  (jpeg, 10 x 10, 100 bytes)",
    ]


def test_group_text_has_the_singular_of_bit() -> None:
    near = Group(1, Level.RADIUS, "phash", 8, 1, (Member(file(b"/a", 1), 0), Member(file(b"/b", 2), 1)))
    assert group_text(near).splitlines() == [
        "Group 1: 2 pictures, at most 1 bit apart (phash)",
        "      keep  /a  (jpeg, 10 x 10, 100 bytes)",
        "     1 bit  /b  (jpeg, 10 x 10, 100 bytes)",
    ]


def test_groups_have_an_empty_line_between() -> None:
    first, second = groups_text([GROUP, GROUP])
    assert (first, second) == (group_text(GROUP), "\n" + group_text(GROUP))


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
def test_hit_text_shows_the_distance(distances: dict[str, int], same_bytes: bool, nearness: str) -> None:
    hit = Hit(file(b"/b.jpg", DOG), distances, same_bytes, Relation.COPY)
    assert hit_text(hit, "phash") == f"     copy  {nearness:>12}  /b.jpg  (jpeg, 1000 x 800, 100 bytes)"


def test_hit_text_shows_the_rotation_and_a_dash_for_an_unknown_relation() -> None:
    turned = Hit(file(b"/b.jpg", DOG), {"phash": 30}, False, Relation.COPY, "mirrored")
    assert hit_text(turned, "phash") == "     copy      mirrored  /b.jpg  (jpeg, 1000 x 800, 100 bytes)"
    unknown = Hit(file(b"/b.jpg", DOG), {}, False)
    assert hit_text(unknown, "phash") == "        -   same pixels  /b.jpg  (jpeg, 1000 x 800, 100 bytes)"


def test_hit_text_shows_when_a_gone_file_was_last_seen(utc: None) -> None:
    gone: File = file(b"/b.jpg", DOG, state=State.MISSING, last_seen_ns=1_700_000_000 * SECOND)
    assert hit_text(Hit(gone, {"phash": 0}, False), "phash") == (
        "        -  0 bits apart  /b.jpg  (jpeg, 1000 x 800, 100 bytes, gone; last seen 2023-11-14 22:13)"
    )


@pytest.mark.parametrize(
    ("answer", "notes"),
    [
        (Answer((), Decoded("jpeg"), blank=False, unreachable=0), []),
        (
            Answer((), Decoded("jpeg"), blank=True, unreachable=0),
            ["This picture has too little detail to compare hashes: only files with equal pixels are shown."],
        ),
        (
            Answer((), Decoded("jpeg", problem="it is cut off"), blank=False, unreachable=2),
            [
                "The picture was read only in part: it is cut off.",
                "2 pictures were skipped, with hashes of an older version; run: hashindex scan",
            ],
        ),
    ],
)
def test_answer_notes_name_the_limits_of_the_answer(answer: Answer, notes: list[str]) -> None:
    assert list(answer_notes(answer)) == notes


def test_step_text_reads_from_left_to_right() -> None:
    assert step_text(STEP) == "copy  /a/b.jpg  ->  /out/00012_1.gif"


def test_plan_summary_text_states_that_nothing_was_changed() -> None:
    counts, end = "1 group holds 2 of 7 pictures.", "Nothing was changed; --apply carries out the plan."
    assert plan_summary_text(PLAN, rest=True) == f"Would copy 1 file to /out. {counts} {end}"
    assert plan_summary_text(PLAN, rest=False) == (
        f"Would copy 1 file to /out. {counts} 5 pictures are in no group (--rest takes them). {end}"
    )


@pytest.mark.parametrize("action", PLACING)
@pytest.mark.parametrize("count", [1, 2])
def test_organize_has_a_sentence_for_every_action_and_number(action: Action, count: int) -> None:
    plan = PLAN._replace(action=action, steps=(STEP,) * count, groups=count)
    texts = [plan_summary_text(plan, rest=True), organized_text(plan, Outcome(3, count, ()), rest=True)]
    for text in texts:
        assert f" {count} file{'s' if count > 1 else ''} to /out" in text
        assert "{" not in text


def test_problem_text_is_a_path_and_a_reason() -> None:
    assert problem_text(Problem(b"/a.jpg", "it is cut off")) == "/a.jpg: it is cut off"


def test_status_text_is_a_page_of_counts(utc: None) -> None:
    assert status_text(STATUS, SETTINGS).splitlines() == [
        "Catalogue  /data/catalogue.db (4.0 KB)",
        "Settings   /config/settings.toml (does not exist)",
        "Pictures   10 present, 1 gone; 8 different contents, 1 with too little detail to compare",
        "Others     2 files that are not pictures; 3 problems (hashindex problems)",
        "Compared   5 copy pairs, 1,200 variant pairs; 7 pairs still to compare; 2,000 pairs to compare when similar "
        "pictures are asked for",
        "Outdated   4 pictures with hashes of an older version; run: hashindex scan",
        "Formats    jpeg 7, gif 3",
        "Root       /表情: 9 pictures, scanned 2023-11-14 22:13",
        "Root       /never: 1 picture, scan was interrupted; run: hashindex scan",
        "Organized  /Stickers: 12 pictures, in no group",
        "Watching   no; hashindex watch keeps the catalogue up to date",
    ]


def test_status_text_leaves_out_what_there_is_none_of() -> None:
    some = replace(EMPTY, present=2, contents=1, variants=1)
    assert status_text(some, SETTINGS).splitlines()[2:] == [
        "Pictures   2 present; 1 different content",
        "Compared   1 variant pair",
        "Watching   no; hashindex watch keeps the catalogue up to date",
    ]
    assert status_text(EMPTY, SETTINGS).splitlines()[2:-1] == ["Pictures   0 present"]
    assert "Compared   7 pairs still to compare" in status_text(replace(EMPTY, waiting=7), SETTINGS)
    assert "Others     3 problems (hashindex problems)" in status_text(replace(EMPTY, problems=3), SETTINGS)


def test_status_text_counts_one_file_that_is_not_a_picture() -> None:
    assert "1 file that is not a picture; 1 problem " in status_text(replace(EMPTY, other=1, problems=1), SETTINGS)


def test_forgotten_text_counts_pictures() -> None:
    assert forgotten_text(Forgotten(168, 0, 1)) == "Forgot 168 pictures; your files stay."
    assert forgotten_text(Forgotten(1, 1, 0)) == "Forgot 1 picture and 1 other file; your files stay."
    assert json.loads(forgotten_json(Forgotten(2, 1, 1))) == {"event": "summary", "forgotten": 3, "pictures": 2}


def test_plan_notes_warn_of_moving_files_that_were_copied_before() -> None:
    (note,) = plan_notes(PLAN._replace(dest_bytes=b"/Stickers", twice=908))
    assert note.startswith("908 files to be moved are in /Stickers already, with the same bytes")
    assert "hashindex undo" in note


# Organize, undo, history.

BATCH = Batch(
    3,
    BatchCommand.ORGANIZE,
    b"/out",
    Action.MOVE,
    BatchState.APPLIED,
    1_700_000_000 * SECOND,
    None,
    done=4,
    skipped=1,
    undone=0,
    kept=0,
)


def test_organized_json_has_the_counts_of_the_plan_and_the_result() -> None:
    outcome = Outcome(3, 4, (Refusal(b"/a", "it is gone"),))
    assert json.loads(organized_json(PLAN, outcome)) == {
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


def test_organized_text_tells_how_to_undo_or_that_there_was_nothing_to_place() -> None:
    counts = "1 group holds 2 of 7 pictures."
    assert organized_text(PLAN, Outcome(3, 4, ()), rest=True) == (
        f"Copied 4 files to /out (batch 3). {counts} Undo: hashindex undo"
    )
    assert organized_text(PLAN, Outcome(None, 0, ()), rest=True) == f"Nothing new to place. {counts}"
    alone = PLAN._replace(groups=0, grouped=0, remaining=7)
    assert organized_text(alone, Outcome(None, 0, ()), rest=False) == (
        "Nothing new to place. 7 pictures are in no group (--rest takes them)."
    )


def test_plan_notes_name_joined_numbers_and_count_withheld_files() -> None:
    plan = Plan(b"/out", Action.COPY, (), 7, 1, 2, 5, joined=((12, 30),), withheld=2)
    assert list(plan_notes(plan)) == [
        "A new picture belongs to 00012, 00030: it goes to 00012, and all groups keep their numbers.",
        "2 pictures placed before and since deleted, moved or renamed there are not placed again "
        "(--again places them).",
    ]


def test_undone_text_counts_files_that_were_left() -> None:
    outcome = Outcome(3, 4, (Refusal(b"/a", "it has changed since"),))
    assert undone_text(outcome) == "Undid 4 files of batch 3. 1 file left unchanged."
    assert json.loads(undone_json(outcome)) == {
        "event": "summary",
        "batch": 3,
        "undone": 4,
        "refused": 1,
        "stopped": None,
    }
    assert json.loads(refusal_json(outcome.refused[0])) == {
        "event": "refused",
        "path": "/a",
        "reason": "it has changed since",
    }


@pytest.mark.usefixtures("utc")
def test_history_gives_counts_and_times() -> None:
    assert batch_text(BATCH) == "   3  2023-11-14 22:13  move      /out  4 placed, 1 skipped (applied)"
    assert json.loads(batch_json(BATCH)) == {
        "event": "batch",
        "batch": 3,
        "command": "organize",
        "dest": "/out",
        "mode": "move",
        "state": "applied",
        "started_at": "2023-11-14T22:13:20+00:00",
        "finished_at": None,
        "placed": 4,
        "skipped": 1,
        "undone": 0,
        "kept": 0,
        "unreached": 0,
        "trouble": None,
    }


@posix
def test_paths_are_shown_relative_to_the_scanned_folders() -> None:
    one, two = path_text([b"/home/QQ/Pic"]), path_text([b"/home/QQ/Pic", b"/home/QQ/Pic/old", b"/media/cats"])
    assert [one(path) for path in (b"/home/QQ/Pic/a/b.gif", b"/home/QQ/Pictures/b.gif", b"/home/QQ/Pic")] == [
        "a/b.gif",
        "/home/QQ/Pictures/b.gif",
        "/home/QQ/Pic",
    ]
    assert [two(path) for path in (b"/home/QQ/Pic/a.gif", b"/home/QQ/Pic/old/b.gif", b"/media/cats/c\x1b.gif")] == [
        "Pic/a.gif",
        "old/b.gif",
        "cats/c\\x1b.gif",
    ]


def test_a_group_on_a_terminal_is_wrapped_under_its_paths_and_has_styles() -> None:
    text = group_text(GROUP._replace(why="kept: the largest file"), terminal=Terminal(40, True))
    lines = text.splitlines()
    assert max(map(columns_of, lines)) <= 40
    assert lines[0].startswith("\x1b[1mGroup 3: 3 pictures")
    assert lines[2].startswith("  \x1b[1;32m    keep\x1b[0m  \x1b[1m")
    assert all(line.startswith(" " * 12) or "\x1b[" in line or line.startswith("  ") for line in lines[1:])
    assert (
        re.sub("\x1b\\[[0-9;]*m", "", text).split() == group_text(GROUP._replace(why="kept: the largest file")).split()
    )


# Dedupe.


def test_the_paths_in_the_reason_of_a_left_copy_are_shown_like_that_of_the_copy() -> None:
    show = path_text([b"/pic"])
    better = Left(b"/pic/a\n.png", Message("it is better than {name}", name="/pic/old/b\n.png"))
    assert left_text(better, show) == "left  a\\n.png  because it is better than old/b\\n.png"
    assert left_text(better) == "left  /pic/a\\n.png  because it is better than /pic/old/b\\n.png"
    unread = Left(b"/pic/a.png", Message("the disk cannot be read: {reason}", reason=Message("no access")))
    assert left_text(unread, show) == "left  a.png  because the disk cannot be read: no access"
    assert left_text(Left(b"/pic/a.png", "it is in the trash"), show) == "left  a.png  because it is in the trash"
