"""Chat clients' caches, found in folder trees as each client makes them on each system."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, save, write
from typer.testing import CliRunner

from hashindex import HashIndex, UsageError
from hashindex.clients import caches
from hashindex.clients.caches import Disk, roots_of
from hashindex.clients.layouts import Machine, find, owner_of
from hashindex.commands.cli import app
from hashindex.core.model import Cache

HEX = "0123456789abcdef" * 2
NT = f"nt_qq_{HEX}/nt_data"


def made(home: Path, *folders: str) -> None:
    for folder in folders:
        (home / folder).mkdir(parents=True)


def machine(home: Path, system: str, variables: Mapping[str, str] | None = None) -> Machine:
    place = os.fsencode(home)
    return Machine(system, place, os.path.join(place, b"Documents"), os.path.join(place, b"Downloads"), variables or {})


def found(home: Path, system: str, variables: Mapping[str, str] | None = None) -> list[tuple[str, str, list[str]]]:
    """(name, account, picture folders below home) of every cache."""
    caches = find(machine(home, system, variables), Disk())
    return [
        (cache.name, cache.account, [below(path, home) for path in cache.picture_folders_bytes]) for cache in caches
    ]


def below(path: bytes, home: Path) -> str:
    return os.path.relpath(os.fsdecode(path), home).replace(os.sep, "/")


def nt(folder: str) -> list[str]:
    return [f"{folder}/Pic", f"{folder}/Emoji"]


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("linux", f".config/QQ/{NT}"),
        ("linux", f".var/app/com.qq.QQ/config/QQ/{NT}"),
        ("darwin", f"Library/Containers/com.tencent.qq/Data/Library/Application Support/QQ/{NT}"),
    ],
)
def test_qq_nt_on_linux_flatpak_and_macos(tmp_path: Path, system: str, folder: str) -> None:
    made(tmp_path, f"{folder}/Pic", f"{folder}/Emoji", f"{folder}/log", str(Path(folder).parent / "nt_db"))
    assert found(tmp_path, system) == [("QQ NT", HEX, nt(folder))]


def test_qq_nt_where_the_configuration_folder_is_another(tmp_path: Path) -> None:
    made(tmp_path, f"conf/QQ/{NT}/Pic")
    variables = {"XDG_CONFIG_HOME": str(tmp_path / "conf")}
    assert found(tmp_path, "linux", variables) == [("QQ NT", HEX, [f"conf/QQ/{NT}/Pic"])]


def test_every_account_of_qq_on_windows_new_and_old(tmp_path: Path) -> None:
    files = "Documents/Tencent Files"
    made(tmp_path, f"{files}/10001/nt_qq/nt_data/Pic", f"{files}/10001/nt_qq/nt_data/Emoji")
    made(tmp_path, f"{files}/10001/Image/Group2", f"{files}/20002/Image/C2C", f"{files}/All Users/Image/Group2")
    assert found(tmp_path, "win32") == [
        ("QQ NT", "10001", nt(f"{files}/10001/nt_qq/nt_data")),
        ("old QQ or TIM", "10001", [f"{files}/10001/Image/Group2"]),
        ("old QQ or TIM", "20002", [f"{files}/20002/Image/C2C"]),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("program", ["QQ", "TIM"])
def test_qq_s_own_settings_on_windows_name_the_folder_of_its_accounts(
    tmp_path: Path, encoding: str, quote: str, program: str
) -> None:
    place = tmp_path / "数据 100%"
    made(place, "Tencent Files/10001/Image/Group")
    ini = f"[UserDataSet]\nUserDataSavePathType=2\nUserDataSavePath={quote}{place}{quote}\n"
    write(tmp_path / f"Public/Documents/Tencent/{program}/UserDataInfo.ini", ini.encode(encoding))
    variables = {"PUBLIC": str(tmp_path / "Public")}
    (cache,) = find(machine(tmp_path, "win32", variables), Disk())
    assert os.fsdecode(cache.folder_bytes) == str(place / "Tencent Files" / "10001" / "Image")


@pytest.mark.parametrize(
    "text", [b"", b"[UserDataSet]\nUserDataSavePathType=1\n", b"no section", b"\xff\xff\0[", b"=\n"]
)
def test_without_a_valid_setting_qq_is_in_documents(tmp_path: Path, text: bytes) -> None:
    made(tmp_path, "Documents/Tencent Files/10001/nt_qq/nt_data/Pic")
    write(tmp_path / "Public/Documents/Tencent/QQ/UserDataInfo.ini", text)
    assert len(found(tmp_path, "win32", {"PUBLIC": str(tmp_path / "Public")})) == 1


WECHAT4 = "xwechat_files/wxid_me_1a2b"


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("win32", "Documents"),
        ("linux", "Documents"),
        ("linux", "."),
        ("linux", ".var/app/com.tencent.WeChat"),
        ("darwin", "Library/Containers/com.tencent.xinWeChat/Data/Documents"),
    ],
)
def test_wechat_4(tmp_path: Path, system: str, place: str) -> None:
    made(tmp_path, f"{place}/{WECHAT4}/msg/attach/{HEX}", f"{place}/xwechat_files/all_users/config")
    expected = os.path.normpath(f"{place}/{WECHAT4}/msg/attach").replace(os.sep, "/")
    assert found(tmp_path, system) == [("WeChat 4", "wxid_me", [expected])]


def test_wechat_3_and_a_wechat_4_that_was_moved_by_its_settings(tmp_path: Path) -> None:
    storage = "Documents/WeChat Files/wxid_me/FileStorage"
    made(tmp_path, f"{storage}/Image", f"{storage}/MsgAttach", f"{storage}/CustomEmotion", f"{storage}/Video")
    made(tmp_path, f"D/{WECHAT4}/msg/attach")
    write(tmp_path / "Roaming/Tencent/xwechat/config/0a.ini", os.fsencode(tmp_path / "D"))
    assert found(tmp_path, "win32", {"APPDATA": str(tmp_path / "Roaming")}) == [
        ("WeChat 3", "wxid_me", [f"{storage}/{name}" for name in ("Image", "MsgAttach", "CustomEmotion")]),
        ("WeChat 4", "wxid_me", [f"D/{WECHAT4}/msg/attach"]),
    ]


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("win32", "AppData/Roaming/discord/Cache/Cache_Data"),
        ("linux", ".config/discord/Cache/Cache_Data"),
        ("linux", ".var/app/com.discordapp.Discord/config/discord/Cache/Cache_Data"),
        ("linux", "snap/discord/current/.config/discord/Cache/Cache_Data"),
        ("darwin", "Library/Application Support/discord/Cache/Cache_Data"),
    ],
)
def test_discord(tmp_path: Path, system: str, folder: str) -> None:
    canary = folder.replace("/discord/Cache", "/discordcanary/Cache")
    made(tmp_path, folder, canary)
    assert found(tmp_path, system) == [("Discord", "", [folder]), ("Discord", "canary", [canary])]


@pytest.mark.parametrize(
    ("system", "data"),
    [
        ("win32", "AppData/Roaming/Telegram Desktop/tdata"),
        ("linux", ".local/share/TelegramDesktop/tdata"),
        ("linux", ".var/app/org.telegram.desktop/data/TelegramDesktop/tdata"),
        ("darwin", "Library/Application Support/Telegram Desktop/tdata"),
    ],
)
def test_telegrams_cache_is_reported_as_encrypted_and_its_exports_are_found(
    tmp_path: Path, system: str, data: str
) -> None:
    made(tmp_path, data, "Downloads/ChatExport_2024-05-01/photos", "Downloads/ChatExport_notes")
    encrypted, export = find(machine(tmp_path, system), Disk())
    assert (encrypted.picture_folders_bytes, "encrypts" in encrypted.unreadable[0]) == ((), True)
    assert [below(path, tmp_path) for path in export.picture_folders_bytes] == ["Downloads/ChatExport_2024-05-01"]


def test_a_machine_without_clients_has_no_caches(tmp_path: Path) -> None:
    made(tmp_path, "Documents/holiday_2024/msg", ".config/QQ/nt_qq_notes/nt_data/Pic", "Documents/Tencent Files/10001")
    assert [found(tmp_path, system) for system in ("win32", "darwin", "linux")] == [[], [], []]


@pytest.mark.parametrize(
    ("folder", "owner"),
    [
        ("/h/.config/QQ/nt_qq_x/nt_data/Pic/2024-05/Ori", "QQ"),
        ("/h/nt_data/log", None),
        ("/h/Tencent Files/10001/Image/Group2/AB/CD", "old QQ or TIM"),
        ("/h/Photos/Image/Group2", None),
        ("/h/WeChat Files/wxid/FileStorage/MsgAttach/x", "WeChat"),
        ("/h/xwechat_files/wxid_0a1b/msg/attach/x/2024-05/Img", "WeChat"),
        ("/h/.config/discord/Cache/Cache_Data", "Discord"),
        ("/h/.config/chromium/Cache/Cache_Data", None),
        ("/h/Pictures", None),
        ("/", None),
    ],
)
def test_the_path_of_a_folder_shows_which_client_owns_it(folder: str, owner: str | None) -> None:
    assert owner_of(os.fsencode(folder.replace("/", os.sep))) == owner


# Through the command line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on Linux with QQ, WeChat and Telegram, in place of this machine's own."""
    home = tmp_path / "home"
    save(draw(1), home / f".config/QQ/{NT}/Pic/2024-05/Ori/{HEX}.png")
    save(draw(1).resize((80, 60)), home / f".config/QQ/{NT}/Pic/2024-05/Thumb/{HEX}_0.jpg")
    images = home / f"Documents/{WECHAT4}/msg/attach/{HEX}/2024-05/Img"
    write(images / f"{HEX}.dat", b"\x07\x08V2\x08\x07" + bytes(64))
    made(home, ".local/share/TelegramDesktop/tdata")
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    monkeypatch.setattr(caches, "this_machine", lambda: machine(home, "linux"))
    return home


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_caches_lists_each_cache_and_why_some_cannot_be_read(home: Path) -> None:
    result = run("caches", "--json")
    qq, wechat, telegram = (json.loads(line) for line in result.stdout.splitlines())
    assert (result.exit_code, qq["clients"], qq["files"], qq["more"]) == (0, ["qq"], 2, False)
    assert wechat["unreadable"] == [
        "1 of 1 tested pictures are encrypted with AES, as by WeChat 4, and only WeChat has the key"
    ]
    assert (telegram["pictures"], telegram["files"]) == ([], 0)
    text = run("caches").stdout
    assert f"QQ NT, account {HEX}  (--client qq)" in text
    assert "about 2 files in" in text and "not read  Telegram encrypts its cache" in text


