"""Picture folders of chat clients."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypedDict

from hashindex.core.language import local, plural, sentence
from hashindex.core.model import Cache, Client
from hashindex.output.text.common import JsonPath, json_line, show_message, show_path, show_text
from hashindex.output.text.terminal import padded


class CacheJson(TypedDict):
    """The pictures that one account of a chat client keeps on this machine."""

    event: Literal["cache"]
    clients: list[Client]
    """Clients that it may belong to, for --client."""
    name: str
    """Of the client, as in "QQ NT"."""
    account: str
    """As in the client's folder names; "" if they do not name it."""
    folder: JsonPath
    """Where the client keeps all of its files."""
    pictures: list[JsonPath]
    """Folders to scan; empty if nothing can be read."""
    files: int
    """Approximate number of files; if `more`, a lower bound."""
    more: bool
    """Whether there are more files than were counted."""
    unreadable: list[str]
    """Sentences: what cannot be read, and why."""


def cache_json(cache: Cache) -> str:
    return json_line(
        CacheJson(
            event="cache",
            clients=list(cache.clients),
            name=cache.name,
            account=cache.account,
            folder=cache.folder,
            pictures=list(cache.picture_folders),
            files=cache.files,
            more=cache.more,
            unreadable=list(cache.unreadable),
        )
    )


def cache_text(cache: Cache) -> str:
    name = local(cache.name)
    if cache.account:
        name = sentence("{client}, account {account}", client=name, account=show_text(cache.account))
    options = sentence(" or ").join(f"--client {client}" for client in cache.clients)
    lines = [f"{name}  ({options})", _field(sentence("folder"), show_path(cache.folder_bytes))]
    if cache.picture_folders_bytes:
        if cache.more:
            files = plural(cache.files, "more than {count} file in", "more than {count} files in")
        else:
            files = plural(cache.files, "about {count} file in", "about {count} files in")
        lines += [
            _field(sentence("pictures"), files),
            *(_field("", show_path(path)) for path in cache.picture_folders_bytes),
        ]
    lines += [_field(sentence("not read"), show_message(reason)) for reason in cache.unreadable]
    return "\n".join(lines)


def _field(label: str, text: str) -> str:
    return f"  {padded(label, 10)}{text}"


def caches_text(caches: Iterable[Cache]) -> Iterator[str]:
    """One paragraph per cache, separated by empty lines."""
    for number, cache in enumerate(caches):
        yield ("\n" if number else "") + cache_text(cache)
