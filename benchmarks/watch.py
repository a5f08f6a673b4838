"""Imitates a chat client for `hashindex watch`, breaks what can break, and compares the catalogue with a fresh scan.

    python benchmarks/watch.py MODE FOLDER [--events N] [--burst N] [--kills N] [--seed N]

FOLDER: pictures to play with; it is only read. Of --sources of them, chosen by --seed, those that decode are written.
Each file that is written gets a tail of its own with --distinct of a hundred (default 70), so that it is a new content;
the others are copies. Everything else is in a scratch folder. A burst is --burst files, one after the other.

    client    in place, temp + rename, across folders, zero then filled, rewritten, new month folders, deletions, at
              real speed; then a burst. Prints how long it took from a file being whole to its being in the catalogue,
              and the burst beside a scan of the same files.
    overflow  --burst files at full speed, events lost; then the root removed and made again, a handler made to raise,
              an emitter ended, the wall clock set: after each, what it takes to converge without help.
    kill      the client goes on while the daemon is killed --kills times at random moments and started again.
    beside    scan, query, groups, status, organize and undo while 30 files come every second, and a second daemon.
    steady    --events files, as fast as a client at its worst; memory of all processes on the way, processor time at
              rest.

Each mode ends with exit code 1 if the catalogue differs from a fresh scan.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import count, folder, pictures_below, print_table

from hashindex.core.options import Limits, ScanOptions
from hashindex.index.scan import scan
from hashindex.pictures.decode import decode
from hashindex.store.catalogue import Catalogue

DECODES = "HASHINDEX_BENCH_DECODES"
PATIENCE_S = 900.0
QUIET_S = 1.0

if os.environ.get(DECODES):
    # In every worker too, for they import this file again: notes which content is decoded, and whether the catalogue
    # has it at that moment.
    import hashindex.pictures.examine

    _decode = vars(hashindex.pictures.examine)["decode"]

    def _noting(data: bytes, limits: Any) -> Any:
        digest = hashlib.sha256(data).digest()
        catalogue = Path(os.environ["HASHINDEX_CATALOGUE"])
        known = bool(_question(catalogue, "SELECT 1 FROM content WHERE digest = ?", digest))
        with open(os.environ[DECODES], "a") as log:
            log.write(f"{digest.hex()}{'!' if known else ''}\n")
        return _decode(data, limits)

    vars(hashindex.pictures.examine)["decode"] = _noting


class Place:
    """A scratch folder with the watched root, the catalogue and the daemon."""

    def __init__(self, scratch: Path, sources: list[Path], seed: int, distinct: int) -> None:
        self.root = scratch / "Pic"
        self.root.mkdir()
        self.scratch = scratch
        self.catalogue = scratch / "catalogue.db"
        self.decodes = scratch / "decodes.txt"
        self.dice = random.Random(seed)
        self.sources = [data for data in (path.read_bytes() for path in sources) if is_whole(data)]
        self.distinct = distinct
        self.written = 0
        self.daemon: subprocess.Popen[str] | None = None
        self.environment = {
            **os.environ,
            "HASHINDEX_CATALOGUE": str(self.catalogue),
            "XDG_CONFIG_HOME": str(scratch / "config"),
            # As hashindex/__main__.py has it.
            "OPENBLAS_NUM_THREADS": "1",
        }

    # The daemon

    def start(self) -> None:
        """Starts the daemon; returns at once. What it can be told on its standard input is in _obey."""
        self.daemon = subprocess.Popen(
            [sys.executable, __file__, "daemon", str(self.root)],
            env={**self.environment, DECODES: str(self.decodes)},
            stdin=subprocess.PIPE,
            stdout=open(self.scratch / "events.jsonl", "a"),  # noqa: SIM115 - the daemon's own
            text=True,
        )

    def tell(self, word: str) -> None:
        assert self.daemon is not None and self.daemon.stdin is not None
        self.daemon.stdin.write(word + "\n")
        self.daemon.stdin.flush()

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ends it; returns how long that took."""
        assert self.daemon is not None
        began = time.monotonic()
        self.daemon.send_signal(number)
        self.daemon.wait()
        return time.monotonic() - began

    def state(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(self.catalogue.with_name("catalogue.db.watch.json").read_text())
            return found
        return {}

    def settled(self) -> float:
        """Waits until what the catalogue knows is what is there and nothing waits; returns how long that took."""
        began = time.monotonic()
        while not (self.state().get("queue") == 0 and self.is_in_step()):
            if time.monotonic() - began > PATIENCE_S:
                raise SystemExit(f"it did not converge: {self.state()}")
            time.sleep(0.3)
        return time.monotonic() - began

    def is_in_step(self) -> bool:
        return present(self.catalogue) == on_disk(self.root)

    # The client

    def picture(self) -> bytes:
        self.written += 1
        data = self.dice.choice(self.sources)
        return data + b"%010d" % self.written if self.dice.randrange(100) < self.distinct else data

    def folder(self) -> Path:
        month = f"2026-{self.dice.randint(1, 12):02}"
        path = self.root / month / self.dice.choice(["Ori", "Thumb"])
        path.mkdir(parents=True, exist_ok=True)
        return path

    def name(self, data: bytes) -> str:
        suffix = self.dice.choice([".jpg", ".png", ".gif", "", ".webp"])
        return (hashlib.md5(data).hexdigest() if self.dice.random() < 0.5 else f"f_{self.written:06}") + suffix

    def act(self, pause: Callable[[float], None]) -> Path | None:
        """One act of the client; returns the path of a picture that is whole now, if there is one."""
        data = self.picture()
        place = self.folder() / self.name(data)
        act = self.dice.choice(
            ["in place"] * 3 + ["rename"] * 3 + ["across", "zero", "rewrite", "delete", "burst", "move"]
        )
        if act == "rename":
            part = place.with_name(place.name + ".tmp")
            part.write_bytes(data)
            pause(0.05)
            part.replace(place)
        elif act == "across":
            part = self.root / f"download{self.written}.part"
            part.write_bytes(data)
            pause(0.2)
            part.replace(place)
        elif act == "zero":
            place.write_bytes(bytes(len(data)) if self.dice.random() < 0.5 else b"")
            pause(0.5)
            place.write_bytes(data)
        elif act in ("rewrite", "delete", "move"):
            there = self.some()
            if there is None:
                return None
            if act == "delete":
                there.unlink()
                return None
            if act == "move":
                there.replace(place)
                return place
            place = there
            place.write_bytes(data)
        else:
            with open(place, "wb") as out:
                for start in range(0, len(data), 16384):
                    out.write(data[start : start + 16384])
                    out.flush()
                    if act == "in place":
                        pause(0.03)
        return place

    def some(self) -> Path | None:
        folder = self.folder()
        names = sorted(os.listdir(folder))
        return folder / self.dice.choice(names) if names else None

    def burst(self, files: int, where: str = "burst") -> Path:
        place = self.root / where
        place.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            (place / f"{number:06}.jpg").write_bytes(self.picture())
        return place

    def broken(self, how: str, where: str) -> None:
        """Something is broken, and then files are written."""
        self.tell(how)
        time.sleep(0.5)
        self.burst(50, where)

    # Comparing

    def compare(self) -> None:
        """Exits where the catalogue is not what a fresh scan makes (one that compares no pictures: see hashing)."""
        fresh = self.scratch / "fresh.db"
        for path in self.scratch.glob("fresh.db*"):
            path.unlink()
        hashing(fresh, self.root)
        ours, theirs = facts(self.catalogue), facts(fresh)
        with sqlite3.connect(self.catalogue) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        different = len(ours.items() ^ theirs.items())
        print(f"compared with a fresh scan: {len(theirs):,} files, {different:,} different; integrity {sound}")
        if different or sound != "ok":
            for each in sorted(ours.items() ^ theirs.items())[:5]:
                print("  ", *each, file=sys.stderr)
            raise SystemExit(1)

    def command(self, *words: object, accepted: tuple[int, ...] = (0, 1, 3)) -> float:
        """Runs a command; returns how long it took. Exits where it failed."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "hashindex", *map(str, words)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in accepted:
            raise SystemExit(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return time.monotonic() - began


def is_whole(data: bytes) -> bool:
    """Whether it decodes, with a tail too: what is not whole is waited for, for five minutes, as it should be."""
    decoded = decode(data + b"%010d" % 0, Limits())
    return decoded.problem is None


def _question(catalogue: Path, question: str, *values: object) -> list[tuple[Any, ...]]:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(question, values).fetchall()
    except sqlite3.OperationalError:
        return []


def present(catalogue: Path) -> dict[bytes, tuple[int, int]]:
    rows = _question(
        catalogue, "SELECT path, name, size, mtime_ns FROM file JOIN folder ON id = folder WHERE NOT missing"
    )
    return {os.path.join(row[0], row[1]): row[2:] for row in rows}


def on_disk(root: Path) -> dict[bytes, tuple[int, int]]:
    found = {}
    for parent, _, names in os.walk(os.fsencode(root)):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                info = os.stat(os.path.join(parent, name))
                found[os.path.join(parent, name)] = info.st_size, info.st_mtime_ns
    return found


def facts(catalogue: Path) -> dict[bytes, tuple[Any, ...]]:
    """path -> size, mtime, digest and all hashes of every present file."""
    with contextlib.closing(sqlite3.connect(catalogue)) as connection:
        packed: dict[tuple[str, int], tuple[int, bytes, bytes]] = {
            (name, segment): (bits // 8, states, keys)
            for name, bits, segment, states, keys in connection.execute(
                "SELECT name, bits, segment, states, keys FROM hash_segment JOIN recipe ON recipe.id = recipe"
            )
        }
        names = sorted({name for name, _ in packed})
        found = {}
        for path, name, size, mtime_ns, content, digest, problem in connection.execute(
            "SELECT path, name, file.size, mtime_ns, content.id, digest, coalesce(file.problem, content.problem) "
            "FROM file JOIN folder ON folder.id = folder LEFT JOIN content ON content.id = content WHERE NOT missing"
        ):
            hashes: tuple[Any, ...] = ()
            if content is not None:
                segment, slot = divmod(content, 1024)
                for each in names:
                    width, states, keys = packed.get((each, segment), (0, bytes(1024), b""))
                    hashes += (keys[slot * width : (slot + 1) * width] if states[slot] else None,)
            found[os.path.join(path, name)] = (size, mtime_ns, digest, problem, hashes)
    return found


# Modes


def client(place: Place, given: argparse.Namespace) -> None:
    place.burst(300, "2026-01/Ori")
    place.start()
    print(f"first sweep of 300 files: {place.settled():.1f} s")
    whole: dict[bytes, tuple[float, tuple[int, int]]] = {}
    latencies: list[float] = []
    done = threading.Event()
    lock = threading.Lock()

    def look() -> None:
        while not (done.is_set() and not whole):
            known = present(place.catalogue)
            now = time.monotonic()
            with lock:
                for known_path, (since, seen) in list(whole.items()):
                    if known.get(known_path) == seen:
                        latencies.append(now - since)
                        del whole[known_path]
            time.sleep(0.02)

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.monotonic()
    for _ in range(given.events):
        path = place.act(time.sleep)
        if path is not None:
            with lock, contextlib.suppress(FileNotFoundError):
                info = path.stat()
                whole[os.fsencode(path)] = time.monotonic(), (info.st_size, info.st_mtime_ns)
        with lock:
            # What was rewritten, moved or deleted since is not waited for.
            for gone in [gone for gone in whole if not os.path.exists(gone)]:
                del whole[gone]
        time.sleep(place.dice.random() * 0.15)
    print(f"{given.events} acts in {time.monotonic() - began:.0f} s")
    done.set()
    watcher.join(60)
    latencies.sort()
    print(
        f"from whole to catalogued, {len(latencies)} files, quiet time {QUIET_S:g} s: median "
        f"{statistics.median(latencies):.2f} s, 95 % {latencies[int(0.95 * len(latencies))]:.2f} s, "
        f"largest {latencies[-1]:.2f} s"
    )
    print(f"settled {place.settled():.1f} s later")
    place.compare()
    began = time.monotonic()
    burst = place.burst(given.burst)
    wrote = time.monotonic() - began
    took = wrote + place.settled()
    shutil.copytree(burst, place.scratch / "copy")
    place.stop()
    alone = hashing(place.scratch / "alone.db", place.scratch / "copy")
    print(
        f"burst of {given.burst:,} files: written in {wrote:.1f} s, in the catalogue {took:.1f} s after its beginning "
        f"({took - wrote:.1f} s after its end); hashing them alone {alone:.1f} s, so {took - alone:+.1f} s"
    )
    place.compare()
    place.start()
    place.settled()
    place.burst(1_000, "last")
    time.sleep(QUIET_S + 1.0)
    print(f"ended {place.stop():.2f} s after SIGTERM in a burst")


def hashing(catalogue: Path, root: Path) -> float:
    """How long a scan takes that only hashes, and compares nothing: with workers that have to be started, as here."""
    began = time.monotonic()
    with Catalogue(catalogue, write=True) as fresh:
        scan(fresh, [os.fsencode(root)], ScanOptions())
    return time.monotonic() - began


def overflow(place: Place, given: argparse.Namespace) -> None:
    place.burst(200, "2026-01/Ori")
    place.start()
    place.settled()
    rows: list[tuple[str, str]] = []

    def step(name: str, act: Callable[[], object]) -> None:
        act()
        rows.append((name, f"{place.settled():.1f}"))
        print(*rows[-1], place.state().get("counts"), flush=True)

    everything = place.sources
    place.sources = sorted(everything, key=len)[:40]
    tree = place.root / "flood"
    for number in range(100):
        (tree / f"{number:02}").mkdir(parents=True)
    time.sleep(5)

    def flood() -> None:
        place.tell("deaf")  # the reading thread is held, as on a busy machine: the queue of 16,384 events runs over
        for number in range(given.burst):
            (tree / f"{number % 100:02}" / f"{number:06}.jpg").write_bytes(place.picture())
        place.tell("hear")

    step(f"{given.burst:,} files at full speed", flood)
    alone = hashing(place.scratch / "flood.db", tree)
    rows.append(("(hashing those files alone)", f"{alone:.1f}"))
    print(*rows[-1], flush=True)
    place.sources = everything
    step("those deleted", lambda: shutil.rmtree(tree))

    def again() -> None:
        shutil.rmtree(place.root)
        time.sleep(7)
        place.burst(100, "2026-02/Ori")

    step("root removed and made again", again)
    step("files after that", lambda: place.burst(50, "2026-02/Thumb"))
    step("a handler that raises", lambda: place.broken("raise", "2026-03/Ori"))
    step("files after that", lambda: place.burst(50, "2026-03/Thumb"))
    step("an emitter ended", lambda: place.broken("emitter", "2026-04/Ori"))
    step("the reading thread ended", lambda: place.broken("reader", "2026-05/Ori"))
    step("the clock two hours ahead", lambda: place.broken("clock 7200", "2026-06/Ori"))
    step("the clock back", lambda: place.broken("clock 0", "2026-07/Ori"))
    print_table(("what happened", "s to converge"), rows)
    place.stop()
    place.compare()


def kill(place: Place, given: argparse.Namespace) -> None:
    stop = threading.Event()

    def play() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                place.act(time.sleep)
            if place.dice.random() < 0.02:
                place.burst(200, f"burst{place.written}")

    place.burst(300, "2026-01/Ori")
    player = threading.Thread(target=play)
    player.start()
    rng = random.Random(given.seed + 1)
    for_nothing, total, unsound = 0, 0, 0
    ever: set[str] = set()

    def count_decodes() -> None:
        nonlocal for_nothing, total
        decoded = place.decodes.read_text().split()
        total += len(decoded)
        for_nothing += sum(line.endswith("!") for line in decoded)
        ever.update(line.rstrip("!") for line in decoded)

    for number in range(given.kills):
        place.decodes.write_text("")
        place.start()
        time.sleep(0.3 + rng.random() * 3.0)
        place.stop(signal.SIGKILL)
        time.sleep(0.2)  # its workers end with it
        count_decodes()
        checked = _question(place.catalogue, "PRAGMA integrity_check")
        unsound += place.catalogue.exists() and checked != [("ok",)]
        if number % 10 == 9:
            print(f"{number + 1} kills, {len(ever):,} contents, {total:,} decodes", flush=True)
    stop.set()
    player.join()
    place.decodes.write_text("")
    place.start()
    took = place.settled()
    count_decodes()
    place.stop()
    rows = [
        ("kills", given.kills),
        ("seconds to converge after the last", f"{took:.1f}"),
        ("contents met", f"{len(ever):,}"),
        ("decodes", f"{total:,}"),
        ("decodes of what was in the catalogue then", for_nothing),
        ("decodes lost to a kill, each", f"{(total - len(ever)) / given.kills:.0f}"),
        ("integrity_check not ok", unsound),
    ]
    print_table(("of the kills", "count"), rows)
    place.compare()
    if for_nothing or unsound:
        raise SystemExit(1)


def beside(place: Place, given: argparse.Namespace) -> None:
    # Contents that look alike cost groups and organize their judgement, whoever is at work beside them.
    place.distinct = min(place.distinct, 20)
    place.burst(500, "2026-01/Ori")
    place.start()
    place.settled()
    again = subprocess.run(
        [sys.executable, "-m", "hashindex", "watch", str(place.root)],
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"a second daemon ends with {again.returncode}: {again.stderr.strip()}")
    asked = next((place.root / "2026-01" / "Ori").iterdir())
    stickers = place.scratch / "stickers"
    commands: dict[str, tuple[object, ...]] = {
        "status": ("status",),
        "query": ("query", asked),
        "groups": ("groups", "--quiet"),
        "scan": ("scan", place.root, "--quiet"),
        "organize": ("organize", stickers, "--apply", "--quiet"),
        "undo": ("undo", "--quiet"),
    }
    stop = threading.Event()

    def play() -> None:
        while not stop.is_set():
            place.burst(30, f"burst{place.written}")
            time.sleep(1.0)

    player = threading.Thread(target=play)
    player.start()
    busy: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(given.rounds):
        for name, words in commands.items():
            busy[name].append(place.command(*words))
    stop.set()
    player.join()
    settled = place.settled()
    rows = []
    for name, words in commands.items():
        rows.append(
            (name, f"{max(busy[name]):.1f}", f"{statistics.median(busy[name]):.1f}", f"{place.command(*words):.1f}")
        )
    print_table(("seconds", "longest beside", "median beside", "alone afterwards"), rows)
    print(f"none failed; {place.written:,} files, settled {settled:.1f} s after the last")
    place.stop()
    place.compare()


def steady(place: Place, given: argparse.Namespace) -> None:
    import psutil

    place.start()
    assert place.daemon is not None
    watched = psutil.Process(place.daemon.pid)
    rows: list[tuple[str, str, str]] = []
    peaks: list[tuple[float, float]] = [(0.0, 0.0)]

    def sample() -> tuple[float, float]:
        own = watched.memory_full_info()
        tree = [own.pss]
        for child in watched.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                tree.append(child.memory_full_info().pss)
        return own.rss / 2**20, sum(tree) / 2**20

    part = max(1, given.events // 12)
    began = time.monotonic()
    kept: list[Path] = []
    for number in range(1, given.events + 1):
        path = place.act(lambda seconds: time.sleep(seconds / 20))
        if path is not None:
            kept.append(path)
        if len(kept) > 3000:
            with contextlib.suppress(FileNotFoundError):
                kept.pop(0).unlink()
        time.sleep(given.pause)
        if number % 50 == 0:
            own, tree = sample()
            peaks[-1] = max(peaks[-1][0], own), max(peaks[-1][1], tree)
        if number % part == 0:
            rows.append((f"{number:,}", f"{peaks[-1][0]:.0f}", f"{peaks[-1][1]:.0f}"))
            print(*rows[-1], f"{time.monotonic() - began:.0f} s", place.state().get("queue"), flush=True)
            peaks.append((0.0, 0.0))
    print(f"{given.events:,} events in {time.monotonic() - began:.0f} s; settled {place.settled():.1f} s later")
    print_table(("events", "peak RSS of the daemon, MB", "peak PSS of all, MB"), rows)
    time.sleep(45)
    before = watched.cpu_times()
    time.sleep(60)
    after = watched.cpu_times()
    used = after.user + after.system - before.user - before.system
    own, tree = sample()
    workers = len(watched.children(recursive=True))
    print(
        f"at rest: {used * 1000:.0f} ms of processor time in 60 s; {own:.0f} MB, {tree:.0f} MB with {workers} helpers"
    )
    place.stop()
    place.compare()


# The daemon that can be broken


def run_daemon(root: Path) -> None:
    """hashindex watch with a person at its standard input who breaks it."""
    import gc

    from hashindex import WatchOptions
    from hashindex.core.settings import default_catalogue_path
    from hashindex.output.text.watch import event_json
    from hashindex.watch.clock import Clock
    from hashindex.watch.daemon import Daemon
    from hashindex.watch.watching import Inbox

    class Jumping(Clock):
        ahead_s = 0.0

        def wall_ns(self) -> int:
            return time.time_ns() + int(self.ahead_s * 1e9)

    gc.set_threshold(100_000, 20, 20)
    clock = Jumping()
    options = WatchOptions((os.fsencode(root),), quiet_s=QUIET_S)
    inbox = Inbox()
    daemon = Daemon(
        default_catalogue_path(),
        options,
        lambda event: print(event_json(event), flush=True),
        clock=clock,
        inbox=inbox,
    )

    def obey() -> None:
        for line in sys.stdin:
            observer: Any = daemon.watcher.observer
            word, _, value = line.strip().partition(" ")
            if word == "clock":
                clock.ahead_s = float(value)
            elif word == "emitter":
                next(iter(observer.emitters)).stop()
            elif word == "reader":
                observer._inotify_fd.stop()
            elif word == "raise":
                _raise_once(inbox)
            elif word == "deaf":
                observer._inotify_fd._lock.acquire()
            elif word == "hear":
                observer._inotify_fd._lock.release()

    threading.Thread(target=obey, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda number, frame: daemon.stop())
    daemon.run()


def _raise_once(inbox: Any) -> None:
    put = inbox.put

    def raising(paths: object) -> None:
        inbox.put = put
        raise RuntimeError("a handler that raises")

    inbox.put = raising


MODES = {"client": client, "overflow": overflow, "kill": kill, "beside": beside, "steady": steady}
EVENTS = {"client": 300, "steady": 20_000}
BURSTS = {"client": 5_000, "overflow": 50_000}


@contextlib.contextmanager
def scratch_place(given: argparse.Namespace) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="hashindex-watch-", ignore_cleanup_errors=True) as scratch:
        pictures = pictures_below(given.folder)
        chosen = random.Random(given.seed).sample(pictures, min(given.sources, len(pictures)))
        place = Place(Path(scratch), chosen, given.seed, given.distinct)
        try:
            yield place
        finally:
            if place.daemon is not None and place.daemon.poll() is None:
                place.daemon.kill()
                place.daemon.wait()


def main() -> None:
    if sys.argv[1:2] == ["daemon"]:
        run_daemon(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("folder", type=folder, metavar="FOLDER")
    parser.add_argument("--events", type=count, metavar="N", help="acts of the client")
    parser.add_argument("--burst", type=count, metavar="N", help="files of the burst or the flood")
    parser.add_argument("--kills", type=count, default=50, metavar="N")
    parser.add_argument("--rounds", type=count, default=3, metavar="N", help="how often each command runs beside")
    parser.add_argument("--pause", type=float, default=0.01, metavar="S", help="between two acts of steady")
    parser.add_argument("--sources", type=count, default=600, metavar="N", help="pictures of FOLDER to play with")
    parser.add_argument("--distinct", type=int, default=70, metavar="PERCENT")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    given.events = given.events or EVENTS.get(given.mode, 0)
    given.burst = given.burst or BURSTS.get(given.mode, 0)
    with scratch_place(given) as place:
        MODES[given.mode](place, given)


if __name__ == "__main__":
    main()
