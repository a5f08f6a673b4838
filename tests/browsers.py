"""A real browser for tests of the page: the Chromium of the system, driven by Playwright. Skips where there is none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page


def chromium() -> str:
    """The program of the system's Chromium. Skips the test if there is none."""
    found = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)
    if found is None:
        pytest.skip("there is no Chromium here to show the page")
    return found


READS = "willReadFrequently"
"""A hint of the browser when a test itself reads a canvas often."""
REFUSED = "Failed to load resource"
WORSE = ("warning", "error", "assert")
"""Types of messages that a page must not write. Chromium itself writes others, about slow frames for example."""


@contextmanager
def launched() -> Iterator["Browser"]:
    """A Chromium without a window."""
    program = shutil.which(chromium())
    api = pytest.importorskip("playwright.sync_api", reason="there is no Playwright here to drive a browser")
    with api.sync_playwright() as playwright:
        # Without a sandbox of its own, since containers allow none.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def page_at(browser: "Browser", address: str, *, refused: int = 0, **context: Any) -> Iterator["Page"]:
    """A page in a context of its own. Fails if the page writes to its console, or throws an error that nothing catches.

    refused: how many things that cannot be loaded the test expects; the browser writes a line for each.
    """
    options = {"locale": "en-US", "viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **context}
    with browser.new_context(**options) as opened:
        opened.set_default_timeout(20_000)
        page = opened.new_page()
        said: list[str] = []

        def note(message: "ConsoleMessage") -> None:
            if message.type in WORSE:
                said.append(f"{message.text} {message.location['url']}")

        page.on("console", note)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        yield page
        assert len([text for text in said if REFUSED in text]) == refused, said
        assert [text for text in said if REFUSED not in text and READS not in text] == [], said
