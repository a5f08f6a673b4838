"""The Chinese messages: none is missing, parts agree, and a whole walk shows no English sentence."""

import importlib.util
import itertools
import json
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
import typer
import typer.main
from pictures import draw, save, write
from typer.testing import CliRunner, Result

from hashindex import HashIndex, UsageError
from hashindex.commands.cli import app
from hashindex.commands.command import add, command
from hashindex.commands.help import help_texts
from hashindex.core import language
from hashindex.core.language import Message, Part, choose_language, in_language, local, plural, sentence
from hashindex.output import drawing
from hashindex.output.text.terminal import Terminal, columns_of
from hashindex.pictures.picture_problems import FORMAT_NAMES

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(ROOT.glob("hashindex/locale/*/LC_MESSAGES/hashindex.po"))
CHINESE = {"LANG": "zh_CN.UTF-8", "LANGUAGE": None, "LC_ALL": None, "LC_MESSAGES": None}
ENGLISH = {**CHINESE, "LANG": "C"}


@pytest.fixture(scope="module")
def make_translations() -> ModuleType:
    """docs/make_translations.py"""
    pytest.importorskip("babel", reason="needs the extra 'test'")
    spec = importlib.util.spec_from_file_location("make_translations", ROOT / "docs" / "make_translations.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test reads or writes the catalogue and the settings of whoever runs it, or leaves a language behind."""
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    with in_language("en"):
        yield


def run(*words: object, env: dict[str, str | None] = CHINESE) -> Result:
    return CliRunner(env=env).invoke(app, [str(word) for word in words], catch_exceptions=False)


# The files


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.parent.name)
def test_every_message_is_translated_and_compiled(file: Path, make_translations: ModuleType) -> None:
    faults = make_translations.faults(file)
    assert not faults, "\n".join(faults)


def test_there_is_chinese() -> None:
    assert language.available() == ["en", "zh_CN"]


def parts(text: str) -> set[str]:
    return {name for _, name, *_ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.parent.name)
def test_a_translation_has_the_parts_of_its_message_in_every_form(file: Path, make_translations: ModuleType) -> None:
    wrong = []
    for message in make_translations.read(file):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        is_template = bool(ids[0]) and "{" in ids[-1] + "".join(texts)
        wrong += [(ids[-1], text) for text in texts if is_template and parts(ids[-1]) != parts(text)]
    assert wrong == []


def test_messages_are_collected_from_calls_and_from_help(tmp_path: Path, make_translations: ModuleType) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        'sentence("one " "line {a}", a=1)\nplural(n, "{count} file", "{count} files")\n'
        'TABLE = {1: N_("word"), 2: N_plural("a", "b")}\nraise E(Message("it is {b}", b=Message("bad")))\n'
        "sentence(TABLE[1])\nplural(n, *TABLE[2])\nother('no message')\n",
        encoding="utf-8",
    )
    found = set(make_translations._messages_of(source))
    assert found == {"one line {a}", ("{count} file", "{count} files"), "word", ("a", "b"), "it is {b}", "bad"}


@pytest.mark.parametrize("call", ['sentence(f"{a} is bad")', 'Message("a" if b else "c")', 'N_("a" + b)'])
def test_a_message_that_is_not_one_literal_is_refused(call: str, tmp_path: Path, make_translations: ModuleType) -> None:
    source = tmp_path / "module.py"
    source.write_text(call, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"module\.py:1: a message must be one literal"):
        list(make_translations._messages_of(source))


def test_all_texts_of_help_are_collected() -> None:
    @command("hashindex walk  # by foot", "hashindex walk --fast")
    def walk(
        ctx: typer.Context,
        folder: Annotated[str, typer.Argument(help="Where to.")],
        fast: Annotated[bool, typer.Option("--fast", help="Run.")] = False,
        secret: Annotated[bool, typer.Option("--secret", hidden=True, help="Not shown.")] = False,
    ) -> None:
        """Walk to a folder.

        It takes a while,
        and tires.
        """

    small = typer.Typer(help="Walks.", epilog="The end.")
    small.callback()(lambda: None)
    add(small, (walk,))
    texts = set(help_texts(typer.main.get_command(small)))
    assert texts >= {"Walks.", "The end.", "Walk to a folder.", "It takes a while, and tires.", "by foot"}
    assert texts >= {"Where to.", "Run."}
    assert "Not shown." not in texts


