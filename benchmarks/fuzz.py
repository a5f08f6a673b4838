"""Fuzzes, guided by coverage (atheris), the functions that read untrusted bytes. It makes its own seeds.

    pip install 'hashindex[fuzz]'
    python benchmarks/fuzz.py [--seconds 60] [--target NAME] [--keep FOLDER]

Each target runs in a process of its own, with a limit of time and memory for each input, and must keep its promise:

decode      decode, small_frames and pixel_digest of any bytes: a value or UnreadablePicture, nothing else
sniff       what a file is by its first bytes, and how many frames it has by its blocks: never raises
settings    a settings file: Settings or UsageError
words       the words of a person as JSON lines, decisions and tags: a list or UsageError
find        a text as the text of a picture and as a query: the picture is found, or UsageError
manifest    a line of DEST's manifest: an entry, whose name is one, or None
labels      a table of labelled pairs: a list or UsageError
state       the state that a daemon wrote: a status or None
signature   a signature from a catalogue: unpacked or ValueError
record      a file of any bytes, examined and written to a catalogue as scan does: one row, which can be shown

Printed for each: executions, and each kind of finding with its input. The coverage of Python code, hashindex's and
Pillow's, guides the fuzzer; the C code of decoders runs, but is not measured. Exit code 1 if anything was found.
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashindex.core.options import Limits

TARGETS = ("decode", "sniff", "settings", "words", "find", "manifest", "labels", "state", "signature", "record")
LONGEST = 20_000
"""Bytes of an input at most."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target [default: 60]")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where findings are written; else nowhere")
    parser.add_argument("--inside", choices=TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        fuzz(arguments.inside, arguments.place, arguments.seconds)
        return 0
    bad = total = 0
    for name in arguments.target or TARGETS:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            runs, found = run_target(name, Path(place), arguments.seconds, arguments.keep)
        total, bad = total + runs, bad + found
    print(f"all        {total:>10,} executions  {bad} findings")
    return 1 if bad else 0


def run_target(name: str, place: Path, seconds: int, keep: Path | None) -> tuple[int, int]:
    corpus, found = place / "corpus", place / "found"
    corpus.mkdir()
    found.mkdir()
    for seed in seeds()[name]:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    command = [sys.executable, __file__, "--inside", name, "--place", str(place), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    # Whoever ends the process itself (a crash, a hang, too much memory) leaves its input as libFuzzer's artifact.
    ended = [path for path in place.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))]
    count = place / "executions"
    runs = int(count.read_text()) if count.exists() else 0
    findings = [*sorted(found.glob("*.txt")), *ended]
    print(f"{name:10} {runs:>10,} executions  {len(findings)} findings", flush=True)
    if runs == 0:
        print(done.stderr[-2000:], file=sys.stderr)
        return 0, 1
    for finding in findings:
        data = (finding.with_suffix(".bin") if finding.suffix == ".txt" else finding).read_bytes()
        print(f"  {finding.read_text() if finding.suffix == '.txt' else finding.name}\n  {data[:300]!r}")
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
    return runs, len(findings)


