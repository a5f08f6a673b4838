"""Hooks of MkDocs for the site: pages from outside of docs/, and a check that no page needs a network.

MkDocs calls these functions by their names; mkdocs.yml names this file. A warning ends a strict build.
"""

import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# Pages of the site that are files of the repository's top folder, since GitHub looks for them there.
TOP_PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

# The other language of a page, on a line of its own. The site has a menu of languages instead.
_LANGUAGE_LINE = re.compile(r"^\[(?:中文|English)\]\([\w.-]+\.md\)\n\n", re.MULTILINE)

_FETCHED = ("src", "srcset", "poster", "data")
"""Attributes whose addresses a browser fetches to show the page."""

_log = logging.getLogger("mkdocs.hashindex")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages of the top folder."""
    from mkdocs.structure.files import File

    for page in TOP_PAGES:
        files.append(File(page, config.docs_dir, config.site_dir, config.use_directory_urls))
    return files


def on_page_read_source(page: Any, config: Any) -> str | None:
    """The text of a page of the top folder; None for others, which MkDocs reads itself."""
    source = TOP_PAGES.get(page.file.src_uri)
    return from_top_folder((ROOT / source).read_text(encoding="utf-8")) if source else None


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The text of a page as the site needs it."""
    return for_site(markdown)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Warns of what a browser would fetch from elsewhere."""
    for address in external_addresses(output):
        _log.warning("%s would be fetched from the network by %s.", address, page.file.src_uri)
    return output


def from_top_folder(markdown: str) -> str:
    """Links of a page of the top folder, as from docs/."""
    markdown = re.sub(r"\]\(docs/", "](", markdown)
    return _link_top_pages(markdown, prefix="")


def for_site(markdown: str) -> str:
    """A page of docs/ without its link to the other language, with links to the pages of the top folder."""
    return _link_top_pages(_LANGUAGE_LINE.sub("", markdown, count=1), prefix="../")


def _link_top_pages(markdown: str, prefix: str) -> str:
    for page, source in TOP_PAGES.items():
        markdown = re.sub(rf"\]\({re.escape(prefix + source)}(?=[)#])", f"]({page}", markdown)
    return markdown


def external_addresses(html: str) -> list[str]:
    """Addresses of other hosts that a browser fetches to show the page, in their order. Links to click are none."""
    parser = _Resources()
    parser.feed(html)
    return parser.addresses


class _Resources(HTMLParser):
    """Collects what tags fetch, and what the styles in the page do."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            is_linked = name == "href" and tag == "link" and ("rel", "canonical") not in attrs
            if is_linked or name == "style" or name in _FETCHED:
                self._note(value or "")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self._note(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def _note(self, text: str) -> None:
        if not text.startswith("data:"):
            self.addresses += re.findall(r"(?:https?:)?//[^\s,\"')]+", text)