def test_scan_takes_clients_by_name(home: Path) -> None:
    assert run("scan", "--client", "qq", "--json").exit_code == 0
    assert [below(root.path_bytes, home) for root in HashIndex().status().roots] == [f".config/QQ/{NT}/Pic"]
    result = run("scan", "--client", "telegram")
    assert (result.exit_code, "encrypts its cache" in result.stderr) == (2, True)
    assert "none of its folders" in run("scan", "--client", "discord").stderr
    assert "choose one of qq, tim" in run("scan", "--client", "icq").stderr


def test_discords_files_without_an_extension_are_pictures(home: Path, tmp_path: Path) -> None:
    cache = home / ".config/discord/Cache/Cache_Data"
    save(draw(3), cache / "f_000001", format="GIF")
    write(cache / "data_1", bytes(64))
    assert run("scan", "--client", "discord").exit_code == 0
    (step,) = HashIndex().plan(tmp_path / "out", rest=True).steps
    assert (step.source_bytes, os.path.basename(step.target_bytes)) == (os.fsencode(cache / "f_000001"), b"00001.gif")


def test_without_any_client_caches_names_the_docs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "this_machine", lambda: machine(home / "empty", "linux"))
    result = run("caches")
    assert (result.exit_code, "docs/clients.md" in result.stderr) == (1, True)


