"""hashindex config."""

import enum
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of, settings_path_of
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.settings import default_settings, read_settings, settings_in_use
from hashindex.disk.files import system_reason
from hashindex.output.text.common import show_path
from hashindex.output.text.config import (
    SettingJson,
    SettingsFileJson,
    new_settings_text,
    setting_json,
    settings_file_json,
    settings_text,
)


class ConfigAction(enum.StrEnum):
    """What hashindex config does."""

    SHOW = "show"
    PATH = "path"
    EDIT = "edit"


@command("hashindex config", "hashindex config path", "hashindex config edit", lines=(SettingJson, SettingsFileJson))
def config(
    ctx: typer.Context,
    action: Annotated[
        ConfigAction,
        typer.Argument(metavar="ACTION", help="show the settings, print the path of their file, or edit the file."),
    ] = ConfigAction.SHOW,
) -> None:
    """Show each setting with its value and where it comes from, or edit the settings file.

    Values come from the command line, the environment (HASHINDEX_CATALOGUE), the settings file or the defaults, in this
    order. edit opens the file in the editor that $VISUAL or $EDITOR names, and creates the file if it is missing.
    """
    path = settings_path_of(ctx)
    if action is ConfigAction.PATH:
        print(settings_file_json(path) if ctx.obj["json"] else show_path(os.fsencode(path)))
        return
    if action is ConfigAction.EDIT:
        _create(path)
        _edit(path)
        read_settings(path)
        return
    session = session_of(ctx)
    settings = settings_in_use(ctx.obj["config"], ctx.obj["catalogue"], ctx.obj["wait"])
    if session.json:
        for setting in settings:
            print(setting_json(setting))
    else:
        print(settings_text(path, settings))


def _create(path: Path) -> None:
    """Creates the settings file if it is missing, with every setting as a comment."""
    if path.exists():
        return
    text = new_settings_text(default_settings())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            Message("The settings file {file} cannot be created: {reason}.", file=path, reason=system_reason(error))
        ) from error


def _edit(path: Path) -> None:
    """Opens the file in the user's editor and waits. As git does, a shell splits $VISUAL or $EDITOR into words."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _default_editor(path)
    command = f'{editor} "{path}"' if sys.platform == "win32" else ["sh", "-c", f'{editor} "$@"', editor, str(path)]
    code = subprocess.run(command, check=False).returncode
    if code != 0:
        raise UsageError(
            Message(
                "The editor {editor!r} ended with {code}; choose another with $EDITOR, or edit {file}.",
                editor=editor,
                code=code,
                file=path,
            )
        )


def _default_editor(path: Path) -> str:
    known = ("notepad",) if sys.platform == "win32" else ("editor", "vi", "nano")
    found = next(filter(shutil.which, known), None)
    if found is None or not sys.stdin.isatty():
        raise UsageError(Message("No editor is known: set $EDITOR, or edit {file}.", file=path))
    return found
