"""Measures the page of `hashindex review` in Chromium, on made groups of three pictures; there is no server behind it.

    python benchmarks/review_page.py [--groups 20000] [--chromium PROGRAM]

first     from the start of loading to the first picture of the first group
list      from the key to the first picture in the list of all groups
jump      from a jump to the middle of the list to a picture there
scroll    4 s of scrolling by 400 pixels a frame: groups in the page then, and pictures asked for
decide    100 decisions by key, one after the other, until all are answered
heap      memory of the page's script at the end

Times by the clock depend on who else uses the machine.
"""

import argparse
import io
import json
import shutil
import time
from typing import Any
from urllib.parse import parse_qs, urlparse

from common import count, print_table
from PIL import Image
from playwright.sync_api import Page, Route, sync_playwright

from hashindex.output.page import bundle

ADDRESS = "http://127.0.0.1:1/"
DECISIONS = 100

SCROLL = """async () => {
    window.scrollTo(0, 0);
    const end = performance.now() + 4000;
    while (performance.now() < end) {
        window.scrollBy(0, 400);
        await new Promise(requestAnimationFrame);
    }
    return document.querySelectorAll("article.group").length;
}"""


DECIDE = """async (decisions) => {
    const place = () => document.querySelector(".walk span").textContent;
    for (let done = 0; done < decisions; done += 1) {
        const before = place();
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "s" }));
        while (place() === before) await new Promise(requestAnimationFrame);
    }
    const reviewed = () => document.getElementById("progress-text").textContent;
    while (!reviewed().startsWith(`${decisions} `)) await new Promise(requestAnimationFrame);
}"""


class MadeReview:
    """Answers the requests of the page as a server of this many groups would."""

    def __init__(self, groups: int) -> None:
        target = io.BytesIO()
        Image.effect_noise((256, 256), 60).save(target, "WEBP")
        self._picture = target.getvalue()
        self.groups = groups
        self._reviewed: set[str] = set()
        self.pictures = 0
        """Pictures asked for so far."""

    def answer(self, route: Route) -> None:
        path = urlparse(route.request.url).path
        if path == "/":
            route.fulfill(body=bundle.server_page(), content_type="text/html")
        elif path.startswith("/page/"):
            body, kind = bundle.page_file(path.removeprefix("/page/")) or (b"", "text/plain")
            route.fulfill(body=body, content_type=kind)
        elif path.startswith("/api/pictures/"):
            self.pictures += 1
            route.fulfill(body=self._picture, content_type="image/webp")
        elif path == "/api/events":
            route.fulfill(body=": open\n\n", content_type="text/event-stream")
        else:
            route.fulfill(body=json.dumps(self._value(path, route)), content_type="application/json")

    def _value(self, path: str, route: Route) -> Any:
        if path == "/api/state":
            identical = {"groups": 0, "files": 0, "bytes": 0}
            state = {"lang": "en", "level": "copies", "folders": [], "sure_to_remove": {"identical": identical}}
            return {**state, "counts": self._counts()}
        if path == "/api/decide":
            group = json.loads(route.request.post_data or "")["group"]
            self._reviewed.add(group)
            return {"group": self._group(int(group)), "counts": self._counts()}
        asked = {name: values[0] for name, values in parse_qs(urlparse(route.request.url).query).items()}
        start = int(asked["start"])
        wanted = [number for number in range(self.groups) if str(number) not in self._reviewed]
        shown = wanted[start : start + int(asked["count"])]
        return {"total": len(wanted), "start": start, "groups": [self._group(number) for number in shown]}

    def _counts(self) -> dict[str, int]:
        return {"groups": self.groups, "reviewed": len(self._reviewed), "bytes_left": 0, "bytes_freed": 0}

    def _group(self, number: int) -> dict[str, Any]:
        facts = {"folder": "/home/me/Pictures", "format": "jpeg", "width": 640, "height": 480, "frames": 1}
        more = {"duration_ms": 0, "bytes": 40_000, "modified": "2019-08-30T04:18:39Z", "why": [], "faults": []}
        members = [
            {
                **facts,
                **more,
                "picture": f"{number}.{place}",
                "name": f"QQ图片{number:08}_{place}.jpg",
                "keeper": place == 0,
                "relation": "copy" if place else "best",
                "chance": 0.98,
                "removable": place > 0,
                "left_because": None,
            }
            for place in range(3)
        ]
        is_reviewed = str(number) in self._reviewed
        about = {"level": "copies", "why": "kept: the full picture", "doubt": None, "weakest": 0.98}
        return {
            **about,
            "group": str(number),
            "number": number + 1,
            "bytes_extra": 80_000,
            "decision": "same" if is_reviewed else None,
            "reviewed": is_reviewed,
            "members": members,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=count, default=20_000, metavar="GROUPS")
    parser.add_argument("--chromium", default=shutil.which("chromium"), metavar="PROGRAM")
    arguments = parser.parse_args()
    review = MadeReview(arguments.groups)
    flags = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.route("**/*", review.answer)
        print_table(("what", "measured"), measured(page, review))
        browser.close()


def measured(page: Page, review: MadeReview) -> list[tuple[str, str]]:
    rows = []
    started = time.perf_counter()

    def note(what: str, more: str = "") -> None:
        nonlocal started
        rows.append((what, f"{time.perf_counter() - started:.2f} s{more}"))
        started = time.perf_counter()

    page.goto(ADDRESS)
    page.wait_for_selector(".look img")
    note("first")
    page.keyboard.press("g")
    page.wait_for_selector("article.group img")
    note("list")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight / 2)")
    page.wait_for_selector(f"article[data-position='{review.groups // 2}'] img", state="attached")
    note("jump")
    before = review.pictures
    groups = page.evaluate(SCROLL)
    note("scroll", f", {groups} groups in the page, {review.pictures - before} pictures asked for")
    page.keyboard.press("g")
    page.wait_for_selector(".look img")
    started = time.perf_counter()
    page.evaluate(DECIDE, DECISIONS)
    note("decide")
    heap = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
    rows.append(("heap", f"{heap:.1f} MB"))
    return rows


if __name__ == "__main__":
    main()
