"""The settings file (TOML): its keys, its values, and the default paths. Command-line options override it."""

import enum
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from hashindex.core.errors import UsageError
from hashindex.core.keep_rules import KEEP_HELP, KeepRules, keep_rules
from hashindex.core.language import Message, available
from hashindex.core.name_template import DEFAULT_NAME, FIELDS_HELP, Naming
from hashindex.core.options import DEFAULT_HASH, Keep, Level, Limits

CATALOGUE_VARIABLE = "HASHINDEX_CATALOGUE"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every key of the settings file, with its default. None means that the command chooses.

    include and exclude are patterns as in WalkRules; max_... are limits of one picture as in Limits; name and folder
    are templates as in Naming.
    """

    catalogue: str | None = None
    wait: float = 30.0
    workers: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    links: bool = False
    max_pixels: int | None = None
    max_frames: int | None = None
    max_bytes: int | None = None
    max_seconds: float | None = None
    max_memory: int | None = None
    level: Level | None = None
    hash: str | None = None
    radius: int | None = None
    passes: tuple[int, ...] = ()
    keep: KeepRules = (Keep.BEST,)
    engine: str = "auto"
    name: str = DEFAULT_NAME
    folder: str = ""
    lang: str | None = None


class Source(enum.StrEnum):
    """Where the value of a setting comes from. An option of the command line overrides the others."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    OPTION = "option"


class Setting(NamedTuple):
    """A setting in use."""

    key: str
    value: object
    """As in the settings file; None if each command chooses."""
    source: Source


# Description of valid values, and the check. Python counts bool as int, but "workers = true" is a mistake.
_TEXT = (Message("text"), lambda value: isinstance(value, str))
_SWITCH = (Message("true or false"), lambda value: isinstance(value, bool))
_TEXTS = (
    Message("a list of text"),
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
)


def _are_rules(value: object) -> bool:
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return False
    try:
        return bool(keep_rules(value))
    except UsageError:
        return False


def _is_template(value: object, what: str) -> bool:
    try:
        return isinstance(value, str) and bool(Naming(**{what: value}))
    except UsageError:
        return False


_COUNT = (Message("a whole number of 1 or more"), lambda value: type(value) is int and value >= 1)
_BITS = (Message("a whole number of 0 or more"), lambda value: type(value) is int and value >= 0)
_VALUES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "catalogue": _TEXT,
    "wait": (Message("a number of 0 or more"), lambda value: type(value) in (int, float) and value >= 0),
    "workers": _COUNT,
    "include": _TEXTS,
    "exclude": _TEXTS,
    "hidden": _SWITCH,
    "links": _SWITCH,
    "max_pixels": _COUNT,
    "max_frames": _COUNT,
    "max_bytes": _COUNT,
    "max_seconds": (Message("a number above 0"), lambda value: type(value) in (int, float) and 0 < value < 1e9),
    "max_memory": _COUNT,
    "level": (Message("one of {values}", values=", ".join(Level)), lambda value: value in list(Level)),
    "hash": _TEXT,
    "radius": _BITS,
    "passes": (Message("a list of whole numbers"), lambda value: isinstance(value, list) and all(map(_BITS[1], value))),
    "keep": (
        Message("one of {rules}, or several in a list or with commas between", rules=KEEP_HELP),
        _are_rules,
    ),
    "engine": (
        Message("one of {values}", values="auto, bktree, packed"),
        lambda value: value in ("auto", "bktree", "packed"),
    ),
    "name": (
        Message("a template of text and the fields {fields} that gives a valid name without a /", fields=FIELDS_HELP),
        lambda value: _is_template(value, "name"),
    ),
    "folder": (
        Message("a template of text and the fields {fields} that gives a valid folder below DEST", fields=FIELDS_HELP),
        lambda value: _is_template(value, "folder"),
    ),
    "lang": (Message("one of {values}", values=", ".join(available())), lambda value: value in available()),
}


def default_settings_path() -> Path:
    """settings.toml in the platform's folder for user configuration."""
    return platformdirs.user_config_path("hashindex", appauthor=False) / "settings.toml"


def default_catalogue_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The value of HASHINDEX_CATALOGUE, or catalogue.db in the platform's folder for user data."""
    named = environment.get(CATALOGUE_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("hashindex", appauthor=False) / "catalogue.db"


def chosen_catalogue(option: Path | None, settings: Settings) -> tuple[Path, Source]:
    """The catalogue to use. option: what the command line names."""
    if option is not None:
        return option, Source.OPTION
    if os.environ.get(CATALOGUE_VARIABLE):
        return default_catalogue_path(), Source.ENVIRONMENT
    if settings.catalogue:
        return Path(settings.catalogue).expanduser(), Source.FILE
    return default_catalogue_path(), Source.DEFAULT


def settings_in_use(path: Path | None, catalogue: Path | None, wait: float | None) -> list[Setting]:
    """Every setting. path: of the settings file, as for read_settings. catalogue, wait: options of the command line."""
    values = _values(path)
    found = {setting.key: setting for setting in default_settings()}
    found |= {key: Setting(key, value, Source.FILE) for key, value in values.items()}
    used, source = chosen_catalogue(catalogue, read_settings(path))
    found["catalogue"] = Setting("catalogue", str(used), source)
    if wait is not None:
        found["wait"] = Setting("wait", wait, Source.OPTION)
    return list(found.values())


def default_settings() -> list[Setting]:
    """Every setting with its default, without a settings file, environment or options."""
    limits = {f"max_{name}": limit for name, limit in asdict(Limits()).items()}
    others = {"catalogue": str(default_catalogue_path({})), "level": Level.COPIES, "hash": DEFAULT_HASH, **limits}
    found = []
    for field in fields(Settings):
        value = others.get(field.name, field.default)
        found.append(Setting(field.name, list(value) if isinstance(value, tuple) else value, Source.DEFAULT))
    return found


def read_settings(path: Path | None = None) -> Settings:
    """The settings file at path, or at the default path, where it may be missing.

    Raises UsageError if the file at path is missing, or a file is not TOML or has unknown keys or invalid values.
    """
    values = _values(path)
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    if "keep" in given:
        given["keep"] = keep_rules(given["keep"])
    if "level" in given:
        given["level"] = Level(given["level"])
    return Settings(**given)


def _values(path: Path | None) -> dict[str, Any]:
    """The values in the settings file, checked. See read_settings."""
    file = path or default_settings_path()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path is None:
            return {}
        raise UsageError(
            Message("The settings file {file} does not exist; create it, or leave out --config.", file=file)
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    # Imported late: many users have no settings file.
    import tomllib

    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _unreadable(file, error) from error
    for key, value in values.items():
        _check(file, key, value)
    return values


def _unreadable(file: Path, error: Exception) -> UsageError:
    return UsageError(Message("The settings file {file} cannot be read: {error}.", file=file, error=str(error)))


def _check(file: Path, key: str, value: object) -> None:
    if key not in _VALUES:
        known = ", ".join(_VALUES)
        raise UsageError(
            Message(
                "The settings file {file} has an unknown key {key!r}; known are {known}.",
                file=file,
                key=key,
                known=known,
            )
        )
    wanted, fits = _VALUES[key]
    if not fits(value):
        raise UsageError(
            Message(
                "The settings file {file} has {key} = {value!r}; {key} must be {wanted}.",
                file=file,
                key=key,
                value=value,
                wanted=wanted,
            )
        )
