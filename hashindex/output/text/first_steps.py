"""The commands to begin with."""

_SCAN = ("hashindex scan FOLDER", "read the pictures in a folder; the folder is not changed")
_DEMO = ("hashindex demo", "try it on sample pictures")
_STEPS = (
    ("hashindex groups", "show the pictures that you have more than once"),
    ("hashindex report report.html", "see them in a browser, with thumbnails"),
    ("hashindex organize FOLDER", "show how they would be copied there, numbered by group; --apply does it"),
)
_ALL = ("hashindex --help", "all commands; hashindex COMMAND --help explains one")


def first_steps_text(*, has_pictures: bool) -> str:
    """What to do next. has_pictures: whether a scan has found pictures."""
    if has_pictures:
        head = "Next:"
        steps = [*_STEPS, ("hashindex scan", "read what changed since the last scan"), _ALL]
    else:
        head = "Find the pictures you have more than once, and tidy them up. Begin with:"
        steps = [_SCAN, *_STEPS, _DEMO, _ALL]
    width = max(len(command) for command, _ in steps)
    return "\n".join([head, *(f"  {command:{width}}  {what}" for command, what in steps)])
