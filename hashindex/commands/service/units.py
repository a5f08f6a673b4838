"""The file that starts `hashindex watch` at login: a systemd unit, a LaunchAgent or a start-up entry of Windows.

Makes the text of the file and the commands that install, start, stop and remove it. Does no I/O, so all three can be
tested on any system. background.py writes the file and runs the commands.
"""

import os
import plistlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.language import N_, Message

UNIT = "hashindex.service"
LABEL = "hashindex.watch"
START_UP = "hashindex.cmd"
MARK = "Written by: hashindex service install"
"""Every file that install writes contains it; a file without it is neither replaced nor removed."""
LOG_LINES = 100
_STOP_S = 20
"""hashindex watch ends within 2 s; a busy disk may need longer."""

CommandLine = tuple[str, ...]


class StartEntry(NamedTuple):
    """A file that starts the service, and the commands around it. None of them needs special rights."""

    path: str
    data: bytes
    installed: tuple[CommandLine, ...]
    """To run after the file is written; they enable and start the service."""
    removing: tuple[CommandLine, ...]
    """To run before the file is removed; they fail if the service does not run."""
    removed: tuple[CommandLine, ...]
    start: tuple[CommandLine, ...]
    stop: CommandLine
    status: CommandLine
    """Exit code 0 if the service runs."""
    logs: CommandLine | None
    """None if the log is a file."""
    log: str | None
    note: str = ""
    """Advice to print after install."""


class User(NamedTuple):
    """The user who owns the service, and the system."""

    system: str
    """sys.platform."""
    home: str
    variables: Mapping[str, str]
    uid: int = 0


def entry_for(user: User, command_line: Sequence[str], pid: int | None = None) -> StartEntry:
    """The entry for a user's system.

    command_line: the program and its arguments. pid: of the running service, for Windows. UsageError for an argument
    that the file cannot hold.
    """
    for argument in command_line:
        if not _is_text(argument):
            raise UsageError(
                Message(
                    "{argument!r} has characters that a start-up file cannot hold. Scan the folder once by hand, then "
                    "install the service without naming the folder: hashindex watch watches all known folders.",
                    argument=argument,
                )
            )
    if user.system == "win32":
        return _windows(user, command_line, pid)
    return _macos(user, command_line) if user.system == "darwin" else _linux(user, command_line)


def _is_text(argument: str) -> bool:
    """Whether it has no control characters and no bytes that are not UTF-8."""
    return not re.search("[\0-\x1f\x7f\ud800-\udfff]", argument)


# Linux


def _linux(user: User, command_line: Sequence[str]) -> StartEntry:
    config = user.variables.get("XDG_CONFIG_HOME") or os.path.join(user.home, ".config")
    control = ("systemctl", "--user")
    return StartEntry(
        os.path.join(config, "systemd", "user", UNIT),
        systemd_unit(command_line).encode(),
        installed=((*control, "daemon-reload"), (*control, "enable", UNIT), (*control, "restart", UNIT)),
        removing=((*control, "disable", "--now", UNIT),),
        removed=((*control, "daemon-reload"),),
        start=((*control, "start", UNIT),),
        stop=(*control, "stop", UNIT),
        status=(*control, "status", "--no-pager", "--lines=5", UNIT),
        logs=("journalctl", "--user", "--no-pager", f"--lines={LOG_LINES}", f"--user-unit={UNIT}"),
        log=None,
        note=N_("It runs while you are logged in. To run it from the start of the computer: loginctl enable-linger."),
    )


def systemd_unit(command_line: Sequence[str]) -> str:
    """A user unit of low priority: restarted after a failure, reloaded by SIGHUP, stopped by SIGTERM."""
    return f"""\
# {MARK}
[Unit]
Description=hashindex watch: keeps the index of pictures in step

[Service]
Type=exec
ExecStart={systemd_command(command_line)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=30
TimeoutStopSec={_STOP_S}
Nice=10

[Install]
WantedBy=default.target
"""


def systemd_command(command_line: Sequence[str]) -> str:
    """The value of ExecStart=, quoted and escaped. See "Command lines" in systemd.service(5)."""
    # systemd runs no program whose path has quotes, a backslash or a dollar sign; env does.
    program, *rest = ("/usr/bin/env", *command_line) if re.search(r"""["'\\$]""", command_line[0]) else command_line
    return " ".join([_quoted(program), *(_quoted(argument).replace("$", "$$") for argument in rest)])