def seeds() -> dict[str, list[bytes]]:
    from hostile_pictures import apng, gif, no_pictures, polyglots, whole_files

    from hashindex.core.messages import Placed
    from hashindex.core.options import Limits
    from hashindex.pictures.decode import decode

    whole = [*whole_files().values(), *polyglots().values(), *no_pictures().values(), apng(3), gif((9, 9), 3)]
    signatures = [decode(data, Limits()).signature for data in whole]
    word = {"a": "00" * 32, "b": "11" * 32, "said": "same", "said_ns": 5}
    state = {
        "pid": 1, "host": "h", "started_ns": 1, "written_ns": 2, "doing": "watching", "queue": 0, "counts": {"new": 1},
        "roots": [{"path": "/a", "how": "events", "why": None}], "swept_ns": 1, "last_error": None, "ended": True,
    }  # fmt: skip
    settings = (
        b'catalogue = "c.db"\nwait = 1.5\nworkers = 2\ninclude = ["*.png"]\nhidden = true\nmax_pixels = 100\n'
        b'max_seconds = 2\nhash = "dhash"\nradius = 3\npasses = [1, 2]\nlevel = "similar"\nkeep = "oldest"\n'
    )
    tag = {"sha256": "00" * 32, "tag": "cat", "given": True, "decided_ns": 5}
    deep = b"[" * 5000
    table = b"path_a\tpath_b\tlabel\tnote\na.png\tb.png\tsame\t\na.png\tc.png\tdifferent\tvariant\n"
    edits = b"file\toriginal_id\tedit\texpect\na.png\t1\torig\t\nb.png\t1\tcrop\tmust\nc.png\t2\torig\t\n"
    return {
        "decode": whole,
        "sniff": whole,
        "settings": [settings, b"\xef\xbb\xbfwait = 0\n", b"[table]\n"],
        "words": [json.dumps(word).encode(), json.dumps(tag).encode(), b"\n", deep],
        "find": [
            text.encode() for text in ("收到请回复 ok", "good morning", '"a" AND (b* NOT c)', "ＡＢ？ 愛", "a\0\x1b b")
        ],
        "manifest": [
            *(Placed(1, 0, name, bytes(32)).to_line().encode() for name in (b"00001.png", b"..", b"\xff.gif")),
            b'{"hashindex": 1}\n',
            deep,
        ],
        "labels": [table, edits],
        "state": [json.dumps(state).encode(), b"{}", deep],
        "signature": [one for one in signatures if one is not None],
        "record": whole,
    }