def test_tim_is_found_by_its_own_name_and_as_qq(tmp_path: Path) -> None:
    made(tmp_path, "Documents/Tencent Files/10001/Image/Group2")
    windows = machine(tmp_path, "win32")
    assert roots_of(["tim", "qq"], windows) == roots_of(["tim"], windows) == roots_of(["QQ"], windows)
    with pytest.raises(UsageError):
        roots_of(["wechat"], windows)


def test_counting_stops_where_there_are_very_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        write(tmp_path / f".config/discord/Cache/Cache_Data/f_{number:06}", b"x")
    monkeypatch.setattr(caches, "COUNTED_FOLDERS", 1)
    made(tmp_path, ".config/discord/Cache/Cache_Data/more")
    (cache,) = caches.caches(machine(tmp_path, "linux"))
    assert isinstance(cache, Cache) and (cache.files, cache.more) == (4, True)


# Other files of clients, beside their pictures


@pytest.mark.parametrize(
    "name", ["a.tmp", "a.jtmp", "a.jpg.part", "a.download", "a.zip", "Thumbs.db", "a.db-wal", "A.DB", ".DS_Store"]
)
def test_unfinished_downloads_archives_and_databases_are_skipped(index: HashIndex, folder: Path, name: str) -> None:
    save(draw(1), folder / name, format="PNG")
    save(draw(2), folder / "a.db.png")
    assert index.scan([folder]).files == 1
    assert index.status().present == 1


def test_include_reads_files_that_are_skipped_otherwise(index: HashIndex, folder: Path) -> None:
    from hashindex import ScanOptions, WalkRules

    save(draw(1), folder / "a.tmp", format="PNG")
    assert index.scan([folder], ScanOptions(WalkRules(include=("*.tmp",)))).decoded == 1
