"""The settings in use, as lines of a settings file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

from hashindex.core.language import N_, local, sentence
from hashindex.core.settings import CATALOGUE_VARIABLE, Setting, Source
from hashindex.output.text.common import JsonPath, json_line, show_path
from hashindex.output.text.terminal import columns_of, padded

_CHOSEN = {
    "workers": N_("one per processor"),
    "radius": N_("depends on the hash"),
    "lang": N_("that of the system"),
}
"""What a setting without a value means."""
_SOURCES = {
    Source.DEFAULT: N_("default"),
    Source.FILE: N_("this file"),
    Source.ENVIRONMENT: f"${CATALOGUE_VARIABLE}",
    Source.OPTION: N_("command line"),
}


class SettingJson(TypedDict):
    """A setting in use."""

    event: Literal["setting"]
    key: str
    """Its name in the settings file."""
    value: object
    """As in the settings file; null if each command chooses."""
    source: Source
    """Where the value comes from."""


class SettingsFileJson(TypedDict):
    """Where the settings file is, or would be."""

    event: Literal["settings file"]
    path: JsonPath
    """It need not exist."""


def settings_file_json(path: Path) -> str:
    return json_line(SettingsFileJson(event="settings file", path=str(path)))


def setting_json(setting: Setting) -> str:
    return json_line(SettingJson(event="setting", key=setting.key, value=setting.value, source=setting.source))


def settings_text(path: Path, settings: Sequence[Setting]) -> str:
    """The path of the file, and each setting with its source. Defaults are comments, so that the text is valid TOML."""
    lines = [("# " if setting.source is Source.DEFAULT else "") + _line(setting) for setting in settings]
    width = min(48, max(map(columns_of, lines)))
    shown = [
        f"{padded(line, width)}  # {local(_SOURCES[setting.source])}"
        for line, setting in zip(lines, settings, strict=True)
    ]
    file = show_path(os.fsencode(path))
    if not path.exists():
        file = sentence("{path} (does not exist; create it: hashindex config edit)", path=file)
    return "\n".join([f"# {file}", *shown])


def new_settings_text(settings: Sequence[Setting]) -> str:
    """The text of a new settings file: every setting as a comment."""
    head = sentence("Settings of hashindex. Remove the # before a line to change it; docs/guide.md explains each.")
    return "\n".join([f"# {head}", *(f"# {_line(setting)}" for setting in settings), ""])


def _line(setting: Setting) -> str:
    if setting.value is None:
        return f"{setting.key}: {local(_CHOSEN[setting.key])}"
    # Text, numbers and lists are written in TOML as in JSON. Characters that could control a terminal become escapes.
    value = json.dumps(setting.value, ensure_ascii=False)
    return f"{setting.key} = {value if value.isprintable() else json.dumps(setting.value)}"
