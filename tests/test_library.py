"""The library as a program uses it: wrong arguments, paths, pictures in memory, watch, repr, help."""

import contextlib
import dataclasses
import inspect
import os
import pydoc
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import numpy
import pytest
from pictures import draw, fill, save
from PIL import Image

import hashindex
from hashindex import (
    Action,
    DedupeOptions,
    DedupeSchedule,
    File,
    Grouping,
    HashIndex,
    Level,
    Limits,
    OrganizeSchedule,
    Relation,
    ReviewChange,
    ReviewKind,
    ScanOptions,
    Selection,
    UsageError,
    WalkRules,
    WatchOptions,
)
from hashindex.core.arguments import do_nothing
from hashindex.core.model import Content, State
from hashindex.core.reviewing import ReviewRows
from hashindex.index.grouping import GroupingArguments

METHODS = {
    name: method
    for name, method in vars(HashIndex).items()
    if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__")
}
OPTIONS = (
    DedupeOptions, DedupeSchedule, Grouping, Limits, OrganizeSchedule, ScanOptions, Selection, WalkRules, WatchOptions,
)  # fmt: skip
NO_ROWS = ReviewRows(frozenset(), frozenset(), frozenset())
FITTING: dict[str, Any] = {
    "a": "a.png", "b": "b.png", "batch": 1, "catalogue": "c.db", "clients": "qq", "decisions": [], "dest": "out",
    "every_s": 60.0, "file": "new", "lines": [], "numbers": 1, "path": "a.png", "pictures": ("a.png", "b.png"),
    "same": True, "digests": [], "groups": [], "first_seen_ns": 0, "level": Level.COPIES, "members": [],
    "kind": ReviewKind.SKIPPED, "change": ReviewChange(Level.COPIES, NO_ROWS, NO_ROWS),
}  # fmt: skip
"""Values for the parameters that have no default."""
NO_PATHS = ("", "a\0b", 5, *(() if os.name == "nt" else ("\ud800",)))
"""Windows takes any text without a zero byte."""
WRONG: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("a", "b", "catalogue", "contact_sheet", "dest", "path", "to"), NO_PATHS),
    **dict.fromkeys(("folders", "only", "protect", "pictures", "roots"), (*NO_PATHS, [5], [""])),
    **dict.fromkeys(("between",), ("ab", ("a",), ("a", 5), ("a", "\0"))),
    **dict.fromkeys(("under", "labels"), NO_PATHS),
    **dict.fromkeys(
        ("hash", "level", "keep", "engine", "sort", "action", "link", "clients"), ("nonsense", 5, b"copies")
    ),
    **dict.fromkeys(("name", "folder"), (5, b"a")),
    **dict.fromkeys(("radius", "limit"), ("a", 1.5, True, -1)),
    **dict.fromkeys(("workers", "pixels", "frames", "bytes", "memory"), ("a", 1.5, True, 0, -1)),
    **dict.fromkeys(("min_bytes",), ("a", 1.5, True, -1)),
    **dict.fromkeys(("wait_s", "seconds", "every_s", "sweep_s", "quiet_s"), ("a", -1, float("nan"), True)),
    "passes": ("a", 5, [1.5], [-1], ["a"]),
    "batch": ("a", 1.5, True),
    "numbers": ("a", 1.5, [1.5], ["a"]),
    "data": ("text", 5),
    "include": (5, [5]),
    "exclude": (5, [5]),
    "lines": (5, "{}", [5]),
    "decisions": (5, "a", [5]),
    "notify": (5,),
}  # fmt: skip
"""Wrong values by the name of the parameter. Others get values that fit their type least."""
OF_NO_USE = object()


def wrong_values(name: str, annotation: Any, default: Any) -> tuple[Any, ...]:
    if name in WRONG and not (name == "folder" and "PathLike" in str(annotation)):
        return (*WRONG[name], OF_NO_USE)
    if isinstance(default, bool):
        return (1, "yes", None, OF_NO_USE)
    return (OF_NO_USE, 1j)


