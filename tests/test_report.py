"""The report and the contact sheet: their contents, and which files they replace."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest
from browsers import chromium
from builders import content, file
from pictures import draw, save
from PIL import Image

from hashindex import HashIndex, UsageError
from hashindex.commands.demo.samples import make_samples
from hashindex.core.model import Content, Group, Member
from hashindex.core.options import Level, Limits
from hashindex.core.words import PictureWords
from hashindex.output.contact_sheet import MARK, write_contact_sheets
from hashindex.output.page.bundle import STYLES, modules, page_file, page_files, script, server_page
from hashindex.output.report import embedded, write_report
from hashindex.output.text.common import show_path
from hashindex.pictures.thumbnails import Thumbnail, ThumbnailJob, ThumbnailProblem, ThumbnailSize, thumbnails
from hashindex.pictures.worker_pool import ISOLATED_MOST

PAGE = Path(__file__).resolve().parent.parent / "hashindex" / "output" / "page"
WORDS = json.loads((PAGE / "words.json").read_text(encoding="utf-8"))
LIMITS = Limits()
HOSTILE = [
    b"/p/<script>alert(1)</script>.png",
    b"/p/</script><script>document.title='owned'</script>.png",
    b"/p/<!--<script>.png",
    b"/p/\"'><img src=x onerror=alert(1)>.png",
    b"/p/&lt;b&gt;&amp;.png",
    b"/p/{{data}}{{script}}.png",
    "/p/\u2028\u2029line.png".encode(),
    "/p/\u202egnp.exe".encode(),
    b"/p/two\nlines\t\x1b[31m\x07.png",
    b"/p/stray \xff byte.png",
    "/p/猫.png".encode(),
]


class Page(HTMLParser):
    """What a browser would find in a report."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        """Text of script and style elements, by id or by name."""
        self._open = ""
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._open = (given.get("id") or tag) if tag in ("script", "style") else ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open] = self.inside.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def counted(self) -> Counter[tuple[str, tuple[tuple[str, str | None], ...]]]:
        return Counter((tag, tuple(given.items())) for tag, given in self.tags)

    @property
    def data(self) -> Any:
        return json.loads(self.inside["data"])

    @property
    def thumbnails(self) -> list[Any]:
        blocks = [json.loads(text) for name, text in self.inside.items() if re.fullmatch(r"t\d+", name)]
        return [thumbnail for block in blocks for thumbnail in block]


def group(*paths: bytes, of: list[Content] | None = None, **given: Any) -> Group:
    held = of or [content(number + 1) for number in range(len(paths))]
    members = tuple(Member(file(path, held[number]), 3 * number) for number, path in enumerate(paths))
    usual: dict[str, Any] = {"id": 1, "level": "similar", "hash": "phash256", "radius": 24, "widest": 6}
    return Group(members=members, **{**usual, **given})


def report(tmp_path: Path, *groups: Group, **given: Any) -> Page:
    target = tmp_path / "report.html"
    write_report(groups, target, limits=LIMITS, **given)
    return Page(target)


def on_disk(*paths: Path) -> Group:
    """A group of files as they lie there."""
    members = []
    for number, path in enumerate(paths):
        data = path.read_bytes()
        held = content(number + 1, digest=hashlib.sha256(data).digest(), size=len(data))
        members.append(Member(file(os.fsencode(path), held), number))
    return group()._replace(widest=1, members=tuple(members))


def thumbnail_of(path: Path, size: ThumbnailSize = ThumbnailSize()) -> Thumbnail:  # noqa: B008 - frozen
    digest = hashlib.sha256(path.read_bytes()).digest()
    (made,) = thumbnails([ThumbnailJob(digest, (os.fsencode(path),))], size, LIMITS, 1)
    return made


def opened(webp: bytes) -> Image.Image:
    return Image.open(io.BytesIO(webp), formats=["WEBP"])


def animated(path: Path, frames: int = 30, ms: int = 50) -> Path:
    pictures = [draw(seed) for seed in range(frames)]
    return save(pictures[0], path, save_all=True, append_images=pictures[1:], duration=ms, loop=0)


# Names


def test_no_name_becomes_markup_or_script(tmp_path: Path) -> None:
    harmless = report(tmp_path, *(group(b"/p/a.png", b"/p/b.png") for _ in HOSTILE))
    hostile = report(tmp_path, *(group(path, path + b"2") for path in HOSTILE), title="</title><script>x</script>")
    assert hostile.counted() == harmless.counted()
    assert hostile.inside["script"] == harmless.inside["script"]


def test_only_the_script_of_the_page_itself_may_run(tmp_path: Path) -> None:
    page = report(tmp_path, group(*HOSTILE))
    (policy,) = [given["content"] for tag, given in page.tags if given.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.inside["script"].encode()).digest()).decode()
    assert policy is not None and f"default-src 'none'; script-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    types = [given.get("type") for tag, given in page.tags if tag == "script"]
    assert types.count(None) == 1 and set(types) == {None, "application/json"}


def test_nothing_is_loaded_and_no_element_has_a_handler(tmp_path: Path) -> None:
    page = report(tmp_path, group(*HOSTILE))
    for tag, given in page.tags:
        assert not {name for name in given if name.startswith("on") or name in ("src", "srcset", "action", "style")}
        assert tag == "link" or given.get("href") in (None, "#main"), tag
    assert [given["href"] for tag, given in page.tags if tag == "link"] == [
        "data:image/svg+xml;base64," + base64.b64encode((PAGE / "icon.svg").read_bytes()).decode()
    ]


def test_embedded_json_has_no_special_character_of_html() -> None:
    value = ["</script>", "<!--", "&amp;", "\u2028\u2029", "\u202e", "猫", "\udcff"]
    text = embedded(value)
    assert text.isascii() and not set("<>&") & set(text)
    assert json.loads(text) == value


def test_paths_are_shown_escaped_and_copied_as_they_are(tmp_path: Path) -> None:
    page = report(tmp_path, group(*HOSTILE))
    members = page.data["groups"][0]["members"]
    assert [member[1] for member in members] == [show_path(path) for path in HOSTILE]
    copied = [(member[2] or member[1]) for member in members]
    assert copied == [path.decode("utf-8") if path != HOSTILE[9] else show_path(path) for path in HOSTILE]


# Thumbnails


def test_an_animation_moves_and_has_a_still(tmp_path: Path) -> None:
    made = thumbnail_of(animated(tmp_path / "a.gif"), ThumbnailSize(96, 10))
    with opened(made.moving) as moving, opened(made.still) as still:
        count = getattr(moving, "n_frames", 1)
        assert 2 < count <= 10
        assert not getattr(still, "is_animated", False)
        assert moving.size == still.size == (made.width, made.height) == (96, 72)
        length = 0
        for number in range(count):
            moving.seek(number)
            moving.load()
            length += moving.info["duration"]
    assert length == 30 * 50


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_animations_of_other_formats_move_too(tmp_path: Path, suffix: str) -> None:
    assert thumbnail_of(animated(tmp_path / f"a{suffix}", 4)).moving


def test_pages_of_a_tiff_are_no_animation(tmp_path: Path) -> None:
    save(draw(1), tmp_path / "a.tiff", save_all=True, append_images=[draw(2)])
    assert not thumbnail_of(tmp_path / "a.tiff").moving


def test_transparency_is_kept(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (40, 40))
    picture.paste((255, 0, 0, 255), (10, 10, 30, 30))
    made = thumbnail_of(save(picture, tmp_path / "a.png"))
    with opened(made.still) as still:
        assert still.convert("RGBA").getchannel("A").getextrema() == (0, 255)
    with opened(thumbnail_of(save(draw(1), tmp_path / "b.png")).still) as still:
        assert still.mode == "RGB"


def test_a_photo_is_rotated_by_its_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made = thumbnail_of(save(draw(1, (400, 200)), tmp_path / "a.jpg", exif=exif), ThumbnailSize(100, 1))
    assert (made.width, made.height) == (50, 100)


def test_a_small_picture_is_not_enlarged_and_a_thin_one_keeps_a_pixel(tmp_path: Path) -> None:
    small = thumbnail_of(save(draw(1).resize((20, 16)), tmp_path / "a.png"))
    thin = thumbnail_of(save(draw(1).resize((4000, 2)), tmp_path / "b.png"), ThumbnailSize(100, 1))
    assert [(made.width, made.height) for made in (small, thin)] == [(20, 16), (100, 1)]


def test_a_picture_without_thumbnail_has_a_reason(tmp_path: Path) -> None:
    changed = save(draw(1), tmp_path / "changed.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(changed.read_bytes()[:60])
    other = tmp_path / "text.png"
    other.write_text("no picture")
    large = save(draw(1, (300, 300)), tmp_path / "large.png")
    wanted = [
        ThumbnailJob(b"?" * 32, (os.fsencode(tmp_path / "gone.png"),)),
        ThumbnailJob(b"?" * 32, (os.fsencode(changed),)),
        *(
            ThumbnailJob(hashlib.sha256(path.read_bytes()).digest(), (os.fsencode(path),))
            for path in (broken, other, large, changed)
        ),
        ThumbnailJob(b"?" * 32, (os.fsencode(tmp_path),)),
    ]
    made = list(thumbnails(wanted, ThumbnailSize(), Limits(pixels=50_000), 1))
    kinds = [
        ThumbnailProblem.GONE,
        ThumbnailProblem.CHANGED,
        *[ThumbnailProblem.UNREADABLE] * 3,
        None,
        ThumbnailProblem.UNREADABLE,
    ]
    assert [each.trouble for each in made] == kinds
    assert [bool(each.still) for each in made] == [kind is None for kind in kinds]
    assert all(each.reason and str(tmp_path) not in each.reason for each in made if each.trouble)


def test_a_content_is_read_from_any_file_that_is_left(tmp_path: Path) -> None:
    path = save(draw(1), tmp_path / "a.png")
    digest = hashlib.sha256(path.read_bytes()).digest()
    (made,) = thumbnails([ThumbnailJob(digest, (b"/gone", os.fsencode(path)))], ThumbnailSize(), LIMITS, 1)
    assert made.trouble is None and made.still


class Crash(tuple):  # type: ignore[type-arg]
    """Paths that end the process which looks at them, as a broken decoder does."""

    def __iter__(self) -> Any:
        os._exit(1)


def test_workers_make_the_same_and_a_crash_costs_one_thumbnail(tmp_path: Path) -> None:
    paths = [save(draw(seed, (60, 40)), tmp_path / f"{seed}.png") for seed in range(ISOLATED_MOST + 20)]
    wanted = [ThumbnailJob(hashlib.sha256(path.read_bytes()).digest(), (os.fsencode(path),)) for path in paths]
    alone = [made for each in wanted for made in thumbnails([each], ThumbnailSize(), LIMITS, 1)]
    assert list(thumbnails(wanted, ThumbnailSize(), LIMITS, 2)) == alone
    wanted[7] = ThumbnailJob(b"?" * 32, Crash((b"/p",)))
    crashed = list(thumbnails(wanted, ThumbnailSize(), LIMITS, 2))
    assert crashed[7].trouble is ThumbnailProblem.UNREADABLE
    assert crashed[:7] + crashed[8:] == alone[:7] + alone[8:]


def test_a_script_that_cannot_start_workers_gets_an_error(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import threading\n"
        "from hashindex.core.options import Limits\n"
        "from hashindex.pictures.thumbnails import ThumbnailJob, ThumbnailSize, thumbnails\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "list(thumbnails([ThumbnailJob(b'?', ())] * 200, ThumbnailSize(), Limits(), 2))\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert "UsageError: No worker process can be started; a script that calls this function needs" in ended.stderr


# The page


def test_the_data_of_the_page_equal_the_groups(tmp_path: Path) -> None:
    same = content(5, format="gif", width=30, height=20, frames=9)
    given = group(b"/p/a.gif", b"/q/b.gif", b"/p/c.gif", of=[same, same, content(6)], id=12, widest=7)
    page = report(tmp_path, given, title="My stickers", made_ns=1_600_000_000_123_456_789)
    data = page.data
    assert {name: data[name] for name in ("title", "made", "contents")} == {
        "title": "My stickers",
        "made": 1_600_000_000_123,
        "contents": [["gif", 30, 20, 9, 0], ["jpeg", 10, 10, 1, 0]],
    }
    assert data["groups"] == [
        {
            "id": 12,
            "bits": 256,
            "widest": 7,
            "why": "",
            "doubt": "",
            "members": [
                [0, "/p/a.gif", 0, 100, 1000, 0, 1, None],
                [0, "/q/b.gif", 0, 100, 1000, 3, 1, None],
                [1, "/p/c.gif", 0, 100, 1000, 6, 1, None],
            ],
        }
    ]
    assert page.thumbnails == [{"trouble": "gone", "reason": {"en": "the file is gone", "zh": "文件已不存在"}}] * 2


def test_each_content_has_its_words_once(tmp_path: Path) -> None:
    given = group(b"/p/a", b"/p/b", b"/p/c", of=[content(5), content(5), content(6)])
    words = {5: PictureWords(("</script>", "收到"), ("cat",)), 7: PictureWords(("of no group",))}
    assert report(tmp_path, given, words=words).data["words"] == {"0": [["</script>", "收到"], ["cat"]]}


def test_equal_contents_share_one_thumbnail(tmp_path: Path) -> None:
    path = save(draw(1), tmp_path / "a.png")
    copy = shutil.copy(path, tmp_path / "b.png")
    page = report(tmp_path, on_disk(path, Path(copy)))
    assert [sorted(thumbnail) for thumbnail in page.thumbnails] == [["height", "still", "width"]]
    assert [member[0] for member in page.data["groups"][0]["members"]] == [0, 0]


def test_counts_progress_and_blocks(tmp_path: Path) -> None:
    groups = [
        group(b"/p/%d" % number, b"/q/%d" % number, of=[content(2 * number + 1), content(2 * number + 2)])
        for number in range(50)
    ]
    seen: list[tuple[int, int]] = []
    target = tmp_path / "report.html"
    summary = write_report(groups, target, limits=LIMITS, on_progress=lambda done, all: seen.append((done, all)))
    assert (summary.groups, summary.pictures, summary.without_thumbnail) == (50, 100, 100)
    assert summary.bytes == target.stat().st_size
    assert seen == [(number + 1, 100) for number in range(100)]
    page = Page(target)
    assert {"t0", "t1"} <= set(page.inside) and len(page.thumbnails) == 100


def test_no_groups_make_a_page_too(tmp_path: Path) -> None:
    assert report(tmp_path).data["groups"] == []


def test_both_languages_have_every_text_with_the_same_placeholders() -> None:
    assert WORDS.keys() == {"en", "zh"}
    assert list(WORDS["en"]) == list(WORDS["zh"])
    for key, english in WORDS["en"].items():
        chinese = WORDS["zh"][key]
        assert type(english) is type(chinese), key
        forms = [*english, *chinese] if isinstance(english, list) else [english, chinese]
        assert len({tuple(sorted(set(re.findall(r"\{\w+\}", form)))) for form in forms}) == 1, key
        assert all(form.strip() for form in forms)


def test_every_text_is_used_and_every_used_text_exists() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted(PAGE.iterdir()) if path.suffix in (".js", ".html")
    )
    used = {*re.findall(r'data-(?:t|label)="(\w+)"', source)}
    for call in re.findall(r"say\(([^,)]+)", source):
        used.update(re.findall(r'"(\w+)"', call))
    parts = {text for text in used if text.endswith("_")}
    """Those to which the script appends a value, such as decided_ and the kind of the decision."""
    assert parts == {"decided_", "decided_now_", "keys_", "level_", "mode_", "trouble_"}
    assert used - parts - {"reviewed"} <= WORDS["en"].keys()
    named = {*used, *re.findall(r'"(\w+)"', source)}
    assert [key for key in WORDS["en"] if key not in named and not key.startswith(tuple(parts))] == []
    assert {f"trouble_{kind}" for kind in ThumbnailProblem} | {f"level_{level}" for level in Level} <= WORDS[
        "en"
    ].keys()


def test_the_page_has_landmarks_and_headings(tmp_path: Path) -> None:
    page = report(tmp_path, group(b"/p/a", b"/p/b"))
    tags = Counter(tag for tag, _ in page.tags)
    assert page.tags[0] == ("html", {"lang": "en"})
    assert [tags[name] for name in ("header", "main", "h1", "title")] == [6, 1, 1, 1]
    assert any(given.get("role") == "search" for _, given in page.tags)
    assert sum(given.get("role") == "status" for _, given in page.tags) == 4
    ids = [given["id"] for _, given in page.tags if given.get("id")]
    assert len(ids) == len(set(ids))
    assert ("a", {"class": "skip", "href": "#main", "data-t": "skip"}) in page.tags and "main" in ids
    assert tags["label"] == tags["input"] + tags["select"]
    assert {given.get("tabindex") for _, given in page.tags} == {None, "-1"}
    assert set(re.findall(r'by\("([\w-]+)"\)', page.inside["script"])) - {"data"} <= set(ids)


def test_the_page_of_a_server_has_no_data_and_no_script_of_its_own() -> None:
    page = server_page()
    assert "{{" not in page and 'id="data"' not in page
    assert re.findall(r"<script[^>]*>", page) == [
        '<script type="application/json" id="words">',
        '<script type="module" src="/page/main.js">',
    ]
    assert [f"/page/{name}" in page for name in STYLES] == [True] * len(STYLES)


def test_each_file_of_the_page_has_a_type_and_nothing_else_is_given() -> None:
    given = {name: page_file(name) for name in page_files()}
    assert given.keys() == {path.name for path in PAGE.iterdir() if path.suffix in (".js", ".css", ".svg")}
    for name, found in given.items():
        assert found is not None
        assert found[0] == (PAGE / name).read_bytes()
        types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        assert found[1].split(";")[0] == types[Path(name).suffix]
    for name in ("page.html", "words.json", "bundle.py", "../report.py", "/etc/passwd", ""):
        assert page_file(name) is None


def test_no_module_needs_another_that_comes_later() -> None:
    ordered = modules("main.js")
    assert ordered[-1] == "main.js"
    for number, name in enumerate(ordered):
        text = (PAGE / name).read_text(encoding="utf-8")
        imported = re.findall(r'^import \{[^}]*\} from "\./(\w+\.js)";$', text, re.MULTILINE)
        assert len(imported) == len(re.findall(r"^import\b", text, re.MULTILINE)), name
        assert set(imported) <= set(ordered[:number]), name
        exported = re.findall(r"^export (?:const|class) \w+", text, re.MULTILINE)
        assert len(exported) == len(re.findall(r"^export\b", text, re.MULTILINE)), name
    assert not re.search(r"^(?:import|export)\b", script(), re.MULTILINE)


def test_no_module_makes_markup_from_text() -> None:
    for name in modules("main.js"):
        source = (PAGE / name).read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", source), (
            name
        )


# Writing


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    write_report([], target, limits=LIMITS)
    write_contact_sheets([], tmp_path / "sheet.png", limits=LIMITS)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (target, tmp_path / "sheet.png")] == [0o600, 0o600]


@pytest.mark.parametrize(("write", "name"), [(write_report, "a.html"), (write_contact_sheets, "a.png")])
def test_an_earlier_report_is_replaced_and_another_file_never(tmp_path: Path, write: Any, name: str) -> None:
    target = tmp_path / name
    write([], target, limits=LIMITS)
    before = target.read_bytes()
    write([group(b"/p/a", b"/p/b")], target, limits=LIMITS)
    assert target.read_bytes() != before
    target.write_bytes(b"my diary")
    with pytest.raises(UsageError, match=r"a\.\w+ exists already and is not a .* of hashindex; name another file\.$"):
        write([], target, limits=LIMITS)
    assert target.read_bytes() == b"my diary"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("write", [write_report, write_contact_sheets])
def test_folders_and_missing_folders_are_refused(tmp_path: Path, write: Any) -> None:
    with pytest.raises(UsageError, match="exists already"):
        write([], tmp_path, limits=LIMITS)
    with pytest.raises(UsageError, match="no such folder"):
        write([], tmp_path / "none" / "a.html", limits=LIMITS)


def test_a_file_that_another_program_saved_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.html"
    groups = [group(b"/p/a", b"/p/b")]

    def saved(done: int, total: int) -> None:
        target.write_text("mine")

    with pytest.raises(UsageError, match="exists already"):
        write_report(groups, target, limits=LIMITS, on_progress=saved)
    assert (target.read_text(), os.listdir(tmp_path)) == ("mine", ["a.html"])


def test_an_interrupted_report_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "a.html"
    write_report([], target, limits=LIMITS)
    before = target.read_bytes()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report([group(b"/p/a", b"/p/b")], target, limits=LIMITS, on_progress=interrupt)
    assert (target.read_bytes(), os.listdir(tmp_path)) == (before, ["a.html"])


# The contact sheet


def test_a_contact_sheet_shows_each_picture(tmp_path: Path) -> None:
    red, blue = (save(Image.new("RGB", (300, 300), name), tmp_path / f"{name}.png") for name in ("red", "blue"))
    (summary,) = write_contact_sheets([on_disk(red, blue), on_disk(blue, red)], tmp_path / "sheet.png", limits=LIMITS)
    assert (summary.groups, summary.pictures, summary.without_thumbnail) == (2, 4, 0)
    data = (tmp_path / "sheet.png").read_bytes()
    assert MARK in data[:1024] and summary.bytes == len(data)
    with Image.open(tmp_path / "sheet.png") as sheet:
        found = cast(list[tuple[int, tuple[int, ...]]], sheet.getcolors(1 << 20))
        colours = {colour: number for number, colour in found}
    near = [
        sum(number for colour, number in colours.items() if max(map(abs, map(int.__sub__, colour, aim))) < 12)
        for aim in ((255, 0, 0), (0, 0, 255))
    ]
    assert all(2 * 130 * 130 < number < 2 * 140 * 140 for number in near)
    assert colours[(0x0A, 0x6B, 0x62)] > 500  # the frames of two keepers


def test_more_groups_go_on_further_contact_sheets(tmp_path: Path) -> None:
    many = group(*(b"/p/%d" % number for number in range(40)))
    few = group(b"/p/a", b"/p/b")
    done: list[tuple[int, int]] = []
    file = tmp_path / "sheet.png"
    written = write_contact_sheets(
        [many, many, few], file, limits=LIMITS, most=2, on_progress=lambda *now: done.append(now)
    )
    assert [summary.file for summary in written] == [file, tmp_path / "sheet-2.png"]
    assert [(summary.groups, summary.pictures) for summary in written] == [(2, 28), (1, 2)]
    assert done[-1] == (len(done), len(done))
    with Image.open(file) as first, Image.open(written[1].file) as second:
        assert second.width < first.width < 1300
        assert second.height < first.height


def test_no_sheet_is_drawn_if_one_would_replace_another_file(tmp_path: Path) -> None:
    (tmp_path / "sheet-2.png").write_bytes(b"a picture of the user")
    with pytest.raises(UsageError, match=r"sheet-2\.png exists already"):
        write_contact_sheets([group(b"/p/a", b"/p/b")] * 2, tmp_path / "sheet.png", limits=LIMITS, most=1)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet-2.png"]


def test_a_contact_sheet_can_show_any_name(tmp_path: Path) -> None:
    paths = [*HOSTILE, b"/p/" + b"x" * 250, "/p/\U0001f431\u0627\u0628.png".encode()]
    (summary,) = write_contact_sheets([group(*paths)], tmp_path / "sheet.png", limits=LIMITS)
    assert summary.pictures == len(paths)


# In a browser


def test_a_browser_shows_the_page_without_errors(tmp_path: Path, index: HashIndex) -> None:
    program = chromium()
    make_samples(tmp_path / "pictures")
    index.scan([tmp_path / "pictures"])
    found = index.groups()
    target = tmp_path / "report.html"
    write_report([*found, group(*HOSTILE)._replace(id=999)], target, limits=LIMITS)
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --window-size=1280,9000 --lang=zh-CN --accept-lang=zh-CN "
        "--enable-logging=stderr --v=0 --virtual-time-budget=3000 --dump-dom"
    )
    shown = subprocess.run(
        [program, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", target.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert "CONSOLE" not in shown.stderr
    page = shown.stdout
    assert '<html lang="zh-Hans"' in page and "<title>相似图片 – hashindex</title>" in page
    assert page.count("<article ") == len(found) + 1
    assert page.count('class="chip best"') == len(found) + 1
    assert page.count("<img ") == sum(len(each.members) for each in found)
    assert "&lt;script&gt;alert(1)&lt;" in page
