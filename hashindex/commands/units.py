"""What starts `hashindex watch` with a person's session: a systemd unit, a LaunchAgent or a start-up entry, as text.

Pure: (the words of a command, the folders of a person) -> a file, and the commands that switch it on and off. So all
three are made and tested on any system. background.py writes and runs them.
"""

import os
import plistlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hashindex.core.errors import UsageError

UNIT = "hashindex.service"
LABEL = "hashindex.watch"
START_UP = "hashindex.cmd"
MARK = "Written by: hashindex service install"
"""In every file of ours: another one of the same name is neither replaced nor removed."""
LOG_LINES = 100
_STOP_S = 20
"""hashindex watch leaves within 2 s; a busy disk may need longer."""

CommandLine = tuple[str, ...]


class StartEntry(NamedTuple):
    """A file that starts the service, and the commands around it. None of them needs special rights."""

    path: str
    data: bytes
    installed: tuple[CommandLine, ...]
    """To run once the file is written: it is switched on, and running."""
    removing: tuple[CommandLine, ...]
    """To run before the file is removed; they may fail where nothing runs."""
    removed: tuple[CommandLine, ...]
    start: tuple[CommandLine, ...]
    stop: CommandLine
    status: CommandLine
    """Exits with 0 if the service runs."""
    logs: CommandLine | None
    """None: the log is a file."""
    log: str | None
    note: str = ""
    """What a person should know once it is installed."""


class Person(NamedTuple):
    """Whose service it is."""

    system: str
    """sys.platform."""
    home: str
    variables: Mapping[str, str]
    uid: int = 0


def entry_for(person: Person, words: Sequence[str], pid: int | None = None) -> StartEntry:
    """The entry for a person's system. words: the whole command; pid: of the running service, for Windows.

    UsageError for a word that the file cannot hold.
    """
    for word in words:
        if not _is_text(word):
            raise UsageError(
                f"{word!r} has characters that a start-up file cannot hold. Scan such a folder by hand once, then "
                "install the service without naming it: hashindex watch takes all known folders."
            )
    if person.system == "win32":
        return _windows(person, words, pid)
    return _macos(person, words) if person.system == "darwin" else _linux(person, words)


def _is_text(word: str) -> bool:
    """No stray byte of a name that is not UTF-8, no control character."""
    return not re.search("[\0-\x1f\x7f\ud800-\udfff]", word)


# Linux


def _linux(person: Person, words: Sequence[str]) -> StartEntry:
    config = person.variables.get("XDG_CONFIG_HOME") or os.path.join(person.home, ".config")
    control = ("systemctl", "--user")
    return StartEntry(
        os.path.join(config, "systemd", "user", UNIT),
        systemd_unit(words).encode(),
        installed=((*control, "daemon-reload"), (*control, "enable", UNIT), (*control, "restart", UNIT)),
        removing=((*control, "disable", "--now", UNIT),),
        removed=((*control, "daemon-reload"),),
        start=((*control, "start", UNIT),),
        stop=(*control, "stop", UNIT),
        status=(*control, "status", "--no-pager", "--lines=5", UNIT),
        logs=("journalctl", "--user", "--no-pager", f"--lines={LOG_LINES}", f"--user-unit={UNIT}"),
        log=None,
        note="It runs while you are logged in; to have it run from the start of the computer: loginctl enable-linger",
    )


def systemd_unit(words: Sequence[str]) -> str:
    """A user unit: restarted when it fails, reloaded by SIGHUP, ended by SIGTERM, polite. See systemd.service(5)."""
    return f"""\
# {MARK}
[Unit]
Description=hashindex watch: keeps the index of pictures in step

[Service]
Type=exec
ExecStart={systemd_command(words)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=30
TimeoutStopSec={_STOP_S}
Nice=10

[Install]
WantedBy=default.target
"""