def calls() -> list[Any]:
    """Each public method with each parameter, and a wrong value for it."""
    found = []
    for method, function in METHODS.items():
        parameters = dict(list(inspect.signature(function).parameters.items())[1:])
        how = parameters.pop("how", None)
        hints = {name: (each.annotation, each.default) for name, each in parameters.items()}
        if how is not None:
            hints |= {name: (hint, None) for name, hint in get_type_hints(GroupingArguments).items()}
        for name, (annotation, default) in hints.items():
            for number, value in enumerate(wrong_values(name, annotation, default)):
                found.append(pytest.param(method, name, value, id=f"{method}-{name}-{number}"))
    return found


def call(function: Callable[..., Any], parameters: list[inspect.Parameter], name: str, value: Any) -> None:
    needed = {each.name: each for each in parameters if each.default is inspect.Parameter.empty}
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for each in needed.values():
        if each.kind is inspect.Parameter.VAR_POSITIONAL:
            positional += [value] if each.name == name else FITTING.get(each.name, "a.png")
        elif each.kind is not inspect.Parameter.VAR_KEYWORD:
            named[each.name] = FITTING.get(each.name, "a.png")
    if name not in needed or needed[name].kind is not inspect.Parameter.VAR_POSITIONAL:
        named[name] = value
    function(*positional, **named)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HashIndex]:
    """An index of two pictures, in the current folder: a.png and b.png."""
    folder = tmp_path_factory.mktemp("library")
    for number, name in enumerate(("a.png", "b.png")):
        save(draw(number), folder / name)
    with contextlib.chdir(folder), HashIndex(folder / "catalogue.db", wait_s=1) as index:
        index.scan(".", ScanOptions(workers=1))
        yield index


@pytest.mark.parametrize(("method", "name", "value"), calls())
def test_a_wrong_argument_is_a_usage_error(small: HashIndex, method: str, name: str, value: Any) -> None:
    parameters = list(inspect.signature(METHODS[method]).parameters.values())[1:]
    with pytest.raises(UsageError) as raised:
        call(getattr(small, method), parameters, name, value)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(("options", "name", "value"), [
    pytest.param(options, field.name, value, id=f"{options.__name__}-{field.name}-{number}")
    for options in OPTIONS
    for field in dataclasses.fields(options)
    for number, value in enumerate(wrong_values(field.name, field.type, field.default))
])  # fmt: skip
def test_a_wrong_option_is_a_usage_error(options: type, name: str, value: Any) -> None:
    fields = dataclasses.fields(options)
    needed = {each.name: FITTING[each.name] for each in fields if each.default is dataclasses.MISSING}
    with pytest.raises(UsageError):
        options(**{**needed, name: value})


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda index: index.groups("similar"), "grouping takes Grouping, not 'similar'."),
        (lambda index: index.groups(selection="space"), "selection takes Selection, not 'space'."),
        (lambda index: index.groups(level="simlar"), 'There is no level called "simlar"; choose one of copies,'),
        (lambda index: index.groups(radius="a"), "radius takes int | None, not 'a'."),
        (lambda index: index.groups(keep="bset"), "There is no rule 'bset' for the keeper"),
        (lambda index: index.scan("a\0b"), "'a\\x00b' can be no path: it contains a zero byte."),
        (lambda index: index.scan(["."], {"workers": 1}), "options takes ScanOptions, not {'workers': 1}."),
        (lambda index: index.check(on_progress=None), "on_progress takes Callable, not None."),
        (lambda index: index.organize("out", name="{nonsense}"), "nonsense"),
        (lambda index: index.query(), "query takes a picture as image, or the bytes of its file as data."),
        (lambda index: index.query("a.png", data=b"a"), "query takes a picture as image, or the bytes of its file"),
        (lambda index: index.query(5), "A picture is a path, an Image of Pillow or an array of NumPy, not int."),
        (lambda index: index.query(numpy.zeros((4, 4))), "this one is float64 of 4 x 4."),
        (lambda index: index.query(numpy.zeros((4, 4, 2), "uint8")), "this one is uint8 of 4 x 4 x 2."),
        (lambda index: index.query(numpy.zeros((0, 4), "uint8")), "The array is empty."),
        (lambda index: Limits(pixels=0), "pixels is 1 or more, not 0."),
        (lambda index: WatchOptions(sweep_s=-0.5), "sweep_s is 0 or more, not -0.5."),
    ],
)
def test_the_sentence_names_the_argument_and_what_it_takes(
    small: HashIndex, ask: Callable[[HashIndex], object], sentence: str
) -> None:
    with pytest.raises(UsageError) as raised:
        ask(small)
    assert sentence in str(raised.value)