# Which language


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_CN.GB18030"}, "zh_CN"),
        ({"LANG": "zh"}, "zh_CN"),
        ({"LANG": "zh_CN"}, "zh_CN"),
        ({"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "POSIX", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh_CN"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "fr"}, "en"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "de_DE@euro"}, "en"),
        ({"LANG": "../../etc"}, "en"),
    ],
)
def test_the_environment_chooses_the_language(
    variables: dict[str, str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    choose_language()
    assert sentence("No problems.") == {"en": "No problems.", "zh_CN": "没有问题。"}[chosen]


@pytest.mark.parametrize("name", ["zh_CN", "zh", "zh-CN"])
def test_a_language_has_several_names(name: str) -> None:
    choose_language(name)
    assert sentence("No problems.") == "没有问题。"


@pytest.mark.parametrize("name", ["fr", "", "zh_TW", "../zh_CN"])
def test_an_unknown_language_is_an_error_that_names_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="choose one of en, zh_CN"):
        choose_language(name)


@pytest.mark.parametrize(
    ("env", "words", "shown"),
    [
        (ENGLISH, ("--lang", "zh_CN", "problems"), "没有问题。"),
        (ENGLISH, ("problems", "--lang=zh_CN"), "没有问题。"),
        (ENGLISH, ("--lang", "en", "problems", "--lang", "zh"), "没有问题。"),
        (CHINESE, ("--lang", "en", "problems"), "No problems."),
        (CHINESE, ("problems",), "没有问题。"),
        (ENGLISH, ("problems", "--help", "--lang", "zh_CN"), "用法：hashindex problems"),
        (CHINESE, ("--lang=en", "problems", "--help"), "Usage: hashindex problems"),
        (ENGLISH, ("--lang", "zh_CN", "--help"), "命令："),
        (ENGLISH, ("--lang", "zh_CN", "grups"), "错误：没有 'grups' 这个命令；是不是想写 groups？"),
        (ENGLISH, ("--lang", "fr", "problems"), "There is no language 'fr'; choose one of en, zh_CN."),
        (CHINESE, ("problems", "--lang", "fr"), "没有语言 'fr'"),
    ],
)
def test_an_option_overrides_the_environment(
    env: dict[str, str | None], words: tuple[str, ...], shown: str, folder: Path
) -> None:
    save(draw(1), folder / "cat.png")
    HashIndex(Path(os.environ["HASHINDEX_CATALOGUE"])).scan([folder])
    assert shown in run(*words, env=env).output


def test_the_settings_override_the_environment_and_the_option_overrides_both(tmp_path: Path) -> None:
    toml = tmp_path / "settings.toml"
    toml.write_text('lang = "zh_CN"\n', encoding="utf-8")
    assert "用法：" in run("--config", toml, "scan", "--help", env=ENGLISH).output
    assert "Usage:" in run("--config", toml, "--lang", "en", "scan", "--help", env=ENGLISH).output
    toml.write_text('lang = "fr"\n', encoding="utf-8")
    wrong = run("--config", toml, "status", env=ENGLISH)
    assert (wrong.exit_code, "lang must be one of en, zh_CN" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("scan", "--nope"), "错误：没有 --nope 这个选项。"),
        (("query",), "错误：缺少参数"),
        (("groups", "--limit", "x"), "错误：--limit 要写一个整数，不能是 'x'。"),
        (("groups", "--limit", "0"), "错误：--limit 要写不小于 1 的数，不能是 0。"),
        (("groups", "--level", "copy"), "错误：--level 只能写"),
        (("groups", "--json=yes"), "错误：选项 '--json' 不带值。"),
        (("groups", "--under"), "错误：选项 '--under' 后面要写一个值。"),
        (("status", "more"), "错误：多出了参数（more）"),
        (("service", "--"), "错误：缺少命令。"),
        (("scan", "/nowhere/at/all"), "hashindex: /nowhere/at/all：没有这个文件夹。"),
    ],
)
def test_wrong_usage_is_explained_in_chinese(words: tuple[str, ...], shown: str) -> None:
    result = run(*words)
    assert (result.exit_code, shown in result.output) == (2, True), result.output


# Messages that were stored


STORED = [
    Message("no batch is open"),
    Message("the file has {size:,} bytes, more than the limit of {limit:,}", size=123456, limit=1000),
    Message("it has a picture's extension, but its content is {content}", content=Message("empty")),
    Message("the {name} is {what}: {share} % of its rows are missing", name="JPEG", what=Message("cut off"), share=7),
    Message("the folder cannot be reached ({reason})", reason=Part("input/output error")),
    Message("{path} is damaged: {faults}", path="/a: b {c}\nd", faults=Message("its rows make no sense")),
    Part(Message("There is no batch {number}; see hashindex history.", number=7), full_stop=True),
]


@pytest.mark.parametrize("message", STORED)
def test_a_stored_message_is_shown_as_before_it_was_stored(message: Message) -> None:
    stored = "".join(message)
    assert local(stored) == stored
    choose_language("zh_CN")
    assert local(stored) == local(message)
    assert re.search("[\u4e00-\u9fff]", local(message))


