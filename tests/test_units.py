"""hashindex service: the files that start hashindex watch at login on each system, and the commands that are run."""

import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
import typer.main
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hashindex import UsageError
from hashindex.commands.cli import app
from hashindex.commands.service import background, subcommands
from hashindex.commands.service.background import Ran, Service, watch_command
from hashindex.commands.service.units import (
    LABEL,
    MARK,
    UNIT,
    CommandLine,
    User,
    entry_for,
    launch_agent,
    start_up_entry,
    systemd_command,
    systemd_unit,
)
from hashindex.core.organizing import Action

NASTY = ("/opt/my python/bin/python", "100%", "$HOME", "${x}", "a\\b", 'say "hi"', "表情 包", "it's; | & < > ^ !", "")
SYSTEMS = ("linux", "darwin", "win32")
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


def read_systemd(line: str) -> list[str]:
    """The arguments that systemd reads from an ExecStart= line (systemd.service(5), "Command lines")."""
    found = []
    for number, quoted in enumerate(re.findall(r'"((?:[^"\\]|\\.)*)"', line)):
        word = re.sub(r"\\(.)", r"\1", quoted).replace("%%", "%")
        found.append(word.replace("$$", "$") if number else word)
    return found


@given(st.lists(words, min_size=1, max_size=5))
def test_systemd_reads_the_arguments_back(given: list[str]) -> None:
    read = read_systemd(systemd_command(given))
    assert read == (["/usr/bin/env", *given] if set(given[0]) & set("\"'\\$") else given)


def test_the_unit_has_the_expected_settings() -> None:
    unit = systemd_unit(["/usr/bin/python3", "-m", "hashindex", "watch"])
    for line in (
        'ExecStart="/usr/bin/python3" "-m" "hashindex" "watch"',
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=on-failure",
        "WantedBy=default.target",
    ):
        assert line in unit.splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize("folder", ["plain", "with spaces", "100%", "表情包", "quote'\"s", "back\\slash"])
def test_systemd_analyze_accepts_the_unit(tmp_path: Path, folder: str) -> None:
    program = tmp_path / folder / "python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT
    unit.write_text(systemd_unit([str(program), *NASTY]), encoding="utf-8")
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_LOG_LEVEL": "warning"}
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    about_it = [line for line in done.stderr.splitlines() if UNIT in line or "Exec" in line or folder in line]
    assert (done.returncode, about_it) == (0, []), done.stderr
    # The check can fail: it rejects a unit whose program does not exist.
    unit.write_text(systemd_unit([str(tmp_path / "gone")]), encoding="utf-8")
    gone = subprocess.run(["systemd-analyze", "--user", "verify", "--man=no", str(unit)], check=False, env=environment)
    assert gone.returncode != 0


def test_the_agent_is_a_property_list_with_every_argument() -> None:
    data = launch_agent(NASTY, "/Users/me/Library/Logs/hashindex.log")
    agent = plistlib.loads(data)
    assert agent["ProgramArguments"] == list(NASTY)
    assert (agent["Label"], agent["RunAtLoad"], agent["KeepAlive"]) == (LABEL, True, {"SuccessfulExit": False})
    assert MARK.encode() in data


def read_cmd(line: str) -> list[str]:
    """The arguments in a line of a batch file, all quoted: cmd reads percent signs, the program the rest."""
    return [re.sub(r"\\\\(?=(\\\\)*$)", r"\\", word) for word in re.findall(r'"((?:[^"])*)"', line.replace("%%", "%"))]


def test_the_start_up_entry_quotes_every_argument() -> None:
    nasty = ["C:\\Program Files\\py\\pythonw.exe", "100%", "%PATH%", "a&b|c<d>e^f", "表情", "D:\\", "!x!"]
    text = start_up_entry(nasty, "C:\\Users\\me\\hashindex\\watch.log")
    (line,) = [line for line in text.split("\r\n") if line.startswith("start ")]
    assert read_cmd(line) == ["", *nasty, "C:\\Users\\me\\hashindex\\watch.log"]
    # Outside quotes there is only the command itself.
    assert re.sub(r'"[^"]*"', "", line).split() == ["start", "/b", ">>", "2>&1"]
    assert re.search(r"(?<!%)%(?!%)", text.replace("%%", "")) is None
    assert "chcp 65001 >nul" in text.split("\r\n")
    with pytest.raises(UsageError, match="quotation mark"):
        start_up_entry(['say "hi"'], "log")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("word", ["two\nlines", "\udcff", "\0"])
def test_an_argument_that_the_file_cannot_hold_is_refused(system: str, word: str) -> None:
    with pytest.raises(UsageError, match="cannot hold"):
        entry_for(User(system, "/home/me", {}), ["python", word])


# Written, run, removed: with a system that only takes notes.


class System:
    """Runs nothing. Returns code 0, or a given answer to commands that begin in a given way."""

    def __init__(self, **answers: Ran) -> None:
        self.ran: list[str] = []
        self._answers = answers

    def __call__(self, command: CommandLine) -> Ran:
        self.ran.append(" ".join(command))
        return next((ran for words, ran in self._answers.items() if words in "_".join(command)), Ran(0, ""))


