"""Times a report of GROUPS groups of four files: writing it, its size, and how long Chromium takes to show it.

    python benchmarks/report.py GROUPS [--workers N] [--chromium PROGRAM] [--keep FOLDER]

Draws the pictures itself: of each group a PNG, the same bytes once more, a JPEG and a WebP of half the size; in every
eighth group a GIF of 12 frames, the same bytes, its half and a PNG of its first frame. So 4 files and 3 contents.

write     write_report with its worker processes; the pictures were just written, so no one pays for the disk
first     from the start of loading to the first paint
shown     to the largest paint: groups and thumbnails in view are there
ready     to the end of loading
sort      from a change of the order to the second frame after it
filter    from a change of the filter until the count of groups is new, 120 ms of waiting for more letters included
heap      memory of the page's script after loading
"""

import argparse
import base64
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import count as numbers
from pathlib import Path
from typing import Any

from common import count, print_table
from PIL import Image, ImageDraw

from hashindex.core.model import Content, File, Group, Member, State
from hashindex.core.options import Level, Limits
from hashindex.output.report import write_report
from hashindex.pictures.worker_pool import available_processors

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
]

LARGEST = """new Promise(done => new PerformanceObserver(list => done(list.getEntries().at(-1).startTime))
    .observe({type: "largest-contentful-paint", buffered: true}))"""
CHANGE = """new Promise(done => {
    const at = performance.now(), status = document.getElementById("status"), before = status.textContent;
    const box = document.getElementById("%s");
    let frames = 0;
    box.value = "%s";
    box.dispatchEvent(new Event("%s"));
    const look = () => %s ? done(performance.now() - at) : requestAnimationFrame(look);
    look();
})"""

SIZE = (320, 240)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", type=count, metavar="GROUPS")
    parser.add_argument("--workers", type=count, default=available_processors(), metavar="N")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "", metavar="PROGRAM")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave report.html and a screenshot there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashindex-bench-") as scratch:
        folder = Path(scratch)
        with ProcessPoolExecutor(arguments.workers) as pool:
            groups = list(pool.map(draw_group, range(arguments.groups), [folder] * arguments.groups, chunksize=16))
        page = (arguments.keep or folder) / "report.html"
        started = time.perf_counter()
        summary = write_report(groups, page, limits=Limits(), workers=arguments.workers)
        rows = [
            ("groups", f"{summary.groups:,}"),
            ("pictures", f"{summary.pictures:,}"),
            ("write", f"{time.perf_counter() - started:.1f} s"),
            ("page", f"{summary.bytes / 2**20:.1f} MB"),
        ]
        if arguments.chromium:
            rows += times_of(arguments.chromium, page, arguments.keep)
        print_table(("what", "measured"), rows)