@pytest.mark.parametrize("text", ["", "copy that is no message", "{path}", "100 % {", "\udc80", "x" * 10_000, "猫"])
def test_another_text_stays_as_it_is(text: str) -> None:
    choose_language("zh_CN")
    assert local(text) == text


@pytest.mark.parametrize("name", ["copy", "cropped", "empty", "keep"])
def test_a_file_that_is_named_like_a_message_keeps_its_name(name: str) -> None:
    choose_language("zh_CN")
    assert sentence("Wrote {file}.", file=name) == f"写好了 {name}。"
    assert local("".join(Message("{path} is sound", path=name))) == f"{name} 完好"
    assert plural(2, "{count} file in {folder}", "{count} files in {folder}", folder=name) == f"2 个文件，在 {name}"


def test_a_text_that_nearly_fits_many_templates_is_given_up_soon() -> None:
    choose_language("zh_CN")
    for text, _ in language._pairs(FILES[0].with_suffix(".mo").read_bytes()):
        nearly = (re.sub(r"{[^}]*}", "x", text) * 4_096)[:4_096] + "\0"
        assert local(nearly) == nearly


def test_one_template_of_every_format_is_recognised() -> None:
    choose_language("zh_CN")
    for name in FORMAT_NAMES.values():
        message = Message("the {name} is damaged: its picture cannot be read", name=name)
        assert local("".join(message)).endswith("已损坏：图片读不出来")


def test_the_language_of_a_block_ends_with_it() -> None:
    choose_language("zh_CN")
    with in_language("en"):
        assert sentence("No problems.") == "No problems."
    assert sentence("No problems.") == "没有问题。"
    with pytest.raises(UsageError), in_language("fr"):
        pass
    assert sentence("No problems.") == "没有问题。"


# The walk


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Three copies and another picture, a cut one, an empty file, a page with a picture's name, and a text."""
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.gif")
    save(draw(1).resize((120, 90)), folder / "small.jpg", quality=80)
    save(draw(2), folder / "dog.jpg")
    save(draw(3), folder / "cut.jpg")
    write(folder / "cut.jpg", (folder / "cut.jpg").read_bytes()[:-1000])
    write(folder / "empty.png", b"")
    write(folder / "page.png", b"<!doctype html>")
    write(folder / "notes.txt", b"text")
    return folder


def walk(folder: Path) -> list[tuple[str, ...]]:
    """The commands of a whole walk."""
    cat, small, dog = (str(folder / name) for name in ("cat.png", "small.jpg", "dog.jpg"))
    out = str(folder.parent / "out")
    return [
        (),
        ("status",),
        ("config",),
        ("scan", str(folder)),
        (),
        ("scan",),
        ("groups",),
        ("groups", "--level", "similar"),
        ("groups", "--hash", "dhash", "--radius", "2"),
        ("groups", "--min-bytes", "99999999", "--under", str(folder)),
        ("query", cat),
        ("query", dog),
        ("explain", cat, small),
        ("explain", "-v", cat, dog),
        ("explain", "--blocks", cat, small),
        ("dedupe",),
        ("dedupe", "--apply", "--to", str(folder.parent / "copies")),
        ("explain", cat, small),
        ("history",),
        ("undo",),
        ("scan",),
        ("organize", out, "--rest"),
        ("organize", out, "--apply"),
        ("organize", out, "--apply"),
        ("history",),
        ("undo",),
        ("undo",),
        ("recover",),
        ("same", cat, dog),
        ("decisions",),
        ("explain", cat, dog),
        ("separate", cat, dog),
        ("decisions", "--undo", "1"),
        ("decisions",),
        ("report", str(folder.parent / "report.html"), "--contact-sheet", str(folder.parent / "sheet.png")),
        ("problems",),
        ("check",),
        ("status",),
        ("doctor",),
        ("service", "status"),
        ("demo",),
        ("forget", dog),
        ("query", dog),
        ("backup", str(folder.parent / "backup.db")),
        ("backup", str(folder.parent / "backup.db")),
    ]


def clear(folder: Path) -> None:
    """Everything that a walk made."""
    for path in folder.parent.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


# Names of programs, formats, hashes, options, values and commands are the same in every language.
_NAMES = re.compile(
    r"hashindex(?: [a-z]+\b)?|(?<![\w-])--?[a-z][\w-]*|\b(?:phash|dhash|ahash|whash)\w*|pip install \S+|"
    r"(?:JPEG|PNG|WebP|AVIF|JPEG 2000|TIFF|GIF)(?:, )?"
)


def english_in(text: str, folder: Path) -> list[str]:
    """Runs of three or more English words, without paths, commands and names."""
    plain = re.sub(r"/\S+", "", text.replace(str(folder.parent), ""))
    return re.findall(r"[A-Za-z']{2,}(?:[ ,;:]+[A-Za-z']{2,}){2,}", _NAMES.sub("", plain))


