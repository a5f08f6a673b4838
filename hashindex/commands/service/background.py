"""Installs, removes, starts and stops `hashindex watch` as a service of the user; units.py makes the file.

Writes one file, recognised later by units.MARK, and runs commands of the system. Needs no special rights.
"""

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hashindex.commands.service.units import LOG_LINES, MARK, CommandLine, StartEntry, User, entry_for
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, sentence
from hashindex.disk.files import system_reason


class Ran(NamedTuple):
    """The result of a command of the system."""

    code: int
    output: str


def run_command(command: CommandLine) -> Ran:
    """Runs a command of the system for at most 2 min. Code 127: no such program. Code 124: out of time."""
    # A program that cmd starts inherits the pipe and keeps it open, so reading it would never end.
    output = subprocess.DEVNULL if command[0] == "cmd" else subprocess.PIPE
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False, timeout=120
        )
    except FileNotFoundError:
        return Ran(127, sentence("there is no {program} here", program=command[0]))
    except subprocess.TimeoutExpired:
        return Ran(124, sentence("{command} did not answer within 2 minutes", command=" ".join(command)))
    return Ran(done.returncode, (done.stdout or b"").decode("utf-8", "replace"))


def current_user() -> User:
    """The user who runs this process."""
    return User(sys.platform, os.path.expanduser("~"), os.environ, getattr(os, "getuid", int)())


def watch_command(catalogue: Path, config: Path | None, arguments: Sequence[str], system: str) -> list[str]:
    """The command line that runs `hashindex watch` from any folder, with this Python and the given catalogue."""
    python = sys.executable
    if system == "win32":
        # pythonw opens no window.
        windowless = os.path.join(os.path.dirname(python), "pythonw.exe")
        python = windowless if os.path.exists(windowless) else python
    # -P: a folder named hashindex in the working directory is not imported. -X utf8: for the log on Windows.
    command_line = [python, "-X", "utf8", "-P", "-m", "hashindex", "--catalogue", os.path.abspath(catalogue)]
    if config is not None:
        command_line += ["--config", os.path.abspath(config)]
    return [*command_line, "watch", *arguments]


_NOT_INSTALLED = Message("The service is not installed; install it: hashindex service install")


class Service:
    """The service of one user. Each method raises UsageError with a way out if the system refuses."""

    def __init__(
        self, user: User, command_line: Sequence[str], pid: int | None, run: Callable[[CommandLine], Ran]
    ) -> None:
        self.user = user
        self.entry: StartEntry = entry_for(user, command_line, pid)
        self._pid = pid
        self._run = run

    def install(self) -> None:
        """Writes the entry, enables it and starts it. Replaces an earlier one."""
        self._check_manager()
        path = Path(self.entry.path)
        if path.exists() and not self.is_installed():
            raise UsageError(
                Message("{path} exists and was not written by hashindex, so it is kept; move it away.", path=path)
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.entry.log is not None:
            Path(self.entry.log).parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(self.entry.data)
            os.replace(part, path)
        except OSError as error:
            raise UsageError(
                Message("{path} cannot be written: {reason}.", path=path, reason=system_reason(error))
            ) from error
        *prepare, last = self.entry.installed
        for command in prepare:
            self._run(command)
        self._run_or_fail(last)

    def uninstall(self) -> bool:
        """Stops the service and removes its entry only. False if there was none."""
        if not self.is_installed():
            return False
        for command in self.entry.removing:
            self._run(command)
        os.unlink(self.entry.path)
        for command in self.entry.removed:
            self._run(command)
        return True

    def start(self) -> None:
        self._check_installed()
        if self.is_running():
            return
        *prepare, last = self.entry.start
        for command in prepare:
            self._run(command)
        self._run_or_fail(last)

    def stop(self) -> None:
        self._check_installed()
        if self.user.system == "win32" and self._pid is None:
            return
        self._run_or_fail(self.entry.stop)

    def status(self) -> Ran:
        """The state of the service as the system reports it; code 0 if it runs."""
        ran = self._run(self.entry.status)
        if self.user.system == "win32" and f"PID: {self._pid}" not in " ".join(ran.output.split()):
            # tasklist ends with 0 in any case.
            return Ran(1, ran.output)
        if self.user.system == "darwin" and "state = running" not in ran.output:
            return Ran(ran.code or 1, ran.output)
        return ran

    def is_running(self) -> bool:
        return self.status().code == 0

    def is_installed(self) -> bool:
        """Whether an entry written by install exists."""
        try:
            return MARK.encode() in Path(self.entry.path).read_bytes()
        except OSError:
            return False

    def logs(self) -> str:
        """The last LOG_LINES lines of the log."""
        if not self.is_installed():
            raise UsageError(_NOT_INSTALLED)
        if self.entry.logs is not None:
            return self._run_or_fail(self.entry.logs).output
        try:
            with Path(self.entry.log or "").open(encoding="utf-8", errors="replace") as lines:
                return "".join(deque(lines, LOG_LINES))
        except FileNotFoundError:
            return ""

    def _check_installed(self) -> None:
        if not self.is_installed():
            raise UsageError(_NOT_INSTALLED)
        self._check_manager()

    def _run_or_fail(self, command: CommandLine) -> Ran:
        ran = self._run(command)
        if ran.code:
            output = " ".join(ran.output.split()).rstrip(".") or Message("it ended with {code}", code=ran.code)
            raise UsageError(
                Message(
                    "{command} failed: {output}. See: hashindex service logs", command=" ".join(command), output=output
                )
            )
        return ran

    def _check_manager(self) -> None:
        """On Linux, UsageError if this user has no systemd, as in containers and with other init systems."""
        if self.user.system in ("win32", "darwin"):
            return
        ran = self._run(("systemctl", "--user", "show-environment"))
        if ran.code == 0:
            return
        way_out = Message("start hashindex watch by other means (a supervisor, cron's @reboot, your desktop)")
        if "WSL_DISTRO_NAME" in self.user.variables:
            way_out = Message(
                "put systemd=true below [boot] in /etc/wsl.conf, run wsl --shutdown in Windows, and try again"
            )
        output = " ".join(ran.output.split()).rstrip(".")
        raise UsageError(
            Message(
                "There is no systemd for your user here ({output}), so nothing was changed; {way_out}. "
                "hashindex service install --print shows the unit.",
                output=output,
                way_out=way_out,
            )
        )


def service_of(command_line: Sequence[str], pid: int | None = None) -> Service:
    """The service of the current user."""
    user = current_user()
    if user.system not in ("win32", "darwin") and shutil.which("systemctl") is None:
        return Service(
            user,
            command_line,
            pid,
            lambda command: Ran(127, sentence("there is no {program} here", program=command[0])),
        )
    return Service(user, command_line, pid, run_command)
