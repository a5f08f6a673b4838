"""Tags: what tag, untag and tags print."""

import os
from collections.abc import Sequence
from typing import Literal, TypedDict

from hashindex.core.language import plural
from hashindex.core.tags import TagCount
from hashindex.output.text.common import JsonPath, PathText, json_line, listed_names, show_path, show_text


class TagSummaryJson(TypedDict):
    """What tag or untag changed."""

    event: Literal["summary"]
    tags: list[str]
    """The tags that were given or taken."""
    changed: int
    """How many tags were new to a picture, or were taken from one."""


class TaggedJson(TypedDict):
    """A picture and its tags."""

    event: Literal["picture"]
    path: JsonPath
    """Of the file."""
    tags: list[str]
    """By name."""


class TagJson(TypedDict):
    """A tag."""

    event: Literal["tag"]
    tag: str
    """Its name."""
    pictures: int
    """Present pictures that have it, each content once."""


def changed_json(tags: Sequence[str], count: int) -> str:
    return json_line(TagSummaryJson(event="summary", tags=list(tags), changed=count))


def tagged_text(tags: Sequence[str], pictures: Sequence[str], count: int) -> str:
    if not count:
        return plural(len(pictures), "It has {tags} already.", "All {count} have {tags} already.", tags=_shown(tags))
    return plural(
        len(pictures), "Tagged {count} picture: {tags}.", "Tagged {count} pictures: {tags}.", tags=_shown(tags)
    )


def untagged_text(tags: Sequence[str], pictures: Sequence[str], count: int) -> str:
    if not count:
        return plural(len(pictures), "It does not have {tags}.", "None of {count} has {tags}.", tags=_shown(tags))
    return plural(
        len(pictures), "Took from {count} picture: {tags}.", "Took from {count} pictures: {tags}.", tags=_shown(tags)
    )


def tagged_by_rules_text(count: int) -> str:
    return plural(count, "Rules gave {count} new tag.", "Rules gave {count} new tags.")


def tagged_json(path: bytes, tags: Sequence[str]) -> str:
    return json_line(TaggedJson(event="picture", path=os.fsdecode(path), tags=list(tags)))


def picture_text(path: bytes, tags: Sequence[str], show: PathText = show_path) -> str:
    return "  ".join([show(path), *(tag_text(tag) for tag in tags)])


def count_json(count: TagCount) -> str:
    return json_line(TagJson(event="tag", tag=count.tag, pictures=count.pictures))


def count_text(count: TagCount) -> str:
    return f"{count.pictures:>8,}  {tag_text(count.tag)}"


def tag_text(tag: str) -> str:
    """#cat"""
    return show_text(f"#{tag}")


def _shown(tags: Sequence[str]) -> str:
    return listed_names(map(tag_text, tags))
