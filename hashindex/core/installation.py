"""How hashindex was installed, and the command that installs an extra into the same place."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

EXTRAS = {
    "dask": ("distributed",),
    "fast": ("numba",),
    "heif": ("pillow-heif",),
    "jxl": ("pillow-jxl-plugin",),
    "raw": ("rawpy",),
    "text": ("onnxruntime", "rapidocr"),
    "thumbnails": ("textual-image",),
}
"""The packages that each extra installs, see pyproject.toml."""


class Installation(NamedTuple):
    """What decides the command. It installs the packages of an extra, wherever hashindex came from."""

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


def how_to_install(extra: str, *, again: bool = False) -> str:
    """The command that installs an extra into this installation, for a shell. again: although it is installed."""
    return command_for(extra, this_installation(), sys.platform, again=again)


def command_for(extra: str, installation: Installation, system: str, *, again: bool = False) -> str:
    """The command that installs an extra. system: as sys.platform."""
    packages = EXTRAS[extra]
    prefix = installation.prefix
    if (prefix / "pipx_metadata.json").exists():
        words = ["pipx", "inject", *(["--force"] if again else []), prefix.name, *packages]
    elif (prefix / "uv-receipt.toml").exists():
        # uv makes the environment of a tool anew, with the packages that this command names.
        extras = [one for one in EXTRAS if one in installation.extras or one == extra]
        wanted = [package for one in extras for package in EXTRAS[one]]
        reinstall = ["--reinstall"] if again else []
        words = [
            "uv",
            "tool",
            "install",
            *reinstall,
            *(word for one in wanted for word in ("--with", one)),
            installation.source,
        ]
    elif installation.has_pip:
        words = [installation.python, "-m", "pip", "install", *(["--force-reinstall"] if again else []), *packages]
    else:
        words = [
            "uv",
            "pip",
            "install",
            *(["--reinstall"] if again else []),
            "--python",
            installation.python,
            *packages,
        ]
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
        [extra for extra, packages in EXTRAS.items() if all(map(is_installed, packages))],
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
