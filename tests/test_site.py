"""The documentation site: what its hooks do, and that the page of the library names what the library exports."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import hashindex

ROOT = Path(__file__).resolve().parent.parent


def load_hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site_hooks = load_hooks()


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<script src="//cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="https://cdn.example/a.css">',
        '<link rel="preconnect" href="https://cdn.example">',
        '<img src="a.png" srcset="b.png 1x, https://cdn.example/c.png 2x">',
        '<iframe src="https://cdn.example/"></iframe>',
        '<video poster="https://cdn.example/a.png"></video>',
        "<style>@import 'https://cdn.example/a.css';</style>",
        "<style>body { background: url(//cdn.example/a.png) }</style>",
        '<p style="background: url(https://cdn.example/a.png)"></p>',
    ],
)
def test_what_a_page_fetches_from_the_network_is_found(html: str) -> None:
    (address,) = site_hooks.external_addresses(f"<p>before</p>{html}<p>after</p>")
    assert "//cdn.example" in address


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.org/">a link to click</a>',
        '<link rel="canonical" href="https://example.org/guide/">',
        '<script src="assets/a.js"></script><img src="data:image/png;base64,AA//">',
        "<code>curl -s https://example.org/cat.gif</code>",
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_what_needs_no_network_is_not(html: str) -> None:
    assert site_hooks.external_addresses(html) == []


def test_a_page_of_the_top_folder_keeps_its_links() -> None:
    text = "[a](docs/design.md#terms), [b](CHANGELOG.md), [c](#here), [d](https://example.org/docs/)"
    expected = "[a](design.md#terms), [b](changelog.md), [c](#here), [d](https://example.org/docs/)"
    assert site_hooks.from_top_folder(text) == expected


def test_a_page_has_no_link_to_its_other_language_since_the_site_has_a_menu() -> None:
    text = "# Guide\n\n[中文](guide.zh-CN.md)\n\nSee [how to](../CONTRIBUTING.md#commit) and [English](guide.md).\n"
    expected = "# Guide\n\nSee [how to](contributing.md#commit) and [English](guide.md).\n"
    assert site_hooks.for_site(text) == expected


def test_the_page_of_the_library_names_what_it_exports() -> None:
    named = re.findall(
        r"^::: hashindex\.(\w+)$", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(named) == sorted(hashindex.__all__)
