"""What a worker does with a few files: look, read once, digest, and decode what is new. Writes nothing.

Runs in processes of its own, which start faster and stay smaller without NumPy: nothing here imports it.
"""

import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Collection, Sequence
from multiprocessing.process import BaseProcess

from hashindex import files, formats
from hashindex.decode import allow, decode
from hashindex.model import Examined, Job, Limits


def start_worker(limits: Limits, polite: bool = False) -> None:
    """Makes a process a worker: Pillow's own limits follow ours, Ctrl-C is left to the parent, whose end ends it.

    polite: of the lowest priority, where the system knows any.
    """
    if polite and hasattr(os, "nice"):
        os.nice(19)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow(limits)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """A pool's queue is held open by the workers themselves: of a parent that was killed it would tell them nothing."""
    parent.join()
    os._exit(1)


def examine(jobs: Sequence[Job], known: Collection[bytes], limits: Limits) -> list[Examined]:
    """One result a job, in order. A digest in known, or met before among these jobs, is not decoded again.

    Never raises for a bad file. Cost: a read and a SHA-256 each, and one decode for each new content.
    """
    met = set(known)
    results = []
    for job in jobs:
        examined = _examine(job, met, limits)
        if examined.digest is not None:
            met.add(examined.digest)
        results.append(examined)
    return results


def digest_of(data: bytes) -> bytes:
    """SHA-256: the processors of the last years have instructions for it, and sha256sum can check it."""
    return hashlib.sha256(data).digest()


def _examine(job: Job, known: Collection[bytes], limits: Limits) -> Examined:
    # Before the first byte is read: what is written from now on has an mtime that is_unchanged will not trust.
    now_ns = time.time_ns()
    try:
        with files.opened(job.path, links=job.links) as source:
            head = source.read(formats.LOOK_BYTES)
            key = 0
            if formats.sniff(head) is None and formats.may_be_masked(job.path):
                key = formats.mask_of(head)
            if formats.sniff(head) is None and not key:
                return Examined(job.path, source.seen, now_ns, problem=_no_picture(job.path, head))
            if source.seen.size > limits.bytes:
                problem = f"the file has {source.seen.size:,} bytes, more than the limit of {limits.bytes:,}"
                return Examined(job.path, source.seen, now_ns, problem=problem)
            data = head + source.read_rest()
            if len(data) != source.seen.size or source.has_changed():
                problem = "the file changed while it was read; it is read again in the next scan"
                return Examined(job.path, source.seen, now_ns, problem=problem, retry=True)
    except FileNotFoundError:
        return Examined(job.path, None, now_ns, vanished=True)
    except OSError as error:
        reason = files.reason_of(error)
        return Examined(job.path, files.seen_at(job.path), now_ns, problem=reason, retry=files.may_pass(error))
    if key:
        # The picture is the content, not its mask: one saved from the chat has equal bytes.
        data = formats.unmask(data, key)
    digest = digest_of(data)
    decoded = decode(data, limits) if job.decode or digest not in known else None
    return Examined(job.path, source.seen, now_ns, digest=digest, decoded=decoded)


_ENCRYPTED = (
    "WeChat encrypted this picture (AES, as since version 4), and only WeChat has the key; "
    "to have it in the index, save it from the chat"
)


def _no_picture(path: bytes, head: bytes) -> str | None:
    """A picture's suffix over other bytes is a problem; any other file is none of our business."""
    if formats.may_be_masked(path) and formats.is_wechat_encrypted(head):
        return _ENCRYPTED
    if not formats.has_picture_suffix(os.path.basename(path)):
        return None
    return f"it has a picture's suffix, but its content is {formats.what_it_is(head)}"
