"""What is wrong with a machine, on machines made up for it; each finding with its way out."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from pictures import draw, fill, save
from typer.testing import CliRunner

from hashindex import Finding, HashIndex, Severity
from hashindex.care import doctor
from hashindex.commands.cli import app
from hashindex.core.installation import EXTRAS, how_to_install
from hashindex.core.model import Cache, Client
from hashindex.disk.lock import held
from hashindex.disk.mounts import is_remote, read_mount_command, read_mounts, type_of_mount
from hashindex.store.daemon_state import DaemonState, daemon_lock, daemon_status, lock_path, write_state
from hashindex.store.word_index import WordIndex

GOOD = {"pillow": "13.0", "numpy": "2.4", "numba": "0.68", **dict.fromkeys(chain(*EXTRAS.values()), "1")}


def problems(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.severity is Severity.PROBLEM]


@pytest.fixture(autouse=True)
def _no_clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine's own chat clients are none of the tests' business."""
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))


def test_old_programs_and_a_pillow_without_codecs_are_problems() -> None:
    assert problems(doctor.programs((3, 11), "3.40.1", GOOD, {"WebP": True})) == []
    old = list(doctor.programs((3, 10), "3.36.0", GOOD, {"WebP": False, "JPEG": True}))
    assert problems(old) == ["python", "sqlite", "pillow"]
    assert "without WebP" in old[2].says and all(finding.way_out for finding in old[:3])


def test_extras_that_are_not_there_are_only_a_note() -> None:
    bare = [
        finding for finding in doctor.programs((3, 12), "3.45.0", {"pillow": "13"}, {}) if finding.check == "extras"
    ]
    assert [finding.severity for finding in bare] == [Severity.NOTE] * len(EXTRAS)
    assert [finding.way_out for finding in bare] == [how_to_install(extra) for extra in EXTRAS]


def test_a_sqlite_that_cannot_search_words_is_a_note() -> None:
    assert list(doctor.word_search(True, "3.40.1")) == []
    (note,) = doctor.word_search(False, "3.40.1")
    assert (note.check, note.severity, "hashindex find" in note.says) == ("sqlite", Severity.NOTE, True)
    assert note.way_out is not None and "another Python" in note.way_out


def test_doctor_asks_this_sqlite_whether_it_can_search_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noted() -> bool:
        return any("FTS5" in finding.says for finding in doctor.diagnose(tmp_path / "none.db", 0.0))

    monkeypatch.setattr(WordIndex, "is_available", lambda self: True)
    assert not noted()
    monkeypatch.setattr(WordIndex, "is_available", lambda self: False)
    assert noted()


def test_the_way_of_the_judge_is_named() -> None:
    assert doctor.compiled_judge("") == Finding("judge", Severity.OK, "pictures are compared by compiled functions")
    bare = doctor.compiled_judge("they were not built")
    assert (bare.severity, "NumPy" in bare.says, "not built" in bare.says) == (Severity.NOTE, True, True)
    assert bare.way_out is not None and "compiler" in bare.way_out
    assert doctor.compiled_judge("HASHINDEX_NO_COMPILED is set").way_out == "unset HASHINDEX_NO_COMPILED"


def test_the_daemon_s_lock_and_its_state_are_told_apart(index: HashIndex, folder: Path) -> None:
    def says() -> list[tuple[Severity, str]]:
        found = doctor.daemon(daemon_status(index.path), time.time_ns())
        return [(finding.severity, finding.says) for finding in found]

    assert says() == []
    now_ns = time.time_ns()
    state = DaemonState(7, "here", now_ns, written_ns=now_ns)
    write_state(index.path, state)
    ((severity, text),) = says()
    assert (severity, "process 7 on here, was killed" in text) == (Severity.NOTE, True)
    lock_path(index.path).touch()  # held by nobody
    assert says() == [(severity, text)]
    write_state(index.path, replace(state, ended=True))
    ((severity, text),) = says()
    assert (severity, "it was stopped" in text) == (Severity.OK, True)
    with daemon_lock(index.path, 0.0):
        write_state(index.path, state)
        assert says() == [(Severity.OK, "hashindex watch, process 7 on here, runs")]
        write_state(index.path, replace(state, last_error="The disk is full."))
        assert says() == [
            (Severity.NOTE, "hashindex watch, process 7 on here, runs; its last problem: The disk is full")
        ]
        write_state(index.path, replace(state, written_ns=now_ns - 2 * 3600 * 10**9))
        ((severity, text),) = says()
        assert (severity, "holds the lock, but was last active" in text) == (Severity.PROBLEM, True)


@pytest.mark.parametrize(
    ("folders", "limit", "severity"),
    [(100, 8192, Severity.NOTE), (100, 65_536, Severity.OK), (70_000, 65_536, Severity.PROBLEM)],
)
def test_folders_are_compared_with_what_may_be_watched(folders: int, limit: int, severity: Severity) -> None:
    (finding,) = doctor.watches(folders, {"max_user_watches": limit, "max_user_instances": 128})
    assert finding.severity is severity
    assert (severity is Severity.OK) == (not finding.way_out)
    if severity is Severity.PROBLEM:
        assert f"fs.inotify.max_user_watches={2 * folders + 8192}" in finding.way_out


def test_few_watchers_are_a_note_and_systems_without_inotify_have_none() -> None:
    findings = list(doctor.watches(1, {"max_user_watches": 10**6, "max_user_instances": 8}))
    assert [finding.severity for finding in findings] == [Severity.OK, Severity.NOTE]
    assert list(doctor.watches(10**6, {})) == []