def test_the_whole_walk_shows_no_english_sentence(pictures: Path) -> None:
    english = {}
    for words in walk(pictures):
        result = run(*words)
        found = english_in(result.output, pictures)
        if found:
            english[words] = found
        assert re.search("[\u4e00-\u9fff]", result.output), (words, result.output)
    assert english == {}


def test_the_check_for_english_finds_it(tmp_path: Path) -> None:
    assert english_in("写好了 3 files left unchanged in here", tmp_path / "a") == ["files left unchanged in here"]
    assert english_in(f"运行 hashindex groups --level similar，见 {tmp_path}/a/cat.png", tmp_path / "a") == []


def without_what_changes(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+.]+|hashindex-demo-\w+|[\d,.]+ GB free", "SOME", text)
    return re.sub(r'"(said_ns|catalogue_bytes|bytes)":\d+', r'"\1":0', text)


def test_exit_codes_and_json_do_not_depend_on_the_language(pictures: Path, tmp_path: Path) -> None:
    kept = tmp_path.parent / f"{tmp_path.name}-kept"
    shutil.copytree(pictures, kept)
    seen: list[list[tuple[int, str]]] = []
    for env in (CHINESE, ENGLISH):
        clear(pictures)
        shutil.copytree(kept, pictures)
        ran = [run("--json", *words, env=env) for words in walk(pictures)]
        seen.append([(result.exit_code, without_what_changes(result.stdout)) for result in ran])
    chinese, english = seen
    for words, one, other in zip(walk(pictures), chinese, english, strict=True):
        assert one == other, words
    assert all(isinstance(json.loads(line), dict) for _, stdout in chinese for line in stdout.splitlines())


def all_commands() -> list[tuple[str, ...]]:
    def below(path: tuple[str, ...], at: Any) -> Iterator[tuple[str, ...]]:
        yield path
        for name in getattr(at, "list_commands", lambda ctx: ())(None):
            yield from below((*path, name), at.get_command(None, name))

    return list(below((), typer.main.get_command(app)))


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_help_is_chinese_and_fits_its_columns(words: tuple[str, ...]) -> None:
    result = CliRunner(env=CHINESE).invoke(app, [*words, "--help"], terminal_width=60)
    # Examples are commands, and a name of an option may be longer than its column.
    prose = [line for line in result.output.splitlines() if not re.match(r"    \S", line)]
    assert (result.exit_code, english_in("\n".join(prose), Path("/nowhere"))) == (0, [])
    assert [line for line in prose if columns_of(line) > 60 and "用法：" not in line] == []
    assert "用法：" in result.output and "选项：" in result.output


def test_the_language_works_in_a_process_of_its_own(pictures: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in CHINESE}
    shown = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "hashindex", "scan", str(pictures)],
        env={**environment, "LANG": "zh_CN.UTF-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (shown.returncode, "读取了 5 张图片" in shown.stdout) == (3, True), shown
    assert f"{pictures / 'empty.png'}：扩展名像图片，内容却是空的" in shown.stderr


# How it looks


def test_chinese_is_broken_at_the_width_and_not_before_punctuation() -> None:
    choose_language("zh_CN")
    for _, text in language._pairs(FILES[0].with_suffix(".mo").read_bytes()):
        first, *rest = Terminal(40).wrapped(text.replace("\n", " ")).split("\n")
        assert max(map(columns_of, [first, *rest])) <= 40
        assert not any(line.lstrip().startswith(("，", "。", "；", "：", "、", "）", "”")) for line in rest), rest
        assert not rest or not first.endswith(("（", "“")), first


def test_sentences_have_no_blank_after_a_chinese_full_stop(pictures: Path) -> None:
    shown = "".join(run(*words).output for words in itertools.islice(walk(pictures), 1, 14))
    assert "。 " not in shown


@pytest.mark.parametrize("has_font", [True, False])
def test_pictures_are_drawn_in_a_language_that_the_font_has(has_font: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_language("zh_CN")
    monkeypatch.setattr(drawing, "showable", lambda character, size: character if has_font else "?")
    with drawing.drawn_language():
        assert sentence("keep") == ("保留" if has_font else "keep")
    assert sentence("keep") == "保留"


def test_the_compiled_file_is_read_as_gettext_reads_it(make_translations: ModuleType) -> None:
    data = FILES[0].with_suffix(".mo").read_bytes()
    catalog = make_translations.read(FILES[0])
    expected: dict[str, str] = {}
    for message in catalog:
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        expected |= {ids[0]: texts[0], ids[-1]: texts[-1]} if ids[0] else {}
    assert {key: text for key, text in language._pairs(data) if key} == expected
    assert data == make_translations.compiled(catalog)
