"""Where chat clients store their pictures, by the layout of their folders alone, never by file names.

Does no I/O of its own: find gets a Machine and a Folders, so that the layouts of all systems are tested on each.
Nothing here lists pictures; caches.py does, on this machine. docs/clients.md has the layouts as a table.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol

from hashindex.core.language import Message
from hashindex.core.model import Cache, Client


class Folders(Protocol):
    """Reads folders. A missing or unreadable folder or file is empty."""

    def names(self, folder: bytes) -> list[bytes]:
        """Names of the subfolders, in byte order."""

    def has(self, folder: bytes) -> bool:
        """Whether the folder exists."""

    def files(self, folder: bytes, extension: bytes) -> list[bytes]:
        """Paths of the files in a folder with this extension."""

    def text(self, file: bytes) -> bytes:
        """The bytes of a small file."""


class Machine(NamedTuple):
    """The facts that decide where a client stores its data."""

    system: str
    """sys.platform: "win32" or "darwin"; any other value is treated as Linux."""
    home: bytes
    documents: bytes
    """As the system reports it: OneDrive may have moved it away from home."""
    downloads: bytes
    variables: Mapping[str, str]
    """Environment variables."""

    def folder(self, variable: str, *default: bytes) -> bytes:
        """The folder that an environment variable names, or else the folder default below home."""
        named = self.variables.get(variable)
        return os.fsencode(named) if named else os.path.join(self.home, *default)


_HEX = rb"[0-9a-fA-F]"
_DIGITS = re.compile(rb"\d{4,12}")
_NT_ACCOUNT = re.compile(rb"nt_qq(?:_(%s{32}))?" % _HEX)
_WECHAT4_ACCOUNT = re.compile(rb"(.+)_%s{4}" % _HEX)
_EXPORT = re.compile(rb"(?:Chat|Data)Export_.*")
_DISCORDS = (b"discord", b"discordptb", b"discordcanary", b"discorddevelopment")
_OLD_QQ = (b"C2C", b"Group", b"Group2")
_WECHAT3 = (b"Image", b"MsgAttach", b"CustomEmotion")

CONTAINERS = tuple((b"Library", b"Containers", name, b"Data") for name in (b"com.tencent.qq", b"com.tencent.xinWeChat"))
"""macOS: the folders of QQ and WeChat, below home. They cannot be listed without Full Disk Access."""


def find(machine: Machine, folders: Folders) -> list[Cache]:
    """Every cache on a machine, client by client, each folder once."""
    found: dict[bytes, Cache] = {}
    for find_caches in (_qq, _wechat, _telegram, _discord):
        for cache in find_caches(machine, folders):
            found.setdefault(os.path.normcase(cache.folder_bytes), cache)
    return list(found.values())


# QQ and TIM


def _qq(machine: Machine, folders: Folders) -> Iterator[Cache]:
    if machine.system == "win32":
        for root in _tencent_files(machine, folders):
            for account in folders.names(root):
                if _DIGITS.fullmatch(account):
                    place = os.path.join(root, account)
                    yield from _nt_data(os.path.join(place, b"nt_qq"), account, folders)
                    yield from _old_qq(os.path.join(place, b"Image"), account, folders)
        return
    if machine.system == "darwin":
        above = [os.path.join(machine.home, *CONTAINERS[0], b"Library", b"Application Support", b"QQ")]
    else:
        above = [os.path.join(config, b"QQ") for config in _configs(machine, b"com.qq.QQ")]
    for place in above:
        for name in folders.names(place):
            match = _NT_ACCOUNT.fullmatch(name)
            if match:
                yield from _nt_data(os.path.join(place, name), match[1] or b"", folders)


def _nt_data(account: bytes, name: bytes, folders: Folders) -> Iterator[Cache]:
    """Only Pic and Emoji: QQ writes to the databases and logs beside them all the time."""
    data = os.path.join(account, b"nt_data")
    pictures = _existing(data, (b"Pic", b"Emoji"), folders)
    if pictures:
        yield Cache((Client.QQ,), "QQ NT", os.fsdecode(name), data, pictures)


def _old_qq(image: bytes, name: bytes, folders: Folders) -> Iterator[Cache]:
    pictures = _existing(image, _OLD_QQ, folders)
    if pictures:
        yield Cache((Client.QQ, Client.TIM), Message("old QQ or TIM"), os.fsdecode(name), image, pictures)


def _tencent_files(machine: Machine, folders: Folders) -> list[bytes]:
    """The folders of the accounts of QQ and TIM on Windows: in Documents, and where their settings say."""
    public = machine.folder("PUBLIC", b"..", b"Public")
    places = [os.path.join(machine.documents, b"Tencent Files")]
    for program in (b"QQ", b"TIM"):
        text = folders.text(os.path.join(public, b"Documents", b"Tencent", program, b"UserDataInfo.ini"))
        chosen = _chosen_by(text)
        if chosen:
            places += [os.path.join(chosen, b"Tencent Files"), chosen]
    return _distinct(places)


def _chosen_by(ini: bytes) -> bytes | None:
    """UserDataSavePath in QQ's UserDataInfo.ini if it is in effect (type 2). UTF-8 or GBK, or UTF-16 with a BOM."""
    # Here, because every command imports this module for owner_of.
    import configparser

    try:
        text = ini.decode("utf-16" if ini.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        text = ini.decode("gbk", "surrogateescape")
    # No interpolation: a path may contain a percent sign.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    if parser.get("UserDataSet", "UserDataSavePathType", fallback="") != "2":
        return None
    path = parser.get("UserDataSet", "UserDataSavePath", fallback="").strip().strip('"')
    return os.fsencode(path) if path else None


# WeChat


def _wechat(machine: Machine, folders: Folders) -> Iterator[Cache]:
    places = [machine.documents]
    if machine.system == "win32":
        config = os.path.join(machine.folder("APPDATA", b"AppData", b"Roaming"), b"Tencent", b"xwechat", b"config")
        chosen = (folders.text(file).decode("utf-8", "replace").strip() for file in folders.files(config, b".ini"))
        places += [os.fsencode(path) for path in chosen if path and "\n" not in path and "\0" not in path]
    elif machine.system == "darwin":
        places += [os.path.join(machine.home, *CONTAINERS[1], b"Documents"), os.path.join(machine.home, *CONTAINERS[1])]
    else:
        places += [machine.home, os.path.join(machine.home, b".var", b"app", b"com.tencent.WeChat")]
    for place in _distinct(places):
        for root in _distinct([os.path.join(place, b"xwechat_files"), place]):
            for account in folders.names(root):
                pictures = _existing(os.path.join(root, account), (os.path.join(b"msg", b"attach"),), folders)
                match = _WECHAT4_ACCOUNT.fullmatch(account)
                if match and pictures:
                    folder = os.path.join(root, account)
                    yield Cache((Client.WECHAT,), "WeChat 4", os.fsdecode(match[1]), folder, pictures)
        root = os.path.join(place, b"WeChat Files")
        for account in folders.names(root):
            storage = os.path.join(root, account, b"FileStorage")
            pictures = _existing(storage, _WECHAT3, folders)
            if pictures:
                yield Cache((Client.WECHAT,), "WeChat 3", os.fsdecode(account), storage, pictures)


# Telegram


def _telegram(machine: Machine, folders: Folders) -> Iterator[Cache]:
    if machine.system == "win32":
        places = [os.path.join(machine.folder("APPDATA", b"AppData", b"Roaming"), b"Telegram Desktop")]
    elif machine.system == "darwin":
        places = [os.path.join(machine.home, b"Library", b"Application Support", b"Telegram Desktop")]
    else:
        data = machine.folder("XDG_DATA_HOME", b".local", b"share")
        flatpak = os.path.join(machine.home, b".var", b"app", b"org.telegram.desktop", b"data")
        places = [os.path.join(place, b"TelegramDesktop") for place in (data, flatpak)]
    for place in places:
        data = os.path.join(place, b"tdata")
        if folders.has(data):
            why = Message(
                "Telegram encrypts its cache; export a chat (its menu, Export chat history), and that is found"
            )
            yield Cache((Client.TELEGRAM,), "Telegram Desktop", "", data, (), unreadable=(why,))
    saved = os.path.join(machine.downloads, b"Telegram Desktop")
    if folders.has(saved):
        # Telegram saves pictures and new exports there.
        yield Cache((Client.TELEGRAM,), Message("Telegram Desktop, saved and exported"), "", saved, (saved,))
    for name in folders.names(machine.downloads):
        export = os.path.join(machine.downloads, name)
        if _EXPORT.fullmatch(name) and _existing(export, (b"photos", b"stickers", b"chats"), folders):
            yield Cache((Client.TELEGRAM,), Message("Telegram export"), "", export, (export,))


# Discord


def _discord(machine: Machine, folders: Folders) -> Iterator[Cache]:
    if machine.system == "win32":
        configs = [machine.folder("APPDATA", b"AppData", b"Roaming")]
    elif machine.system == "darwin":
        configs = [os.path.join(machine.home, b"Library", b"Application Support")]
    else:
        configs = _configs(machine, b"com.discordapp.Discord", b"com.discordapp.DiscordCanary")
        configs.append(os.path.join(machine.home, b"snap", b"discord", b"current", b".config"))
    why = Message("files of less than 16 KB are stored together in data_1 to data_3, which hashindex does not read")
    for config in configs:
        for name in _DISCORDS:
            folder = os.path.join(config, name, b"Cache", b"Cache_Data")
            if folders.has(folder):
                edition = os.fsdecode(name.removeprefix(b"discord"))
                yield Cache((Client.DISCORD,), "Discord", edition, folder, (folder,), unreadable=(why,))


def _configs(machine: Machine, *flatpaks: bytes) -> list[bytes]:
    """The configuration folders of Linux programs: the user's, and that of each flatpak."""
    own = machine.folder("XDG_CONFIG_HOME", b".config")
    return [own, *(os.path.join(machine.home, b".var", b"app", flatpak, b"config") for flatpak in flatpaks)]


def _existing(folder: bytes, names: Iterable[bytes], folders: Folders) -> tuple[bytes, ...]:
    paths = (os.path.join(folder, name) for name in names)
    return tuple(path for path in paths if folders.has(path))


def _distinct(paths: Iterable[bytes]) -> list[bytes]:
    return list({os.path.normcase(os.path.normpath(path)): os.path.normpath(path) for path in paths}.values())


# The owner of a path


WHAT_IT_DOES = {
    "QQ": Message(
        "QQ fetches a picture that it misses again when it is shown, perhaps into another month's folder; "
        "that fails for most that are older than 30 days"
    ),
    "old QQ or TIM": Message(
        "old QQ and TIM fetch a picture that they miss again when it is shown; "
        "that fails for most that are older than 30 days"
    ),
    "WeChat": Message("WeChat shows a hole where a picture is missing, and fetches only recent ones again"),
    "Discord": Message("Discord fetches what it misses again, under another name"),
}
"""What each client does after a picture was moved out of its folders."""


@lru_cache(maxsize=4096)
def owner_of(folder: bytes) -> str | None:
    """The client whose cache a folder is in, by its path alone: a key of WHAT_IT_DOES, or None."""
    parts = folder.split(os.sep.encode())
    for at, part in enumerate(parts):
        for owner, matches in _OWNERS.get(part, ()):
            if matches(parts, at):
                return owner
    return None


def _next_is(*names: bytes) -> Callable[[list[bytes], int], bool]:
    return lambda parts, at: parts[at + 1 : at + 2] != [] and parts[at + 1] in names


def _is_old_qq(parts: list[bytes], at: int) -> bool:
    return bool(_DIGITS.fullmatch(parts[at - 1])) and _next_is(*_OLD_QQ)(parts, at)


_OWNERS: dict[bytes, tuple[tuple[str, Callable[[list[bytes], int], bool]], ...]] = {
    b"nt_data": (("QQ", _next_is(b"Pic", b"Emoji")),),
    b"Image": ((Message("old QQ or TIM"), _is_old_qq),),
    b"FileStorage": (("WeChat", _next_is(*_WECHAT3)),),
    b"msg": (("WeChat", _next_is(b"attach")),),
    b"Cache": (("Discord", lambda parts, at: parts[at - 1] in _DISCORDS and _next_is(b"Cache_Data")(parts, at)),),
}
