"""Measures the server of `hashindex review` on a large catalogue: its start, its pages, its memory, and decisions.

    python benchmarks/review.py CATALOGUE [--pictures 190000] [--decisions 1000] [--seed 1]

CATALOGUE: a scanned one, whose hashes and signatures the made contents resemble (see synthetic.py); it is only read.
--pictures: contents in the made catalogue, a third of which are copies of others: so many groups. They have no files,
so nothing is removed; a removal is dedupe's, see benchmarks/dedupe.py.

open      from the start of the process to the first 20 groups, as a page asks for them
page      20 more groups, in each order; the first in the order "weakest" reads the chances of all groups
decide    decisions in a row, one of skip, keep, same and separate each, as the page sends them
memory    resident memory of the server then, without its workers

Processor time is that of the server and its workers; the time by the clock depends on who else uses the machine.
"""

import argparse
import http.client
import json
import multiprocessing
import multiprocessing.dummy
import random
import resource
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from common import print_table
from synthetic import make_catalogue, real_compare_keys, real_hashes

from hashindex import Grouping, HashIndex
from hashindex.core.messages import CHOICE_VERSION
from hashindex.index.keeping import fingerprint_of
from hashindex.output.page import bundle
from hashindex.review.server import ReviewServer
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing

KINDS = ("skip", "keep", "same", "separate")


class Page:
    """What a page asks, over one connection."""

    def __init__(self, address: str) -> None:
        host, _, token = address.removeprefix("http://").partition("/?token=")
        self._connection = http.client.HTTPConnection(host, timeout=600)
        self._headers = {"Origin": f"http://{host}", "X-Hashindex": "1", "Content-Type": "application/json"}
        self._connection.request("GET", f"/?token={token}")
        response = self._connection.getresponse()
        self._headers["Cookie"] = (response.headers["Set-Cookie"] or "").split(";")[0]
        response.read()

    def get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path, None)

    def post(self, path: str, value: Mapping[str, object]) -> dict[str, Any]:
        return self._ask("POST", path, json.dumps(value))

    def _ask(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        found: dict[str, Any] = json.loads(response.read())
        assert response.status == 200, found
        return found


def serve(path: Path, pipe: Connection) -> None:
    """The process that is measured. Answers "used" by its processor seconds and its memory in MB."""
    server = ReviewServer(HashIndex(path), Grouping(), bundle)

    def report() -> None:
        while pipe.recv() == "used":
            pipe.send((cpu_s(), memory_mb()))
        server.stop()

    def on_ready(address: str) -> None:
        pipe.send(address)
        multiprocessing.dummy.Process(target=report).start()

    server.run(on_ready)


def cpu_s() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def memory_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--pictures", type=int, default=190_000)
    parser.add_argument("--decisions", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    np.random.seed(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "catalogue.db")
        keys = real_compare_keys(given.catalogue)
        make_catalogue(path, given.pictures, real_hashes(given.catalogue), 1 / 3, compare_keys=keys)
        put_standings(path)
        measure(path, given.decisions, rng)


def put_standings(path: Path) -> None:
    """Notes which copy of each group is the best, as `hashindex groups` does once; there are no files to compare."""
    groups = HashIndex(path).groups(keep="largest")
    with Catalogue(path, write=True) as catalogue, catalogue.atomic():
        for group in groups:
            files = {member.file.content.id: [member.file] for member in group.members}
            among = fingerprint_of(tuple(sorted(files)), files)
            catalogue.standings.put(
                Standing(id, CHOICE_VERSION, among, rank, (), None) for rank, id in enumerate(files)
            )


def measure(path: Path, decisions: int, rng: random.Random) -> None:
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    started = time.monotonic()
    server = context.Process(target=serve, args=(path, other))
    server.start()
    page = Page(pipe.recv())

    def used() -> tuple[float, float]:
        pipe.send("used")
        found: tuple[float, float] = pipe.recv()
        return found

    rows: list[list[object]] = []
    first = page.get("/api/groups?count=20")

    def note(what: str, count: int, since_s: float, before_s: float) -> float:
        cpu, memory = used()
        rows.append([what, count, f"{cpu - before_s:.2f}", f"{time.monotonic() - since_s:.2f}", f"{memory:.0f}"])
        return cpu

    cpu = note("open", 20, started, 0.0)
    for order in ("space", "members", "path", "weakest"):
        since = time.monotonic()
        page.get(f"/api/groups?count=20&start=20&sort={order}")
        cpu = note(f"page, {order}", 20, since, cpu)
    since = time.monotonic()
    for number in range(decisions):
        decide(page, KINDS[number % len(KINDS)], rng)
    note("decide", decisions, since, cpu)
    print(f"{first['total']:,} groups")
    print_table(["what", "groups", "CPU s", "clock s", "memory MB"], rows)
    pipe.send("end")
    server.join()


def decide(page: Page, kind: str, rng: random.Random) -> None:
    """One decision on a group that is not reviewed, as a person goes through them."""
    [group] = page.get("/api/groups?count=1&only=undecided")["groups"]
    members = [member["picture"] for member in group["members"]]
    pictures = [rng.choice(members)] if kind == "keep" else []
    page.post("/api/decide", {"group": group["group"], "decision": kind, "pictures": pictures})


if __name__ == "__main__":
    main()
