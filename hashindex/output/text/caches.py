"""Picture folders of chat clients."""

import os
from collections.abc import Iterable, Iterator

from hashindex.core.model import Cache
from hashindex.output.text.common import json_line, plural, show_path, show_text


def cache_json(cache: Cache) -> str:
    return json_line(
        {
            "clients": list(cache.clients),
            "name": cache.name,
            "account": cache.account,
            "folder": os.fsdecode(cache.folder),
            "pictures": [os.fsdecode(path) for path in cache.pictures],
            "files": cache.files,
            "more": cache.more,
            "unreadable": list(cache.unreadable),
        }
    )


def cache_text(cache: Cache) -> str:
    account = f", account {show_text(cache.account)}" if cache.account else ""
    options = " or ".join(f"--client {client}" for client in cache.clients)
    lines = [f"{cache.name}{account}  ({options})", f"  folder    {show_path(cache.folder)}"]
    if cache.pictures:
        if cache.more:
            lines.append(
                plural(cache.files, "  pictures  more than {count} file in", "  pictures  more than {count} files in")
            )
        else:
            lines.append(plural(cache.files, "  pictures  about {count} file in", "  pictures  about {count} files in"))
        lines += [f"            {show_path(path)}" for path in cache.pictures]
    lines += [f"  not read  {show_text(reason)}" for reason in cache.unreadable]
    return "\n".join(lines)


def caches_text(caches: Iterable[Cache]) -> Iterator[str]:
    """One paragraph per cache, separated by empty lines."""
    for number, cache in enumerate(caches):
        yield ("\n" if number else "") + cache_text(cache)