def user(home: Path, system: str, **variables: str) -> User:
    return User(system, str(home), variables, 501)


WORDS = ("python", "-m", "hashindex", "watch")


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("system", "path"),
    [
        ("linux", ".config/systemd/user/hashindex.service"),
        ("darwin", "Library/LaunchAgents/hashindex.watch.plist"),
        ("win32", "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup/hashindex.cmd"),
    ],
)
def test_install_writes_one_file_and_uninstall_removes_it(tmp_path: Path, system: str, path: str) -> None:
    service = Service(user(tmp_path, system), WORDS, None, System())
    service.install()
    assert files_below(tmp_path) == [path]
    # With other arguments, the file is replaced.
    Service(user(tmp_path, system), (*WORDS, "--rest"), None, System()).install()
    assert (files_below(tmp_path), b"--rest" in (tmp_path / path).read_bytes()) == ([path], True)
    assert (service.uninstall(), service.uninstall(), files_below(tmp_path)) == (True, False, [])


@pytest.mark.parametrize("system", SYSTEMS)
def test_another_file_is_neither_replaced_nor_removed(tmp_path: Path, system: str) -> None:
    service = Service(user(tmp_path, system), WORDS, None, System())
    path = Path(service.entry.path)
    path.parent.mkdir(parents=True)
    path.write_text("theirs")
    with pytest.raises(UsageError, match="not written by hashindex"):
        service.install()
    assert (service.uninstall(), path.read_text()) == (False, "theirs")


def test_the_commands_on_linux(tmp_path: Path) -> None:
    system = System()
    service = Service(user(tmp_path, "linux", XDG_CONFIG_HOME=str(tmp_path / "c")), WORDS, None, system)
    service.install()
    service.stop()
    service.uninstall()
    assert files_below(tmp_path) == []
    assert [words.removeprefix("systemctl --user ") for words in system.ran if "show-env" not in words] == [
        "daemon-reload",
        f"enable {UNIT}",
        f"restart {UNIT}",
        f"stop {UNIT}",
        f"disable --now {UNIT}",
        "daemon-reload",
    ]


def test_the_commands_on_macos(tmp_path: Path) -> None:
    system = System(print=Ran(113, "Could not find service"))
    service = Service(user(tmp_path, "darwin"), WORDS, None, system)
    service.install()
    service.start()
    service.stop()
    assert [words.replace(service.entry.path, "PLIST") for words in system.ran] == [
        "launchctl bootout gui/501/hashindex.watch",
        "launchctl bootstrap gui/501 PLIST",
        "launchctl print gui/501/hashindex.watch",
        "launchctl bootstrap gui/501 PLIST",
        "launchctl kickstart gui/501/hashindex.watch",
        "launchctl kill SIGTERM gui/501/hashindex.watch",
    ]


def test_windows_finds_and_ends_the_process_by_its_id(tmp_path: Path) -> None:
    system = System(tasklist=Ran(0, "Image Name: pythonw.exe\r\nPID:          77\r\n"))
    service = Service(user(tmp_path, "win32"), WORDS, 77, system)
    service.install()
    assert service.is_running()
    service.stop()
    assert system.ran[-1] == "taskkill /F /T /PID 77"
    gone = Service(user(tmp_path, "win32"), WORDS, None, System(tasklist=Ran(0, "INFO: No tasks are running")))
    assert not gone.is_running()
    gone.stop()


@pytest.mark.parametrize(
    ("variables", "way_out"),
    [({}, "supervisor, cron"), ({"WSL_DISTRO_NAME": "Ubuntu"}, r"systemd=true below \[boot\] in /etc/wsl.conf")],
)
def test_without_a_user_systemd_nothing_is_written_and_the_error_names_the_way_out(
    tmp_path: Path, variables: dict[str, str], way_out: str
) -> None:
    system = System(systemctl=Ran(1, "Failed to connect to bus: No medium found"))
    service = Service(user(tmp_path, "linux", **variables), WORDS, None, system)
    with pytest.raises(UsageError, match=rf"Failed to connect to bus.*nothing was changed.*{way_out}"):
        service.install()
    assert files_below(tmp_path) == []


def test_an_error_of_the_system_is_passed_on(tmp_path: Path) -> None:
    service = Service(user(tmp_path, "linux"), WORDS, None, System(restart=Ran(1, "Unit\nis bad.\n")))
    with pytest.raises(
        UsageError, match=r"restart hashindex.service failed: Unit is bad\. See: hashindex service logs"
    ):
        service.install()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_service_that_is_not_installed_cannot_be_started(tmp_path: Path, system: str) -> None:
    service = Service(user(tmp_path, system), WORDS, 1, System())
    for act in (service.start, service.stop, service.logs):
        with pytest.raises(UsageError, match="hashindex service install"):
            act()


