"""Installs, removes, starts and stops `hashindex watch` as a service of the person; see units.py for the files.

Writes one file, which it knows again by its mark, and runs the system's own commands. Asks for no special rights.
"""

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hashindex.commands.units import LOG_LINES, MARK, CommandLine, Person, StartEntry, entry_for
from hashindex.core.errors import UsageError


class Ran(NamedTuple):
    """What became of a command."""

    code: int
    output: str


def run_command(command: CommandLine) -> Ran:
    """Runs a command of the system; both of its outputs as one text. One that is not there ends with 127."""
    # What cmd starts may hold on to a pipe for as long as it lives: its end would be waited for.
    output = subprocess.DEVNULL if command[0] == "cmd" else subprocess.PIPE
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False, timeout=120
        )
    except FileNotFoundError:
        return Ran(127, f"there is no {command[0]} here")
    except subprocess.TimeoutExpired:
        return Ran(124, f"{' '.join(command)} did not answer within 2 minutes")
    return Ran(done.returncode, (done.stdout or b"").decode("utf-8", "replace"))


def this_person() -> Person:
    """Whoever runs this, on this machine."""
    return Person(sys.platform, os.path.expanduser("~"), os.environ, getattr(os, "getuid", int)())


def watch_command(catalogue: Path, config: Path | None, arguments: Sequence[str], system: str) -> list[str]:
    """The words that run `hashindex watch` with these arguments from anywhere, with this Python and that catalogue."""
    python = sys.executable
    if system == "win32":
        # The same without a window; UTF-8 for its log.
        windowless = os.path.join(os.path.dirname(python), "pythonw.exe")
        python = windowless if os.path.exists(windowless) else python
    # -P: a folder called hashindex where it is started from is not taken for the program.
    words = [python, "-X", "utf8", "-P", "-m", "hashindex", "--catalogue", os.path.abspath(catalogue)]
    if config is not None:
        words += ["--config", os.path.abspath(config)]
    return [*words, "watch", *arguments]


_NOT_INSTALLED = "The service is not installed; install it: hashindex service install"


class Service:
    """The service of one person. Each method raises UsageError with the way out where the system says no."""

    def __init__(
        self, person: Person, words: Sequence[str], pid: int | None, run: Callable[[CommandLine], Ran]
    ) -> None:
        self.person = person
        self.entry: StartEntry = entry_for(person, words, pid)
        self._pid = pid
        self._run = run

    def install(self) -> None:
        """Writes the entry, switches it on and starts it; one that was installed before is replaced."""
        self._check_manager()
        path = Path(self.entry.path)
        if path.exists() and not self.is_installed():
            raise UsageError(f"{path} is there and was not written by hashindex; move it away, it is left as it is.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.entry.log is not None:
            Path(self.entry.log).parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(self.entry.data)
            os.replace(part, path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error
        *prepare, last = self.entry.installed
        for command in prepare:
            self._run(command)
        self._must(last)

    def uninstall(self) -> bool:
        """Stops the service and removes its entry, and nothing else. False if there was none."""
        if not self.is_installed():
            return False
        for command in self.entry.removing:
            self._run(command)
        os.unlink(self.entry.path)
        for command in self.entry.removed:
            self._run(command)
        return True

    def start(self) -> None:
        self._must_be_installed()
        if self.is_running():
            return
        *prepare, last = self.entry.start
        for command in prepare:
            self._run(command)
        self._must(last)

    def stop(self) -> None:
        self._must_be_installed()
        if self.person.system == "win32" and self._pid is None:
            return
        self._must(self.entry.stop)

    def status(self) -> Ran:
        """What the system says of the service; code 0 if it runs."""
        ran = self._run(self.entry.status)
        if self.person.system == "win32" and f"PID: {self._pid}" not in " ".join(ran.output.split()):
            # tasklist ends with 0 whatever it found.
            return Ran(1, ran.output)
        if self.person.system == "darwin" and "state = running" not in ran.output:
            return Ran(ran.code or 1, ran.output)
        return ran

    def is_running(self) -> bool:
        return self.status().code == 0

    def is_installed(self) -> bool:
        """Whether an entry of ours is there."""
        try:
            return MARK.encode() in Path(self.entry.path).read_bytes()
        except OSError:
            return False

    def logs(self) -> str:
        """The last LOG_LINES lines that the service wrote."""
        if not self.is_installed():
            raise UsageError(_NOT_INSTALLED)
        if self.entry.logs is not None:
            return self._must(self.entry.logs).output
        try:
            with Path(self.entry.log or "").open(encoding="utf-8", errors="replace") as lines:
                return "".join(deque(lines, LOG_LINES))
        except FileNotFoundError:
            return ""

    def _must_be_installed(self) -> None:
        if not self.is_installed():
            raise UsageError(_NOT_INSTALLED)
        self._check_manager()

    def _must(self, command: CommandLine) -> Ran:
        ran = self._run(command)
        if ran.code:
            said = " ".join(ran.output.split()) or f"it ended with {ran.code}"
            raise UsageError(f"{' '.join(command)} failed: {said.rstrip('.')}. See: hashindex service logs")
        return ran

    def _check_manager(self) -> None:
        """Linux: whether this person has a systemd at all; containers and other init systems have none."""
        if self.person.system in ("win32", "darwin"):
            return
        ran = self._run(("systemctl", "--user", "show-environment"))
        if ran.code == 0:
            return
        way_out = "start hashindex watch by what starts programs here (a supervisor, cron's @reboot, your desktop)"
        if "WSL_DISTRO_NAME" in self.person.variables:
            way_out = "put systemd=true below [boot] in /etc/wsl.conf, run wsl --shutdown in Windows, and try again"
        said = " ".join(ran.output.split()).rstrip(".")
        raise UsageError(
            f"There is no systemd for your user here ({said}), so nothing was changed: {way_out}. "
            "hashindex service install --print shows the unit."
        )


def service_of(words: Sequence[str], pid: int | None = None) -> Service:
    """The service of whoever runs this."""
    person = this_person()
    if person.system not in ("win32", "darwin") and shutil.which("systemctl") is None:
        return Service(person, words, pid, lambda command: Ran(127, f"there is no {command[0]}"))
    return Service(person, words, pid, run_command)
