"""The commands to begin with."""

from hashindex.core.language import N_, local, sentence

_SCAN = ("hashindex scan FOLDER", N_("read the pictures in a folder; the folder is not changed"))
_DEMO = ("hashindex demo", N_("try it on sample pictures"))
_STEPS = (
    ("hashindex groups", N_("show the pictures that you have more than once")),
    ("hashindex report report.html", N_("see them in a browser, with thumbnails")),
    ("hashindex dedupe", N_("list the copies that can go; --apply moves them to the trash")),
    ("hashindex organize FOLDER", N_("show how they would be copied there, numbered by group; --apply does it")),
)
_ALL = ("hashindex --help", N_("all commands; hashindex COMMAND --help explains one"))


def first_steps_text(*, has_pictures: bool) -> str:
    """What to do next. has_pictures: whether a scan has found pictures."""
    if has_pictures:
        head = sentence("Next:")
        steps = [*_STEPS, ("hashindex scan", N_("read what changed since the last scan")), _ALL]
    else:
        head = sentence("Find the pictures you have more than once, and tidy them up. Begin with:")
        steps = [_SCAN, *_STEPS, _DEMO, _ALL]
    width = max(len(command) for command, _ in steps)
    return "\n".join([head, *(f"  {command:{width}}  {local(what)}" for command, what in steps)])
