"""How hashindex was installed, and the command that installs an extra into the same place."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

EXTRAS = {
    "fast": "numba",
    "heif": "pillow-heif",
    "jxl": "pillow-jxl-plugin",
    "raw": "rawpy",
    "thumbnails": "textual-image",
}
"""The package that each extra installs, see pyproject.toml."""


class Installation(NamedTuple):
    """What decides the command. An extra is one package, so its package is installed, wherever hashindex came from."""

    prefix: Path
    """The virtual environment, or the Python installation, that hashindex runs in."""
    python: str
    """The path of the interpreter."""
    has_pip: bool
    """Whether the interpreter can run pip. Environments of uv have none."""
    source: str
    """What hashindex was installed from: a path, a URL, or its name in a package index."""
    extras: Sequence[str]
    """The extras whose packages are installed."""


def how_to_install(extra: str) -> str:
    """The command that installs an extra into this installation, for a shell."""
    return command_for(extra, this_installation(), sys.platform)


def command_for(extra: str, installation: Installation, system: str) -> str:
    """The command that installs an extra. system: as sys.platform."""
    package = EXTRAS[extra]
    prefix = installation.prefix
    if (prefix / "pipx_metadata.json").exists():
        words = ["pipx", "inject", prefix.name, package]
    elif (prefix / "uv-receipt.toml").exists():
        # uv makes the environment of a tool anew, with the packages that this command names.
        wanted = [EXTRAS[one] for one in EXTRAS if one in installation.extras or one == extra]
        words = ["uv", "tool", "install", *(word for one in wanted for word in ("--with", one)), installation.source]
    elif installation.has_pip:
        words = [installation.python, "-m", "pip", "install", package]
    else:
        words = ["uv", "pip", "install", "--python", installation.python, package]
    return shell_line(words, system)


def shell_line(words: Sequence[str], system: str) -> str:
    """A command as a user types it. system: as sys.platform."""
    # Imported late, here and below: every process that decodes pictures imports this module, and few need advice.
    import shlex
    import subprocess

    return subprocess.list2cmdline(words) if system == "win32" else shlex.join(words)


@cache
def this_installation() -> Installation:
    """Reads the metadata of the packages: about 20 ms, once a process."""
    import importlib.metadata
    import importlib.util

    def is_installed(package: str) -> bool:
        try:
            return bool(importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            return False

    try:
        url = importlib.metadata.distribution("hashindex").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:  # run from its folder, without installation
        url = None
    return Installation(
        Path(sys.prefix),
        sys.executable,
        importlib.util.find_spec("pip") is not None,
        source_of(url),
        [extra for extra, package in EXTRAS.items() if is_installed(package)],
    )


def source_of(direct_url: str | None) -> str:
    """What can be installed again. direct_url: the text of direct_url.json (PEP 610); None for a package index."""
    import json
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    if direct_url is None:
        return "hashindex"
    found = json.loads(direct_url)
    url = str(found["url"])
    if url.startswith("file:"):
        return url2pathname(urlsplit(url).path)
    return f"{found['vcs_info']['vcs']}+{url}" if "vcs_info" in found else url