def draw_group(number: int, folder: Path) -> Group:
    """Four files in a folder of their own; no hash is computed, since the report asks for none."""
    place = folder / f"{number // 100:03}" / f"{number:05}"
    place.mkdir(parents=True)
    rng = random.Random(number)
    colours = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(10)]
    boxes = [(rng.randrange(280), rng.randrange(200), rng.randrange(20, 120)) for _ in colours]
    frames = [drawing(colours, boxes, 10 * step) for step in range(12 if number % 8 == 0 else 1)]
    small = [frame.resize((SIZE[0] // 2, SIZE[1] // 2)) for frame in frames]
    if len(frames) > 1:
        whole = ("gif", encoded(frames, "GIF"))
        saved = [whole, whole, ("gif", encoded(small, "GIF")), ("png", encoded(frames[:1], "PNG"))]
    else:
        whole = ("png", encoded(frames, "PNG"))
        saved = [whole, whole, ("jpeg", encoded(frames, "JPEG")), ("webp", encoded(small, "WEBP"))]
    members = []
    for copy, (form, data) in enumerate(saved):
        path = place / f"QQ图片20190830{number:06}_{copy}.{form}"
        path.write_bytes(data)
        digest = hashlib.sha256(data).digest()
        moves = len(frames) if form == "gif" else 1
        content = Content(4 * number + copy, digest, len(data), form, *SIZE, moves, 1200, 50, None, None)
        file = File(os.fsencode(path), len(data), 1_566_259_200_000_000_000, State.PRESENT, 0, content)
        members.append(Member(file, 2 * copy))
    return Group(number, Level.SIMILAR, "phash256", 24, 6, tuple(members))


def drawing(colours: list[tuple[int, ...]], boxes: list[tuple[int, int, int]], shift: int) -> Image.Image:
    picture = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for number, (colour, (x, y, size)) in enumerate(zip(colours, boxes, strict=True)):
        x += shift * (number % 3)
        (pen.ellipse if number % 2 else pen.rectangle)((x, y, x + size, y + size), fill=colour)
    return picture


def encoded(frames: list[Image.Image], form: str) -> bytes:
    target = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0} if len(frames) > 1 else {}
    frames[0].save(target, form, **more)
    return target.getvalue()


def times_of(chromium: str, page: Path, keep: Path | None) -> list[tuple[str, str]]:
    with browser(chromium) as ask:
        ask("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
        ask("Page.navigate", url=page.resolve().as_uri())
        while evaluated(ask, "document.readyState") != "complete":
            time.sleep(0.05)
        time.sleep(0.5)
        first = evaluated(ask, "performance.getEntriesByName('first-contentful-paint')[0].startTime")
        shown = evaluated(ask, LARGEST)
        ready = evaluated(ask, "performance.getEntriesByType('navigation')[0].loadEventEnd")
        heap = evaluated(ask, "performance.memory.usedJSHeapSize")
        sort = evaluated(ask, CHANGE % ("sort", "path", "change", "(frames += 1) > 2"))
        filtered = evaluated(ask, CHANGE % ("filter", "0001", "input", "status.textContent != before"))
        if keep:
            shot = ask("Page.captureScreenshot", format="png")["data"]
            (keep / "report.png").write_bytes(base64.b64decode(shot))
    return [
        ("first", f"{first / 1000:.2f} s"),
        ("shown", f"{shown / 1000:.2f} s"),
        ("ready", f"{ready / 1000:.2f} s"),
        ("sort", f"{sort:.0f} ms"),
        ("filter", f"{filtered:.0f} ms"),
        ("heap", f"{heap / 2**20:.0f} MB"),
    ]


def evaluated(ask: Any, expression: str) -> Any:
    return ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)["result"]["value"]


@contextmanager
def browser(program: str) -> Iterator[Any]:
    """A function that sends one command of the DevTools protocol to a page and returns what it gives."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="hashindex-browser-") as profile:
        # The browser reads commands from descriptor 3 and answers on 4.
        process = subprocess.Popen(
            ["sh", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{from_write}', program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_read, from_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        ids = numbers(1)
        session: dict[str, str] = {}
        buffer = bytearray()

        def ask(method: str, **params: object) -> Any:
            number = next(ids)
            os.write(to_write, json.dumps({"id": number, "method": method, "params": params, **session}).encode())
            os.write(to_write, b"\0")
            while True:
                while (end := buffer.find(b"\0")) < 0:
                    chunk = os.read(from_read, 2**16)
                    if not chunk:
                        raise SystemExit(f"{program} ended before it answered.")
                    buffer.extend(chunk)
                answer = json.loads(buffer[:end])
                del buffer[: end + 1]
                if answer.get("id") == number:
                    return answer["result"]

        try:
            target = ask("Target.createTarget", url="about:blank")["targetId"]
            session["sessionId"] = ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield ask
        finally:
            session.clear()
            ask("Browser.close")
            process.wait(timeout=20)
            os.close(to_write)
            os.close(from_read)


if __name__ == "__main__":
    main()