def test_numbers_of_numpy_and_texts_of_enums_are_taken(small: HashIndex) -> None:
    grouping = Grouping(hash="phash", radius=numpy.int64(3), keep=["pixels"])  # type: ignore[arg-type]
    assert (type(grouping.radius), grouping.radius) == (int, 3)
    assert DedupeOptions(link="hard").link is hashindex.Link.HARD  # type: ignore[arg-type]
    assert Limits(seconds=numpy.float32(2)).seconds == 2.0  # type: ignore[arg-type]
    assert WalkRules(include="*.png", exclude=["a", "b"]) == WalkRules(("*.png",), ("a", "b"))


# Paths


def given_as(folder: Path) -> list[Any]:
    return [str(folder), os.fsencode(folder), folder, [folder], {str(folder)}, iter([folder])]


@pytest.mark.parametrize("number", range(6))
def test_one_path_and_several_are_taken_in_every_form(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "pictures"
    fill(folder, [1])
    index = HashIndex(tmp_path / "c.db")
    assert index.scan(given_as(folder)[number], ScanOptions(workers=1)).digested == 1
    assert index.roots() == [str(folder.resolve())]
    assert DedupeOptions(only=given_as(folder)[number]).only_bytes == (os.fsencode(folder),)
    assert index.plan_dedupe(DedupeOptions(only=given_as(folder)[number])).removals == ()
    assert Selection(pictures=given_as(folder)[number]).pictures_bytes == (os.fsencode(folder),)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems demand UTF-8")
def test_a_name_that_is_not_utf8_is_given_back_as_it_was_returned(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    save(draw(1), Path(os.fsdecode(folder)) / "a.png")
    index = HashIndex(tmp_path / "c.db")
    index.scan(folder, ScanOptions(workers=1))
    (root,) = index.roots()
    found = index.file(f"{root}/a.png")
    assert found is not None
    assert (found.path, found.path_bytes) == (f"{tmp_path}/\udcff/a.png", folder + b"/a.png")
    assert index.file(found.path) == index.file(found.path_bytes) == found
    assert index.forget(root).pictures == 1


def test_values_show_their_paths_as_text() -> None:
    content = Content(1, b"", 5, "gif", 1, 1, 1, 0, 0, None, None)
    file = File("群/QQ图.gif".encode(), 5, 0, State.PRESENT, 0, content)
    assert repr(file).startswith("File(path='群/QQ图.gif', size=5, ")
    assert repr(hashindex.DecidedPicture(b"", ("群".encode(),), ())) == (
        "DecidedPicture(digest=b'', present=('群',), gone=())"
    )
    event = hashindex.WatchEvent("stopped", 0)
    assert repr(event).startswith("WatchEvent(kind='stopped', time_ns=0, path=None, old=None, relation=None")
    assert "same_bytes=False" in repr(event)


def values_with_bytes() -> list[tuple[type, str]]:
    """Each exported class, and its fields and properties NAME_bytes."""
    exported = [getattr(hashindex, name) for name in hashindex.__all__]
    return [
        (each, name)
        for each in exported
        if isinstance(each, type)
        for name, value in vars(each).items()
        if name.endswith("_bytes") and (isinstance(value, property) or name in getattr(each, "_fields", ()))
    ]


def test_every_path_of_a_value_is_there_as_text_too() -> None:
    found = [(each, name) for each, name in values_with_bytes() if name not in ("extra_bytes", "same_bytes")]
    assert len(found) > 25
    assert [(each.__name__, name) for each, name in found if not hasattr(each, name.removesuffix("_bytes"))] == []


def test_no_field_of_a_value_is_a_path_as_bytes_alone() -> None:
    """Fields of bytes are named _bytes, but for digests and pixels."""
    named = [getattr(hashindex, name) for name in hashindex.__all__]
    fields = [
        f"{each.__name__}.{name}"
        for each in named
        if hasattr(each, "_fields")
        for name, hint in each.__annotations__.items()
        if "bytes" in str(hint) and not name.endswith("_bytes")
    ]
    assert fields == [
        "Content.digest", "Content.pixels", "DecidedPicture.digest", "Decision.a", "Decision.b", "Decoded.prepared",
        "Decoded.pixels", "Decoded.signature", "Decoded.views", "Kept.digest", "Removal.digest",
        "ReviewedContent.digest", "Step.digest",
    ]  # fmt: skip


# Pictures in memory


def loaded(form: str) -> Any:
    picture = draw(0)
    return {
        "Image": picture,
        "palette": picture.convert("P"),
        "CMYK": picture.convert("CMYK"),
        "RGBA array": numpy.asarray(picture.convert("RGBA")),
        "array": numpy.asarray(picture),
        "not contiguous": numpy.asarray(picture)[:, ::-1][:, ::-1],
        "grey": numpy.asarray(picture.convert("L"))[:, :, None],
    }[form]


@pytest.mark.parametrize("form", ["Image", "palette", "CMYK", "RGBA array", "array", "not contiguous", "grey"])
def test_a_picture_in_memory_is_found(small: HashIndex, form: str) -> None:
    answer = small.query(loaded(form))
    assert [os.path.basename(hit.file.path) for hit in answer.hits] == ["a.png"]
    assert (answer.asked.width, answer.asked.height) == draw(0).size


def test_an_opened_picture_is_asked_as_its_file_is(small: HashIndex, tmp_path: Path) -> None:
    turned = save(draw(0).transpose(Image.Transpose.ROTATE_90), tmp_path / "turned.jpg", exif=_turned_by_exif())
    moving = tmp_path / "moving.gif"
    draw(3).save(moving, save_all=True, append_images=[draw(4), draw(5)], duration=[50, 70, 90])
    for path in (turned, moving):
        with Image.open(path) as picture:
            picture.seek(getattr(picture, "n_frames", 1) - 1)
            shown = picture.tell()
            opened, read = small.query(picture).asked, small.query(path).asked
            assert picture.tell() == shown
        assert (opened.width, opened.height, opened.frames) == (read.width, read.height, read.frames)
        assert opened.duration_ms == read.duration_ms


def _turned_by_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_pictures_in_memory_are_explained(small: HashIndex) -> None:
    picture = draw(0)
    found = small.explain(picture, numpy.asarray(draw(0).resize((80, 60))))
    assert (found.relation, found.a.path, found.b.path) == (Relation.COPY, "", "")
    assert small.explain("a.png", picture).relation is Relation.IDENTICAL
    assert small.explain(picture, "b.png").relation is Relation.DIFFERENT
    assert small.explain("a.png", picture).a.path == os.path.abspath("a.png")


# watch


def test_watch_yields_events_until_the_loop_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    fill(folder, [1])
    index = HashIndex(tmp_path / "c.db")
    kinds = []
    for event in index.watch(folder, WatchOptions(scan=ScanOptions(workers=1), quiet_s=0.05)):
        kinds.append(event.kind)
        if event.kind == "watching":
            save(draw(1), folder / "2.gif")
        if event.kind == "new" and event.path == str(folder.resolve() / "2.gif"):
            assert event.other == str(folder.resolve() / "1.png")
            break
    assert kinds[:2] == ["swept", "watching"]
    # The daemon has ended: another may start, and stop ends it.
    assert [event.kind for event in index.watch(stop=lambda: True)][-1:] in ([], ["stopped"])


def test_watch_raises_what_ends_it(tmp_path: Path) -> None:
    index = HashIndex(tmp_path / "c.db")
    with pytest.raises(UsageError, match="no such folder"):
        index.watch(tmp_path / "none")
    with pytest.raises(UsageError, match="No folder was ever scanned"):
        list(index.watch())


# What a person reads


def test_repr_names_the_catalogue(tmp_path: Path) -> None:
    assert repr(HashIndex(tmp_path / "c.db")) == f"HashIndex({str(tmp_path / 'c.db')!r})"


def test_with_closes_the_index(tmp_path: Path) -> None:
    with HashIndex(tmp_path / "c.db") as index:
        save(draw(1), tmp_path / "a.png")
        index.scan(tmp_path, ScanOptions(workers=1))
        index.query(draw(1))
    assert index._searcher is None


def test_help_shows_no_addresses_and_every_method_has_a_docstring() -> None:
    text = pydoc.plain(pydoc.render_doc(HashIndex))
    assert " at 0x" not in text
    assert "groups(" in text and "do_nothing" in text
    assert [name for name, method in METHODS.items() if not inspect.getdoc(method)] == []
    assert repr(do_nothing) == "do_nothing" and do_nothing(1, 2) is None  # type: ignore[func-returns-value]


def test_help_of_the_package_names_every_exported_class() -> None:
    text = pydoc.plain(pydoc.render_doc(hashindex))
    assert " at 0x" not in text
    head = text[: text.index("PACKAGE CONTENTS")]
    assert [name for name in hashindex.__all__ if not re.search(rf"\b{name}\b", head)] == []
    assert [name for name in hashindex.__all__ if f"class {name}(" not in text] == []


def test_every_exported_value_has_a_docstring_of_its_own() -> None:
    silent = []
    for name in hashindex.__all__:
        doc = getattr(hashindex, name).__doc__ or ""
        if not doc or doc.startswith(f"{name}("):
            silent.append(name)
    assert silent == []


def test_action_is_taken_as_text(small: HashIndex) -> None:
    assert small.plan("out", action="move", rest=True).action is Action.MOVE  # type: ignore[arg-type]
    with pytest.raises(UsageError, match='no way to organize called "trash"'):
        small.plan("out", action=Action.TRASH)


def test_files_are_iterated_by_folder_and_name(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for name in ("b/2.png", "a/1.png", "a/0.png", "a!/3.png"):
        save(draw(1), folder / name)
    index = HashIndex(tmp_path / "c.db")
    index.scan(folder, ScanOptions(workers=1))
    (folder / "a" / "0.png").unlink()
    index.scan(folder, ScanOptions(workers=1))

    def names(**how: Any) -> list[str]:
        return [os.path.relpath(file.path, folder.resolve()).replace(os.sep, "/") for file in index.files(**how)]

    assert names() == ["a/1.png", "a!/3.png", "b/2.png"]
    assert names(missing=True) == ["a/0.png", "a/1.png", "a!/3.png", "b/2.png"]
    assert names(under=folder / "a") == ["a/1.png"]
    first = next(iter(index.files()))
    assert first == index.file(first.path)


def test_options_show_only_what_is_not_as_usual() -> None:
    assert (repr(Limits()), repr(ScanOptions(limits=Limits(pixels=9)))) == (
        "Limits()",
        "ScanOptions(limits=Limits(pixels=9))",
    )
    assert repr(DedupeOptions(only="a", link="hard")) == f"DedupeOptions(only=(b'a',), link={hashindex.Link.HARD!r})"  # type: ignore[arg-type]


def test_the_bytes_of_a_picture_are_no_path(small: HashIndex) -> None:
    data = Path("a.png").read_bytes()
    with pytest.raises(UsageError, match="contains a zero byte") as raised:
        small.query(data)
    assert len(str(raised.value)) < 100
    assert [os.path.basename(hit.file.path) for hit in small.query(data=data).hits] == ["a.png"]


def test_a_relation_is_shown_by_its_name_and_compared_by_likeness() -> None:
    assert f"{Relation.COPY}, {Relation.VARIANT!s:>8}" == "copy,  variant"
    assert Relation.IDENTICAL > Relation.COPY > Relation.VARIANT > Relation.DIFFERENT