def systemd_command(words: Sequence[str]) -> str:
    """Words as ExecStart= takes them: quoted, specifiers and variables escaped ("Command lines" there)."""
    # systemd runs no program with such a name, nor replaces variables in it; env does not mind.
    program, *rest = ("/usr/bin/env", *words) if re.search(r"""["'\\$]""", words[0]) else words
    return " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in rest)])


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


# macOS


def _macos(person: Person, words: Sequence[str]) -> StartEntry:
    path = os.path.join(person.home, "Library", "LaunchAgents", f"{LABEL}.plist")
    log = os.path.join(person.home, "Library", "Logs", "hashindex.log")
    domain = f"gui/{person.uid}"
    service = f"{domain}/{LABEL}"
    return StartEntry(
        path,
        launch_agent(words, log),
        # Of an older one nothing is left when the new one is taken in.
        installed=(("launchctl", "bootout", service), ("launchctl", "bootstrap", domain, path)),
        removing=(("launchctl", "bootout", service),),
        removed=(),
        start=(("launchctl", "bootstrap", domain, path), ("launchctl", "kickstart", service)),
        stop=("launchctl", "kill", "SIGTERM", service),
        status=("launchctl", "print", service),
        logs=None,
        log=log,
        note="If a folder cannot be read: System Settings > Privacy & Security > Full Disk Access, add the Python of "
        "the service (hashindex service install --print shows it)",
    )


def launch_agent(words: Sequence[str], log: str) -> bytes:
    """A property list: started at login, started again when it failed, in the background. See launchd.plist(5)."""
    data = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(words),
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


def _windows(person: Person, words: Sequence[str], pid: int | None) -> StartEntry:
    roaming = person.variables.get("APPDATA") or os.path.join(person.home, "AppData", "Roaming")
    local = person.variables.get("LOCALAPPDATA") or os.path.join(person.home, "AppData", "Local")
    path = os.path.join(roaming, "Microsoft", "Windows", "Start Menu", "Programs", "Startup", START_UP)
    log = os.path.join(local, "hashindex", "watch.log")
    # A program without a window gets no request to close; being ended in the middle costs hashindex watch nothing.
    number = "0" if pid is None else str(pid)
    end = ("taskkill", "/F", "/T", "/PID", number)
    run = ("cmd", "/d", "/c", path)
    return StartEntry(
        path,
        start_up_entry(words, log).encode(),
        installed=(run,),
        removing=() if pid is None else (end,),
        removed=(),
        start=(run,),
        stop=end,
        status=("tasklist", "/FI", f"PID eq {number}", "/FO", "LIST"),
        logs=None,
        log=log,
        note="It starts when you log in",
    )


def start_up_entry(words: Sequence[str], log: str) -> str:
    """A batch file for the Startup folder, which starts the program without a window and does not wait for it.

    Every word is quoted: within quotes cmd takes nothing but the percent sign for special. UsageError for a word that
    has a quotation mark itself.
    """
    for word in words:
        if '"' in word:
            raise UsageError(
                f"{word!r} has a quotation mark, which a start-up entry of Windows cannot hold; "
                "put the command into a .cmd file and name that."
            )
    command = " ".join(_quoted_for_cmd(word) for word in words)
    lines = [
        "@echo off",
        f"rem {MARK}",
        # This file is UTF-8; cmd would read it in the code page of the system.
        "chcp 65001 >nul",
        f"if not exist {_quoted_for_cmd(_folder(log))} mkdir {_quoted_for_cmd(_folder(log))}",
        f'start "" /b {command} >>{_quoted_for_cmd(log)} 2>&1',
    ]
    return "\r\n".join(lines) + "\r\n"


def _quoted_for_cmd(word: str) -> str:
    # Programs take backslashes before a quotation mark for escapes, and only there.
    tail = len(word) - len(word.rstrip("\\"))
    return '"' + word.replace("%", "%%") + "\\" * tail + '"'


def _folder(path: str) -> str:
    return re.sub(r"[\\/][^\\/]*$", "", path)