def test_macos_is_told_about_full_disk_access() -> None:
    finding = doctor.root(b"/Users/me/QQ", PermissionError(1, "Operation not permitted"), None, "darwin")
    assert (finding.severity, "Full Disk Access" in finding.way_out) == (Severity.PROBLEM, True)


@pytest.mark.parametrize(
    ("error", "kind", "severity", "words"),
    [
        (None, "ext4", Severity.OK, "can be read (ext4)"),
        (None, None, Severity.OK, "can be read"),
        (None, "cifs", Severity.NOTE, "network file system (cifs)"),
        (PermissionError(13, "Permission denied"), "ext4", Severity.PROBLEM, "may not be read"),
        (FileNotFoundError(2, "No such file or directory"), None, Severity.PROBLEM, "cannot be reached"),
    ],
)
def test_a_root_is_readable_or_says_why_not(
    error: OSError | None, kind: str | None, severity: Severity, words: str
) -> None:
    finding = doctor.root(b"/pictures", error, kind, "linux")
    assert (finding.severity, words in finding.says) == (severity, True)
    assert bool(finding.way_out) == (severity is not Severity.OK)


def test_folders_that_macos_keeps_are_told_from_empty_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = os.fsencode(tmp_path)
    assert list(doctor.guarded([there, there + b"/none"], "darwin")) == []
    monkeypatch.setattr(doctor, "_error_of", lambda folder: PermissionError(1, "Operation not permitted"))
    assert problems(doctor.guarded([there], "darwin")) == ["root"]
    assert list(doctor.guarded([there], "linux")) == []


def test_little_room_is_a_problem() -> None:
    assert doctor.room("catalogue", b"/", 10, 10).severity is Severity.OK
    assert doctor.room("catalogue", b"/", 11, 10).severity is Severity.PROBLEM


def test_caches_that_no_root_holds_are_named() -> None:
    cache = Cache((Client.QQ,), "QQ NT", "1", b"/q/nt_data", (os.path.join(b"/q/nt_data", b"Pic"),))
    (finding,) = doctor.unscanned([cache], [b"/p"])
    assert (finding.severity, finding.way_out) == (Severity.NOTE, "hashindex scan --client qq")
    assert list(doctor.unscanned([cache], [b"/q"])) == []


def test_mounts_are_read_with_spaces_in_their_names() -> None:
    mounts = read_mounts(b"/dev/a / ext4 rw 0 0\nserver:/x /mnt/my\\040share nfs4 rw 0 0\nC: /mnt/c 9p rw 0 0\n")
    if os.name == "posix":
        kinds = [type_of_mount(path, mounts) for path in (b"/home", b"/mnt/my share/pictures", b"/mnt/c/u", b"/mnt/cd")]
        assert kinds == ["ext4", "nfs4", "9p", "ext4"]
        assert [is_remote(kind) for kind in kinds] == [False, True, True, False]
    assert read_mount_command(b"//me@nas/pics on /Volumes/my pics (smbfs, nodev)\n") == [(b"/Volumes/my pics", "smbfs")]


# The real machine, and a real catalogue.


def checks(index: HashIndex) -> dict[str, list[Severity]]:
    found: dict[str, list[Severity]] = {}
    for finding in index.doctor():
        found.setdefault(finding.check, []).append(finding.severity)
    return found


def test_a_sound_catalogue_has_no_problem_and_none_at_all_is_a_note(index: HashIndex, folder: Path) -> None:
    assert Severity.NOTE in checks(index)["catalogue"]
    fill(folder, [1, 2])
    index.scan([folder])
    index.organize(folder.parent / "out", rest=True)
    found = checks(index)
    assert (found["root"], found["destination"], "journal" in found) == ([Severity.OK], [Severity.OK], False)
    assert Severity.PROBLEM not in found["catalogue"]


def test_a_root_that_is_gone_and_a_batch_that_was_cut_off_are_problems(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "a.png")
    index.scan([folder])
    index.organize(folder.parent / "out", rest=True)
    connection = sqlite3.connect(index.path, isolation_level=None)
    connection.execute("UPDATE batch SET state = 'applying'")
    connection.close()
    folder.rename(folder.parent / "elsewhere")
    found = {finding.check: finding for finding in index.doctor() if finding.severity is Severity.PROBLEM}
    assert (found["journal"].way_out, "forget" in found["root"].way_out) == ("hashindex recover", True)
    with held(index.path, 1):
        assert checks(index)["lock"] == [Severity.NOTE]
        assert "journal" not in checks(index)


def test_a_damaged_catalogue_is_found_in_its_indexes_too(index: HashIndex, folder: Path) -> None:
    fill(folder, range(3))
    index.scan([folder])
    connection = sqlite3.connect(index.path, isolation_level=None)
    connection.execute("UPDATE file SET content = 999 WHERE name = '0.png' OR name = x'302e706e67'")
    connection.close()
    (fault,) = [finding.says for finding in index.doctor() if finding.severity is Severity.PROBLEM]
    assert "is damaged" in fault and "a row of file" in fault


def test_a_foreign_file_is_a_finding_and_no_error(index: HashIndex) -> None:
    index.path.write_bytes(b"something else, but longer than the header of SQLite" * 9)
    assert Severity.PROBLEM in checks(index)["catalogue"]


def test_doctor_ends_with_3_where_there_is_a_problem(index: HashIndex, folder: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["doctor", *words], catch_exceptions=False)
        return result.exit_code, result.stdout

    index.scan([folder])
    code, text = run()
    assert (code, text.splitlines()[-1].split(":")[1].split(",")[0].strip()) == (0, "0 problems")
    folder.rmdir()
    code, text = run("--json")
    lines = [json.loads(line) for line in text.splitlines()]
    assert (code, {line["event"] for line in lines}) == (3, {"finding"})
    assert "-> connect its drive" in run()[1]
