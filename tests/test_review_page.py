"""The page of `hashindex review` in a real browser, against a real server and real files."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsers import launched, page_at
from pictures import draw, moving, save
from PIL import Image
from recognised import read_as
from reviewing import Opened, opened

from hashindex import HashIndex
from hashindex.core.options import Limits
from hashindex.core.words import TextLine
from hashindex.output.page import bundle
from hashindex.output.report import write_report

Error = pytest.importorskip("playwright.sync_api", reason="there is no Playwright here to drive a browser").Error

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = next(
    (
        path
        for path in (os.environ.get("HASHINDEX_AXE", ""), str(Path(__file__).parent.parent / ".ci" / "axe.min.js"))
        if path and os.path.isfile(path)
    ),
    None,
)
"""axe-core, which .ci/run downloads: `npm pack axe-core`."""
MARKUP = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Opened, Path]]:
    """A review for the tests that change nothing, and its pictures."""
    place = tmp_path_factory.mktemp("shown")
    folder = place / "pictures"
    index = HashIndex(place / "catalogue.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        draw_pictures(folder)
        index.scan([folder])
        with opened(index, page=bundle) as review:
            yield review, folder


@pytest.fixture(autouse=True)
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's trash, and where thumbnails are cached."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data" / "Trash" / "files"


@pytest.fixture
def pictures(folder: Path, index: HashIndex) -> Path:
    """The pictures of draw_pictures, scanned."""
    draw_pictures(folder)
    index.scan([folder])
    return folder


def draw_pictures(folder: Path) -> None:
    """Four groups, each with less to free than the one before; the third is animated, the last has a hostile name."""
    large = draw(1, (640, 480))
    save(large, folder / "1 whole.png")
    save(large, folder / "1 lossy.jpg", quality=95)
    shutil.copy(folder / "1 whole.png", folder / "1 again.png")
    save(draw(2, (320, 240)), folder / "2 whole.png")
    save(draw(2, (320, 240)), folder / "2 lossy.jpg", quality=95)
    frames = moving(3, range(1, 7))
    gif = save(frames[0], folder / "3.gif", save_all=True, append_images=frames[1:], duration=90, loop=0)
    shutil.copy(gif, folder / "3 again.gif")
    name = MARKUP if os.name != "nt" else "markup.png"
    save(draw(4, (64, 48)), folder / name)
    shutil.copy(folder / name, folder / "4 again.png")


def until(page: "Page", condition: str) -> None:
    """Waits until an expression of JavaScript is true. (Playwright's own way is what the page's policy forbids.)"""
    for _ in range(400):
        # The policy also has the browser change the process of the page after its first answer.
        with suppress(Error):
            if page.evaluate(condition):
                return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def show_group(page: "Page", number: int) -> None:
    """Waits until the page shows the group at this place, counted from 1, and its pictures."""
    until(page, f"document.querySelector('.walk span')?.textContent.startsWith('{number} of ')")
    until(page, "[...document.querySelectorAll('.look')].every(look => look.querySelector('img, canvas'))")


def progress(page: "Page", text: str) -> None:
    until(page, f"document.getElementById('progress-text').textContent.includes({text!r})")


def said(page: "Page", text: str) -> None:
    """Waits until the page has told screen readers this."""
    until(page, f"document.getElementById('said').textContent === {text!r}")


def press(page: "Page", *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def names(page: "Page") -> list[str]:
    return page.locator(".plate .name").all_inner_texts()


def files_of(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_whole_review_by_keys_alone(browser: "Browser", index: HashIndex, pictures: Path, trash: Path) -> None:
    before = files_of(pictures)
    with opened(index, page=bundle) as review, page_at(browser, review.address) as page:
        show_group(page, 1)
        assert names(page)[0].startswith("1 ") and len(names(page)) == 3
        assert page.locator(".chip.best").count() == 1 and page.locator(".why").first.inner_text()
        progress(page, "0 of 4 reviewed")
        page.wait_for_selector("button.main:has-text('2 files')")
        press(page, "d")
        show_group(page, 2)
        progress(page, "1 of 4 reviewed")
        assert len(files_of(pictures)) == len(before) - 2 and len(files_of(trash)) == 2
        press(page, "u")
        show_group(page, 1)
        progress(page, "0 of 4 reviewed")
        assert files_of(pictures) == before and files_of(trash) == []
        press(page, "s")
        show_group(page, 2)
        progress(page, "1 of 4 reviewed")
        press(page, "x")
        show_group(page, 3)
        said(page, "Kept as different")
        assert sorted(each.same for each in index.decisions()) == [False, True]
        press(page, "u")
        show_group(page, 2)
        said(page, "Decision taken back")
        assert [each.same for each in index.decisions()] == [True]
        press(page, "n")
        show_group(page, 3)
        press(page, "2", "b")
        page.wait_for_selector(".chip.done")
        press(page, "j")
        show_group(page, 4)
        press(page, "k")
        show_group(page, 3)
        press(page, "j")
        show_group(page, 4)
        press(page, "d")
        page.wait_for_selector("#group .notice")
        progress(page, "4 of 4 reviewed")
        assert len(files_of(trash)) == 1
        press(page, "h")
        page.wait_for_selector("#done .done-items li")
        assert page.locator("#done button:has-text('Undo')").count() >= 2
        press(page, "Escape", "?")
        assert page.locator("#help kbd").count() > 20
    assert len(files_of(pictures)) == len(before) - 1


def test_a_name_is_text_whatever_it_holds(browser: "Browser", shown: tuple[Opened, Path]) -> None:
    with page_at(browser, shown[0].server.address()) as page:
        page.select_option("#sort", "path")
        show_group(page, 1)
        press(page, "g")
        page.wait_for_selector("article.group")
        assert ("markup.png" if os.name == "nt" else MARKUP) in page.locator("#list .name").all_inner_texts()
        assert page.locator("#list img[src='x']").count() == 0


def test_two_pictures_are_compared_by_keys(browser: "Browser", shown: tuple[Opened, Path]) -> None:
    with page_at(browser, shown[0].server.address()) as page:
        show_group(page, 1)
        press(page, "3", " ")
        page.wait_for_selector("#compare[open] .layer img >> nth=1", state="attached")
        desk = page.locator(".desk")
        assert desk.get_attribute("data-mode") == "flicker"
        assert page.locator(".caption.shown .name").inner_text().startswith("Best")
        press(page, " ")
        assert not page.locator(".caption.shown .name").inner_text().startswith("Best")
        press(page, "2")
        page.wait_for_selector(".compare-head button[aria-label^='2:'][aria-pressed='true']")
        press(page, "m")
        assert desk.get_attribute("data-mode") == "slider"
        page.locator(".slider").fill("250")
        assert "25%" in str(page.locator(".pane.second").get_attribute("style"))
        press(page, "z")
        assert "100 %" in page.locator(".compare-head").inner_text()
        press(page, "z")
        page.mouse.move(300, 300)
        page.mouse.wheel(0, -400)
        until(page, "document.querySelector('.layer').style.transform.includes('scale')")
        press(page, "o")
        page.wait_for_selector(".says p:not(.muted)")
        press(page, "Escape")
        page.wait_for_selector("#compare:not([open])", state="attached")
        assert page.locator("#group h2").is_visible()


def test_animations_of_a_group_move_in_step_unless_less_motion_is_wanted(
    browser: "Browser", shown: tuple[Opened, Path]
) -> None:
    frames = """async () => {
        const seen = new Set();
        let apart = 0;
        for (let at = 0; at < 40; at += 1) {
            await new Promise(requestAnimationFrame);
            const [one, other] = [...document.querySelectorAll(".look canvas")].map((canvas) => canvas.toDataURL());
            seen.add(one);
            apart += one !== other;
        }
        return [seen.size, apart];
    }"""
    with page_at(browser, shown[0].server.address()) as page:
        page.select_option("#only", "animated")
        page.wait_for_selector(".look canvas >> nth=1")
        assert page.evaluate(frames) == [1, 0]
        page.emulate_media(reduced_motion="no-preference")
        until(page, "document.getElementById('motion').checked")
        seen, apart = page.evaluate(frames)
        assert seen > 2 and apart == 0
        press(page, "p")
        still = page.evaluate("document.querySelector('.look canvas').toDataURL()")
        press(page, ".")
        assert page.evaluate("document.querySelector('.look canvas').toDataURL()") != still
        press(page, ",")
        assert page.evaluate("document.querySelector('.look canvas').toDataURL()") == still


def test_a_picture_is_searched_by_dropping_it_and_by_its_path(browser: "Browser", shown: tuple[Opened, Path]) -> None:
    review, pictures = shown
    data = list((pictures / "2 lossy.jpg").read_bytes())
    with page_at(browser, review.server.address(), refused=1) as page:
        show_group(page, 1)
        drop = page.evaluate_handle(
            """(data) => {
                const held = new DataTransfer();
                held.items.add(new File([new Uint8Array(data)], "dropped.jpg", { type: "image/jpeg" }));
                return held;
            }""",
            data,
        )
        page.dispatch_event("body", "dragover", {"dataTransfer": drop})
        assert page.locator("#drop").is_visible()
        page.dispatch_event("body", "drop", {"dataTransfer": drop})
        page.wait_for_selector("#search-answers li >> nth=1")
        found = set(page.locator("#search-answers .name").all_inner_texts())
        assert found == {"2 whole.png", "2 lossy.jpg"}
        press(page, "Escape", "/")
        page.keyboard.type(str(pictures / "1 whole.png"))
        press(page, "Enter")
        until(page, "document.getElementById('search-answers').textContent.includes('1 again.png')")
        assert "1 lossy.jpg" in page.locator("#search-answers .name").all_inner_texts()
        page.locator("#search-path").fill(str(pictures / "none.png"))
        press(page, "Enter")
        until(page, "document.getElementById('search-says').textContent.includes('none.png')")


def test_words_and_tags_are_shown_and_searched(browser: "Browser", index: HashIndex, pictures: Path) -> None:
    said = [TextLine("<b>收到请回复</b>", 1.0), TextLine("GOOD MORNING " * 20, 1.0)]
    read_as(index, {"2 whole.png": said})
    index.tag("funny", [pictures / "2 whole.png"])
    with opened(index, page=bundle) as review, page_at(browser, review.address) as page:
        show_group(page, 1)
        assert page.locator("button.words").count() == 0
        page.fill("#with-words", "請回復")
        until(page, "document.querySelector('.walk span')?.textContent === '1 of 1'")
        page.wait_for_selector("button.main:has-text('1 file')")
        line = page.locator("button.words")
        assert line.count() == 1 and line.inner_text().startswith("#funny · <b>收到请回复</b> · GOOD MORNING")
        height = line.bounding_box()["height"]  # type: ignore[index]
        assert page.evaluate("[...document.querySelectorAll('.plate')].every((e) => e.scrollWidth <= e.clientWidth)")
        line.click()
        assert line.get_attribute("aria-expanded") == "true"
        assert line.bounding_box()["height"] > height  # type: ignore[index]
        page.fill("#with-words", "zebra")
        until(page, "document.getElementById('nothing').textContent.startsWith('No group has a picture')")
        page.press("#with-words", "Escape")
        show_group(page, 1)
        page.locator("#open-search").click()
        page.fill("#search-words", "morning")
        press(page, "Enter")
        until(page, "document.querySelector('#search-answers .words')?.textContent.startsWith('#funny')")
        assert page.locator("#search-says").inner_text() == "1 picture has these words."
        page.fill("#search-words", "zebra")
        press(page, "Enter")
        until(page, "document.getElementById('search-says').textContent === 'No picture has these words.'")
    target = pictures.parent / "report.html"
    index.report(target)
    with page_at(browser, target.as_uri()) as page:
        page.wait_for_selector("article.group img")
        for words in ("ＦＵＮＮＹ", "good morning", "收到"):
            page.fill("#filter", "")
            until(page, "document.querySelectorAll('article.group').length === 4")
            page.fill("#filter", words)
            until(page, "document.querySelectorAll('article.group').length === 1")
            assert page.locator("button.words").inner_text().startswith("#funny · <b>收到请回复</b>")


def test_it_is_chinese_dark_and_fits_400_pixels(browser: "Browser", shown: tuple[Opened, Path]) -> None:
    phone: dict[str, Any] = {
        "viewport": {"width": 400, "height": 800},
        "has_touch": True,
        "color_scheme": "dark",
        "locale": "zh-CN",
    }
    with page_at(browser, shown[0].server.address(), **phone) as page:
        page.wait_for_selector(".look img")
        assert page.locator("html").get_attribute("lang") == "zh-Hans"
        assert "第" in page.locator("#group h2").inner_text() and "建议保留" in page.locator(".chip.best").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert all(int(part) < 60 for part in colour.strip("rgb()").split(","))
        page.locator("#open-filters").tap()
        assert page.locator("#sort").is_visible()
        page.locator(".look").nth(1).tap()
        page.wait_for_selector("#compare[open] .layer img >> nth=1", state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        press(page, "Escape")
        page.locator("#open-settings").tap()
        page.locator("#settings label", has_text="English").tap()
        until(page, "document.getElementById('group-title').textContent.startsWith('Group')")
        assert page.locator(".why").first.inner_text().isascii()


def test_a_stale_decision_is_refused_and_the_group_shown_as_it_is(
    browser: "Browser", index: HashIndex, pictures: Path
) -> None:
    with opened(index, page=bundle) as review, page_at(browser, review.address, refused=1) as page:
        show_group(page, 1)
        index.separate(pictures / "1 lossy.jpg", pictures / "1 whole.png")
        press(page, "s")
        page.wait_for_selector(".notice-box.warns")
        until(page, "document.querySelectorAll('.plate').length === 2")
        assert "1 lossy.jpg" not in names(page)


def test_groups_of_identical_files_are_previewed_and_removed_at_once(
    browser: "Browser", index: HashIndex, pictures: Path, trash: Path
) -> None:
    before = files_of(pictures)
    with opened(index, page=bundle) as review, page_at(browser, review.address) as page:
        page.locator("#open-bulk").click()
        page.wait_for_selector("#bulk .names li")
        listed = page.locator("#bulk .names li").count()
        assert listed >= 2 and files_of(pictures) == before
        page.locator("#bulk button.main").click()
        page.wait_for_selector("#bulk:not([open])", state="attached")
        assert len(files_of(trash)) == listed
        assert len(files_of(pictures)) == len(before) - listed


def test_newcomers_are_told(
    browser: "Browser", index: HashIndex, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.review.sitting.QUIET_S", 1.0)
    with opened(index, page=bundle) as review, page_at(browser, review.address) as page:
        show_group(page, 1)
        shutil.copy(save(draw(9), pictures / "9.png"), pictures / "9 again.png")
        index.scan([pictures])
        page.locator(".notice-box button", has_text="Show").click()
        until(page, "document.getElementById('status').textContent.startsWith('5')")


def test_the_page_says_that_the_server_has_ended(browser: "Browser", index: HashIndex, folder: Path) -> None:
    shutil.copy(save(draw(1), folder / "1.png"), folder / "1 again.png")
    index.scan([folder])
    with browser.new_context(locale="en-US") as context:
        page = context.new_page()
        with opened(index, page=bundle) as review:
            page.goto(review.address)
            show_group(page, 1)
        press(page, "s")
        page.wait_for_selector(".notice-box.warns:has-text('has ended')")


def test_only_groups_near_to_what_is_in_view_are_there(browser: "Browser", index: HashIndex, folder: Path) -> None:
    for number in range(130):
        colour = (number, 255 - number, (7 * number) % 256)
        Image.new("RGB", (8 + number, 8), colour).save(folder / f"{number:03}.png")
        shutil.copy(folder / f"{number:03}.png", folder / f"{number:03} again.png")
    index.scan([folder])
    with opened(index, page=bundle) as review, page_at(browser, review.address) as page:
        page.select_option("#sort", "path")
        show_group(page, 1)
        press(page, "g")
        page.wait_for_selector("article.group")
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_for_selector("article[data-position='129']")
        until(page, "document.querySelectorAll('article.group').length <= 80")
        # The group that has the focus stays; those between it and the end are gone.
        assert page.locator("article[data-position='60']").count() == 0
        page.evaluate("window.scrollTo(0, 0)")
        until(page, "!document.querySelector('article[data-position=\"129\"]')")


def test_a_report_compares_the_files_themselves(browser: "Browser", index: HashIndex, pictures: Path) -> None:
    target = pictures.parent / "report.html"
    write_report(index.groups(), target, limits=Limits())
    with page_at(browser, target.as_uri(), refused=1) as page:
        page.wait_for_selector("article.group img")
        assert page.locator(".chip.best").count() == page.locator("article.group").count() == 4
        assert page.locator(".chip.copy[title*='256 bits']").count() >= 1
        page.locator("button.thumb").nth(1).click()
        page.wait_for_selector("#compare[open] .layer img >> nth=1", state="attached")
        shown = page.evaluate("document.querySelector('.layer img').naturalWidth")
        assert shown == 640
        press(page, "Escape")
        (pictures / page.locator(".picture .name").nth(2).inner_text()).unlink()
        page.locator("button.thumb").nth(2).click()
        page.wait_for_selector(".caption .muted:has-text('Only the thumbnail')")
        press(page, "Escape")
        page.locator("#filter").fill("markup" if os.name == "nt" else "onerror")
        until(page, "document.querySelectorAll('article.group').length === 1")
        assert page.locator("[data-only='server']").count() == 0


@pytest.mark.skipif(AXE is None, reason="there is no axe-core here; .ci/run downloads it")
def test_axe_finds_nothing_serious(browser: "Browser", shown: tuple[Opened, Path], tmp_path: Path) -> None:
    phone: dict[str, Any] = {"color_scheme": "dark", "viewport": {"width": 400, "height": 800}}
    with page_at(browser, shown[0].server.address(), **phone) as page:
        page.wait_for_selector(".look img")
        assert serious(page) == []
    with page_at(browser, shown[0].server.address()) as page:
        page.wait_for_selector(".look img")
        assert serious(page) == []
        press(page, " ")
        page.wait_for_selector("#compare[open] .layer img >> nth=1", state="attached")
        assert serious(page) == []
        for key in ("h", "/", "?"):
            press(page, "Escape", key)
            page.wait_for_selector("dialog[open] h2")
            assert serious(page) == []
        press(page, "Escape", "g")
        page.wait_for_selector("article.group img")
        assert serious(page) == []
    target = tmp_path / "report.html"
    write_report(HashIndex(shown[1].parent / "catalogue.db").groups(), target, limits=Limits())
    with page_at(browser, target.as_uri()) as page:
        page.wait_for_selector("article.group img")
        assert serious(page) == []


def serious(page: "Page") -> list[Any]:
    """What axe-core finds that hinders people: rule, weight, and the first element of each."""
    assert AXE is not None
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (each["id"], each["impact"], each["nodes"][0]["html"][:200])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