def _quoted(argument: str) -> str:
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


# macOS


def _macos(user: User, command_line: Sequence[str]) -> StartEntry:
    path = os.path.join(user.home, "Library", "LaunchAgents", f"{LABEL}.plist")
    log = os.path.join(user.home, "Library", "Logs", "hashindex.log")
    domain = f"gui/{user.uid}"
    service = f"{domain}/{LABEL}"
    return StartEntry(
        path,
        launch_agent(command_line, log),
        # launchd takes a changed agent only after the old one is removed.
        installed=(("launchctl", "bootout", service), ("launchctl", "bootstrap", domain, path)),
        removing=(("launchctl", "bootout", service),),
        removed=(),
        start=(("launchctl", "bootstrap", domain, path), ("launchctl", "kickstart", service)),
        stop=("launchctl", "kill", "SIGTERM", service),
        status=("launchctl", "print", service),
        logs=None,
        log=log,
        note=N_(
            "If a folder cannot be read: System Settings > Privacy & Security > Full Disk Access, add the Python of "
            "the service (hashindex service install --print shows it)."
        ),
    )


def launch_agent(command_line: Sequence[str], log: str) -> bytes:
    """A property list: started at login, restarted after a failure, in the background. See launchd.plist(5)."""
    data = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(command_line),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 30,
            "ExitTimeOut": _STOP_S,
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "StandardOutPath": log,
            "StandardErrorPath": log,
        },
        sort_keys=False,
    )
    return data.replace(b"<plist", f"<!-- {MARK} -->\n<plist".encode(), 1)


# Windows


def _windows(user: User, command_line: Sequence[str], pid: int | None) -> StartEntry:
    roaming = user.variables.get("APPDATA") or os.path.join(user.home, "AppData", "Roaming")
    local = user.variables.get("LOCALAPPDATA") or os.path.join(user.home, "AppData", "Local")
    path = os.path.join(roaming, "Microsoft", "Windows", "Start Menu", "Programs", "Startup", START_UP)
    log = os.path.join(local, "hashindex", "watch.log")
    # taskkill cannot ask a program without a window to close; killing hashindex watch loses nothing.
    number = "0" if pid is None else str(pid)
    end = ("taskkill", "/F", "/T", "/PID", number)
    run = ("cmd", "/d", "/c", path)
    return StartEntry(
        path,
        start_up_entry(command_line, log).encode(),
        installed=(run,),
        removing=() if pid is None else (end,),
        removed=(),
        start=(run,),
        stop=end,
        status=("tasklist", "/FI", f"PID eq {number}", "/FO", "LIST"),
        logs=None,
        log=log,
        note=N_("It starts when you log in."),
    )


def start_up_entry(command_line: Sequence[str], log: str) -> str:
    """A batch file for the Startup folder. It starts the program without a window and does not wait for it.

    Each argument is quoted; within quotes only the percent sign is special to cmd. UsageError for an argument with a
    quotation mark.
    """
    for argument in command_line:
        if '"' in argument:
            raise UsageError(
                Message(
                    "{argument!r} has a quotation mark, which a start-up entry of Windows cannot hold; "
                    "put the command into a .cmd file and name that file.",
                    argument=argument,
                )
            )
    command = " ".join(_quoted_for_cmd(argument) for argument in command_line)
    lines = [
        "@echo off",
        f"rem {MARK}",
        # This file is UTF-8; cmd would read it in the code page of the system.
        "chcp 65001 >nul",
        f"if not exist {_quoted_for_cmd(_folder(log))} mkdir {_quoted_for_cmd(_folder(log))}",
        f'start "" /b {command} >>{_quoted_for_cmd(log)} 2>&1',
    ]
    return "\r\n".join(lines) + "\r\n"


def _quoted_for_cmd(argument: str) -> str:
    # Backslashes are escapes only before a quotation mark, so those at the end are doubled.
    tail = len(argument) - len(argument.rstrip("\\"))
    return '"' + argument.replace("%", "%%") + "\\" * tail + '"'


def _folder(path: str) -> str:
    return re.sub(r"[\\/][^\\/]*$", "", path)
