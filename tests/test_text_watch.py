"""Texts and JSON of hashindex watch and its state."""

import json

import pytest

from hashindex.core.watch_events import DaemonStatus, WatchedRoot, WatchEvent
from hashindex.output.text.status import daemon_json, daemon_text
from hashindex.output.text.watch import event_json, event_text

AT = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (WatchEvent("new", AT, b"/p/a.png", relation="new"), "new      /p/a.png"),
        (
            WatchEvent("new", AT, b"/p/b.png", relation="copy", other_bytes=b"/p/a.png", same_bytes=True, distance=0),
            "new      /p/b.png: copy of /p/a.png (equal bytes)",
        ),
        (
            WatchEvent(
                "changed", AT, b"/p/b.png", relation="variant", other_bytes=b"/p/a.png", distance=1, other_gone=True
            ),
            "changed  /p/b.png: variant of /p/a.png (1 bit apart, gone)",
        ),
        (
            WatchEvent("new", AT, b"/p/b.png", relation="copy", other_bytes=b"/p/a.png"),
            "new      /p/b.png: copy of /p/a.png (equal pixels)",
        ),
        (
            WatchEvent("better", AT, b"/p/Ori/a.png", old_bytes=b"/p/Thumb/a.png", relation="new"),
            "better   /p/Ori/a.png: replaces /p/Thumb/a.png",
        ),
        (WatchEvent("back", AT, b"/p/a.png"), "back     /p/a.png"),
        (WatchEvent("moved", AT, b"/p/b.png", old_bytes=b"/p/a.png"), "moved    /p/a.png -> /p/b.png"),
        (WatchEvent("removed", AT, b"/p/a.png"), "removed  /p/a.png"),
        (WatchEvent("problem", AT, b"/p/a.png", message="it is empty"), "problem  /p/a.png: it is empty"),
        (WatchEvent("trouble", AT, message="The disk\nis full."), None),
        (
            WatchEvent("swept", AT, numbers={"files": 1200, "changes": 3, "seconds": 0.1}),
            "swept    1,200 files, 3 changes",
        ),
        (WatchEvent("swept", AT, numbers={"files": 1200, "changes": 0, "seconds": 0.1}), None),
        (WatchEvent("organized", AT, b"/out", numbers={"placed": 2, "refused": 0}), "placed   2 files in /out"),
        (WatchEvent("organized", AT, b"/out", numbers={"placed": 0, "refused": 0}), None),
        (WatchEvent("deduped", AT, numbers={"removed": 1, "refused": 0}), "deduped  1 copy, to the trash"),
        (WatchEvent("deduped", AT, numbers={"removed": 0, "refused": 0}), None),
        (WatchEvent("stopped", AT), None),
    ],
)
def test_each_event_is_a_line(event: WatchEvent, line: str | None) -> None:
    line_of_event = event_text(event)
    if event.kind == "trouble":
        assert line_of_event is not None and line_of_event.startswith("trouble  The disk")
        assert "\n" not in line_of_event
    else:
        assert line_of_event == line
    assert json.loads(event_json(event))["event"] == event.kind


def status(**given: object) -> DaemonStatus:
    usual: dict[str, object] = {
        "alive": True,
        "pid": 7,
        "host": "here",
        "started_ns": AT,
        "written_ns": AT,
        "doing": "watching",
        "roots": (WatchedRoot(b"/p", "events", None),),
        "swept_ns": None,
        "queue": 1200,
        "counts": {},
        "last_error": None,
        "organized_ns": None,
        "organizes_ns": None,
    }
    return DaemonStatus(**{**usual, **given})  # type: ignore[arg-type]


def test_the_state_of_the_daemon_as_text_and_as_json() -> None:
    (line,) = daemon_text(None)
    assert line == "no; hashindex watch keeps the catalogue up to date"
    (line,) = daemon_text(status(alive=False, doing="killed"))
    assert line.startswith("no; it was killed; last sign of it ")
    (line,) = daemon_text(status(alive=False, doing="failed", failed="KeyError: 'png'"))
    assert line.startswith("no; an error ended it ")
    assert line.endswith(": KeyError: 'png'")
    (line,) = daemon_text(status())
    assert line.endswith("last full scan not yet, 1,200 in the queue; no changes")
    (line,) = daemon_text(status(queue=0))
    assert line.endswith("last full scan not yet; no changes")
    lines = daemon_text(
        status(
            doing="waiting",
            roots=(WatchedRoot(b"/mnt/c", "sweeping", "it lies on 9p"),),
            counts={"new": 3, "removed": 1},
            last_error="The disk is full.",
            organizes_ns=AT,
        )
    )
    assert lines[0].startswith("yes, waiting for the catalogue, process 7 since ")
    assert lines[0].endswith("3 new, 1 removed")
    assert lines[1:3] == ["/mnt/c: sweeping: it lies on 9p", "last error: The disk is full."]
    assert lines[3].startswith("next organize ")
    assert daemon_json(None) is None
    fields = daemon_json(status())
    assert fields is not None and (fields["queue"], fields["roots"]) == (
        1200,
        [{"path": "/p", "how": "events", "why": None}],
    )