def promise(name: str, place: Path) -> Callable[[bytes], None]:
    """What one input has to go through; raises where the promise is broken."""
    from hashindex.core import tags
    from hashindex.core.errors import UnreadablePicture, UsageError
    from hashindex.core.messages import Placed
    from hashindex.core.options import Limits
    from hashindex.core.settings import read_settings
    from hashindex.index import calibrate, decisions
    from hashindex.pictures import decode, formats, frames, pixel_digest, signature, structure
    from hashindex.store.daemon_state import daemon_status, state_path

    limits = Limits(pixels=100_000, frames=100)
    decode.set_pillow_limits(limits)
    file, catalogue = place / "input", place / "c.db"
    names = sorted(formats.FORMATS)

    def pictures(data: bytes) -> None:
        read = decode.decode(data, limits)
        assert read.prepared is not None or read.problem is not None
        pixel_digest.pixel_digest(data, limits)
        with contextlib.suppress(UnreadablePicture):
            frames.small_frames(data, limits, 64, 4)

    def sniffed(data: bytes) -> None:
        form = formats.sniff(data[: formats.HEAD_BYTES])
        formats.describe_content(data[: formats.HEAD_BYTES])
        formats.unmasked(data)
        for each in names if form is None else [form.name]:
            structure.read_structure(data, each)

    def settings(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(UsageError):
            read_settings(file)

    def said(data: bytes) -> None:
        with contextlib.suppress(UsageError):
            _, others = tags.parted(data.decode("utf-8", "replace").splitlines())
            decisions.from_lines(others, "It")

    def placed(data: bytes) -> None:
        entry = Placed.from_line(data.decode("utf-8", "replace"))
        if entry is not None:
            assert {b"", b".", b".."}.isdisjoint(entry.name.split(b"/")) and b"\0" not in entry.name, entry
            assert Placed.from_line(entry.to_line()) == entry

    def labels(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(UsageError):
            calibrate.read_labels(os.fsencode(file))

    def state(data: bytes) -> None:
        state_path(catalogue).write_bytes(data)
        daemon_status(catalogue)

    def unpacked(data: bytes) -> None:
        with contextlib.suppress(ValueError):
            signature.unpack(data)

    promises: dict[str, Callable[[bytes], None]] = {
        "decode": pictures, "sniff": sniffed, "settings": settings, "words": said, "find": found(place),
        "manifest": placed, "labels": labels, "state": state, "signature": unpacked, "record": recorded(place, limits),
    }  # fmt: skip
    return promises[name]


def found(place: Path) -> Callable[[bytes], None]:
    """The promise of find, in a catalogue of one picture."""
    from hashindex.core.errors import UsageError
    from hashindex.core.folding import MOST_SIGNS, query_words
    from hashindex.core.words import TextLine
    from hashindex.store.catalogue import Catalogue

    kept = Catalogue(place / "find.db", write=True)
    with kept.atomic():
        kept.connection.execute("INSERT INTO pipeline VALUES (1, '', '')")
        kept.connection.execute("INSERT INTO content VALUES (1, x'01', 1, 'png', 1, 1, 1, 0, 9, NULL, NULL, 1)")

    def one(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        with contextlib.suppress(UsageError):
            words = query_words(text)
            with kept.atomic():
                kept.words.put(b"\x01", "fuzz", [TextLine(text, 1.0)])
                kept.word_index.refresh(10)
            matches = list(kept.word_index.matches(words))
            # A longer query is cut, perhaps between a letter and its accent.
            assert len(text) > MOST_SIGNS or [match.is_exact for match in matches] == [True], (words, matches)

    return one


def recorded(place: Path, limits: "Limits") -> Callable[[bytes], None]:
    """The promise of record; the catalogue stays empty, since each transaction is undone."""
    from hashindex.core.messages import Job
    from hashindex.core.model import Hit
    from hashindex.index.content_keys import keys_by_digest
    from hashindex.index.scan import current_pipeline
    from hashindex.output.text.query import hit_json
    from hashindex.pictures.examine import examine
    from hashindex.store.catalogue import Catalogue

    class Undone(Exception):
        pass

    file = place / "picture.png"
    path = os.fsencode(file)
    kept = Catalogue(place / "kept.db", write=True)

    def one(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(Undone), kept.atomic():
            (examined,) = examine([Job(path, len(data), decode=True)], (), limits)
            assert examined.digest is not None or examined.decoded is None, examined
            read = examined.decoded
            written = kept.record([examined], *keys_by_digest([examined]), current_pipeline(), 1)
            assert not written.lost, written
            known = kept.known_names(os.path.dirname(path), [os.path.basename(path)])
            assert len(known.unstable) == 1, known
            held = kept.file_at(path)
            assert (held is None) == (read is None), (held, examined)
            if held is not None:
                assert examined.stat is not None, examined
                assert (held.size, held.mtime_ns) == examined.stat[1:3], (held, examined)
                assert held.content.width * held.content.height < 2**63, held
                hit_json(Hit(held, {}, same_bytes=True))
            kept.problems()
            raise Undone

    return one


def fuzz(name: str, place: Path, seconds: int) -> None:
    """In a process of its own, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["hashindex", "PIL", "json", "tomllib", "csv"]):
        keep_promise = promise(name, place)
        # Those that are imported when a picture asks for them have to be instrumented too.
        for data in seeds()[name]:
            try:
                keep_promise(data)
            except Exception:  # noqa: BLE001 - it comes again in the run, and is a finding there
                continue
    kinds: set[tuple[str, ...]] = set()
    executions = 0
    noted_s = time.monotonic()

    def one(data: bytes) -> None:
        nonlocal executions, noted_s
        executions += 1
        if time.monotonic() - noted_s > 0.5 or executions < 3:
            (place / "executions").write_text(str(executions))
            noted_s = time.monotonic()
        try:
            keep_promise(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it breaks the promise
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = (type(error).__name__, where.filename, str(where.lineno))
            if kind not in kinds:
                kinds.add(kind)
                (place / "found" / f"{len(kinds)}.bin").write_bytes(data)
                (place / "found" / f"{len(kinds)}.txt").write_text(f"{error!r} at {where.filename}:{where.lineno}")

    options = [
        f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=3000",
        f"-artifact_prefix={place}/", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(place / "corpus")], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
