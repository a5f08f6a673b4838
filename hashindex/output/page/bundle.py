"""Puts the page together: as one file for a report, as files for a server.

The modules of JavaScript are written so that a server can give them as they are, and so that one script can hold them
all: each import is `import { names } from "./module.js";`, each export is a declaration, and nothing is renamed. In the
one script each module is a function that gives its exports.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from hashindex import __version__

STYLES: Final = ("base.css", "group_list.css", "group_view.css", "compare.css", "dialogs.css")
"""In the order in which the browser applies them."""
MAIN: Final = "main.js"
ICON: Final = "icon.svg"
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_IMPORT: Final = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (const|let|class|(?:async )?function) (\w+)", re.MULTILINE)


def page_file(name: str) -> tuple[bytes, str] | None:
    """A file that the page loads, by its name, with its content type; None if the page has no such file."""
    if name not in page_files():
        return None
    return _text(name).encode("utf-8"), CONTENT_TYPES[name[name.rindex(".") :]]


@cache
def page_files() -> tuple[str, ...]:
    """The names of all files that the page loads."""
    return ICON, *STYLES, *modules(MAIN)


def modules(name: str) -> list[str]:
    """A module and all that it imports, those first that others import. ValueError if they import each other."""
    ordered: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"{name} imports itself by way of {', '.join(above)}")
        if name not in ordered:
            for _, imported in _IMPORT.findall(_text(name)):
                add(f"{imported}.js", (*above, name))
            ordered.append(name)

    add(name, ())
    return ordered


def script() -> str:
    """All modules as one classic script, which runs while the browser still reads the rest of the page."""
    return '"use strict";\n(() => {\n' + "".join(_as_function(name) for name in modules(MAIN)) + "})();\n"


def _as_function(name: str) -> str:
    source = _text(name)
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(r"const \1 = module_\2;", source))
    exports = ", ".join(name for _, name in _EXPORT.findall(source))
    return f"const module_{name.removesuffix('.js')} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"


def style() -> str:
    """All styles as one."""
    return "\n".join(_text(name) for name in STYLES)


def server_page() -> str:
    """The page as a server gives it: it links to its styles and modules below /page/ and asks the server for data.

    It needs a policy of at least: script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'.
    """
    links = "\n".join(f'<link rel="stylesheet" href="/page/{name}">' for name in STYLES)
    own_script = f'<script type="module" src="/page/{MAIN}"></script>'
    return _filled({"policy": "", "icon": f"/page/{ICON}", "style": links, "script": own_script, "data": ""})


def report_page(data: str) -> tuple[str, str]:
    """The page with everything in it, cut in two: the thumbnails of the report belong in between.

    data: JSON for a script element. Pictures may come from the page itself and from this computer's files.
    """
    own_style, own_script = "\n" + style(), "\n" + script()
    policy = (
        f"default-src 'none'; script-src '{_hash(own_script)}'; style-src '{_hash(own_style)}'; img-src data: file:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    page = _filled(
        {
            "policy": f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            "icon": "data:image/svg+xml;base64," + base64.b64encode(_text(ICON).encode("utf-8")).decode("ascii"),
            "style": f"<style>{own_style}</style>",
            "script": f"<script>{own_script}</script>",
            "data": f'<script type="application/json" id="data">{data}</script>\n',
        }
    )
    head, separator, tail = page.rpartition("</body>")
    return head, separator + tail


def _filled(values: Mapping[str, str]) -> str:
    """The page with its places filled, in one pass, so that a place inside of a value stays text."""
    words = _escaped(_text("words.json"))
    given = {"version": __version__, "words": words, **values}
    return re.sub(r"\{\{(\w+)\}\}", lambda place: given[place[1]], _text("page.html"))


def _escaped(json_text: str) -> str:
    return json_text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