def test_logs_are_the_last_lines(tmp_path: Path) -> None:
    service = Service(user(tmp_path, "darwin"), WORDS, None, System())
    service.install()
    assert service.logs() == ""
    log = Path(service.entry.log or "")
    log.write_text("".join(f"line {number}\n" for number in range(500)))
    assert (service.logs().splitlines()[0], service.logs().splitlines()[-1]) == ("line 400", "line 499")
    linux = Service(user(tmp_path, "linux"), WORDS, None, System(journalctl=Ran(0, "from the journal\n")))
    linux.install()
    assert linux.logs() == "from the journal\n"


def test_commands_are_run_and_a_missing_one_is_127() -> None:
    ran = background.run_command((sys.executable, "-c", "import sys; print('out'); sys.exit(3)"))
    assert (ran.code, ran.output.split()) == (3, ["out"])
    assert background.run_command(("hashindex-no-such-program",)) == Ran(
        127, "there is no hashindex-no-such-program here"
    )


# The command line


def test_the_command_names_this_python_the_catalogue_and_the_settings(tmp_path: Path) -> None:
    command = watch_command(tmp_path / "c.db", tmp_path / "s.toml", ["--rest"], "linux")
    assert command[0] == sys.executable and command[-1] == "--rest"
    assert command[1:] == [
        *("-X", "utf8", "-P", "-m", "hashindex", "--catalogue", str(tmp_path / "c.db")),
        *("--config", str(tmp_path / "s.toml"), "watch", "--rest"),
    ]


def small_app() -> Any:
    """An app with options of every kind."""
    small = typer.Typer()

    @small.command()
    def watch(
        folders: Annotated[list[str] | None, typer.Argument()] = None,
        organize: Annotated[str | None, typer.Option()] = None,
        every: Annotated[str, typer.Option()] = "1d",
        mode: Annotated[Action, typer.Option()] = Action.COPY,
        rest: Annotated[bool, typer.Option("--rest")] = False,
        hidden: Annotated[bool | None, typer.Option("--hidden/--no-hidden")] = None,
        client: Annotated[list[str] | None, typer.Option()] = None,
        verbose: Annotated[int, typer.Option("--verbose", "-v", count=True)] = 0,
    ) -> None:
        """Not run."""

    small.command("other")(lambda: None)
    return typer.main.get_command(small)


def passed_on(given: Sequence[str]) -> list[str]:
    watch = small_app().commands["watch"]
    with watch.make_context("hashindex watch", list(given)) as context:
        return subcommands.watch_arguments(watch.params, context.params)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], []),
        (["--every", "1d", "--mode", "copy"], []),
        (["--rest", "-vv", "--every=12h"], ["--every=12h", "--rest", "--verbose", "--verbose"]),
        (["--client", "qq", "--client", "tim", "--no-hidden"], ["--no-hidden", "--client=qq", "--client=tim"]),
        (["--mode", "move"], ["--mode=move"]),
        (["--organize", "out", "pictures"], ["--organize=HERE/out", "--", "HERE/pictures"]),
    ],
)
def test_arguments_of_watch_are_passed_on_with_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Sequence[str], words: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    expected = [word.replace("HERE", str(tmp_path)) if os.sep == "/" else word for word in words]
    made = passed_on(given)
    assert made == expected or os.sep != "/"
    # What is passed on is passed on again as it is.
    assert passed_on(made) == made


def test_install_refuses_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        passed_on([str(tmp_path / "none")])


# The command line, with a home and a system of its own.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    monkeypatch.setattr(background, "current_user", lambda: user(tmp_path, "darwin"))
    monkeypatch.setattr(background, "run_command", System(print=Ran(113, "Could not find service")))
    return tmp_path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["service", *map(str, words)], catch_exceptions=False)


def test_status_and_uninstall_without_a_service(home: Path) -> None:
    assert (run("status").exit_code, "not installed" in run("status").stdout) == (3, True)
    result = run("uninstall")
    assert (result.exit_code, result.stdout.startswith("Nothing to remove")) == (0, True)
    assert (run("start").exit_code, run("logs").exit_code) == (2, 2)


def test_install_lists_the_options_of_watch_and_passes_them_on(home: Path) -> None:
    shown = run("install", "--help").stdout
    for option in ("--organize", "--every", "--client", "--notify", "--settle", "FOLDER"):
        assert option in shown
    (home / "pictures").mkdir()
    options = ("--organize", home / "out", "--every", "12h", "--rest", "--client", "qq")
    text = run("install", "--print", "--json", home / "pictures", *options).stdout
    words = json.loads(text)["text"]
    for word in ("--every=12h", "--rest", "--client=qq", f"--organize={home / 'out'}", str(home / "pictures")):
        assert word in words
    assert "--json" not in words


def test_service_is_silent_with_quiet(home: Path) -> None:
    done = [run(name, "-q") for name in ("install", "stop", "uninstall")]
    assert [(result.exit_code, result.output) for result in done] == [(0, "")] * 3


def test_install_refuses_what_watch_would_refuse(home: Path) -> None:
    result = run("install", "--rest")
    assert (result.exit_code, "--rest needs --organize" in result.stderr) == (2, True)
