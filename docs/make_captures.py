"""Captures what commands print: on a terminal of 40 and of 100 columns and in a pipe, in English and in Chinese.

    python docs/make_captures.py DIR       write DIR/LANGUAGE-WIDTH.txt and .svg
    python docs/make_captures.py --page    write docs/captures-LANGUAGE.svg, which the first page shows

Each is a walk from scan to undo over the sample pictures of hashindex demo, in a home folder of its own.
Not on Windows.
"""

import fcntl
import html
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parent
LOCALES: Final = {"en": "C", "zh": "zh_CN.UTF-8"}
"""By the language in the name of a capture."""
WIDTHS: Final = {"40": 40, "100": 100, "pipe": None}
"""Columns of the terminal by the name of a capture; None for a pipe."""

ONE, OTHER = "Pictures/2019-08/IMG_20190821_193012.jpg", "Pictures/2019-08/0F3C9A7712BE4D60.gif"
WALK: Final = (
    "",
    "scan Pictures",
    "groups --limit 4",
    "groups --level similar --limit 2",
    f"query {ONE}",
    f"explain {ONE} {OTHER}",
    f"separate {ONE} {OTHER}",
    "decisions",
    "decisions --undo 1",
    "dedupe",
    "organize Stickers",
    "organize Stickers --apply",
    "history",
    "status",
    "undo",
    "report report.html --limit 3",
    "problems",
    "config",
    "groups --help",
    "groups --levle similar",
    "query nothing.jpg",
)
"""The arguments of each call, in this order."""
PAGE: Final = (f"query {ONE}", "groups --limit 2", f"explain {ONE} {OTHER}")
"""The calls that the first page shows, after a scan."""

CHARACTER_WIDTH: Final = 12.2
"""Of the pictures that Rich draws."""


def on_terminal(
    arguments: Sequence[str],
    columns: int,
    environment: Mapping[str, str],
    folder: Path,
    answer: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """What a command prints on a terminal of its own.

    answer: what the terminal replies to a piece of output; None if standard input is empty and not the terminal.
    """
    controller, terminal = pty.openpty()
    # Pixels too: programs that show pictures ask for them.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, columns * 10, 40 * 20))
    keyboard = subprocess.DEVNULL if answer is None else terminal
    process = subprocess.Popen(
        arguments, stdin=keyboard, stdout=terminal, stderr=terminal, env=environment, cwd=folder, start_new_session=True
    )
    os.close(terminal)
    printed = b""
    try:
        while piece := os.read(controller, 65536):
            printed += piece
            if answer is not None:
                os.write(controller, answer(piece))
    except OSError:  # Linux ends the input of a terminal that no process has open with an error
        pass
    process.wait()
    os.close(controller)
    return printed


def settled(printed: str) -> str:
    """What stays on the terminal: without progress, which is printed over again and again. Colours stay."""
    lines, at = [""], 0
    for token in re.findall(r"\x1b\[\??[0-9;]*[a-zA-Z]|\n|\r|[^\x1b\n\r]+", printed.replace("\r\n", "\n")):
        if token == "\n":
            at += 1
            lines += [""] * (at == len(lines))
        elif token in ("\r", "\x1b[2K"):
            lines[at] = ""
        elif re.fullmatch(r"\x1b\[\d*A", token):
            at -= int(token[2:-1] or 1)
        elif not token.startswith("\x1b") or token.endswith("m"):
            lines[at] += token
    return "\n".join(lines)


def capture(walk: Sequence[str], locale: str, columns: int | None) -> str:
    """The commands of a walk and what they print, with the colours of a terminal."""
    from hashindex.commands.demo.samples import make_samples

    with tempfile.TemporaryDirectory(prefix="hashindex-") as folder:
        home = Path(folder)
        make_samples(home / "Pictures")
        keep = {name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ}
        environment = keep | {"HOME": folder, "LC_ALL": locale, "TERM": "xterm-256color"}
        environment |= {"PYTHONPATH": str(DOCS.parent), "PYTHONUNBUFFERED": "1"}  # both streams in their order
        parts = []
        for call in walk:
            arguments = [sys.executable, "-m", "hashindex", *shlex.split(call)]
            if columns is None:
                done = subprocess.run(
                    arguments, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
                )
                printed = done.stdout.decode()
            else:
                printed = settled(on_terminal(arguments, columns, environment, home).decode())
            parts.append(f"$ hashindex {call}".rstrip() + f"\n{printed}")
    return "\n".join(parts)


def _with_its_width(match: re.Match[str]) -> str:
    """A piece of text with the length that its columns take: Rich counts a Chinese character as one column, not two."""
    from hashindex.output.text.terminal import columns_of

    return f'textLength="{columns_of(html.unescape(match[2])) * CHARACTER_WIDTH:g}"{match[1]}>{match[2]}<'


def svg(text: str, columns: int | None, title: str) -> str:
    """A picture of a terminal, with the fonts of the reader's system."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, file=io.StringIO(), width=columns or 100, force_terminal=True)
    console.print(Text.from_ansi(text), soft_wrap=columns is None)
    picture = console.export_svg(title=title, unique_id="capture")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    return re.sub(r'textLength="[\d.]+"([^>]*)>([^<]*)<', _with_its_width, picture)


def main(arguments: list[str]) -> int:
    """Writes the captures. Returns the exit code."""
    # Before an installed copy, which may be older than this checkout.
    sys.path.insert(0, str(DOCS.parent))
    if len(arguments) != 1:
        print("Usage: python docs/make_captures.py DIR | --page", file=sys.stderr)
        return 2
    if arguments == ["--page"]:
        for language, locale in LOCALES.items():
            text = capture(("scan Pictures", *PAGE), locale, 100).partition("\n\n$")[2]
            (DOCS / f"captures-{language}.svg").write_text(svg(f"${text}", 100, "hashindex"), encoding="utf-8")
        return 0
    target = Path(arguments[0])
    target.mkdir(parents=True, exist_ok=True)
    for language, locale in LOCALES.items():
        for width, columns in WIDTHS.items():
            text, name = capture(WALK, locale, columns), f"{language}-{width}"
            (target / f"{name}.txt").write_text(re.sub(r"\x1b\[[0-9;]*m", "", text), encoding="utf-8")
            (target / f"{name}.svg").write_text(svg(text, columns, f"hashindex, {name}"), encoding="utf-8")
            print(target / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
