"""What a worker does with a few files: look, read once, digest, and decode what is new. Writes nothing.

Runs in processes of its own, which start faster and stay smaller without NumPy: nothing here imports it.
"""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Sequence

from hashindex.core.messages import Examined, Job
from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.pictures import formats, worker_limits
from hashindex.pictures.decode import decode, left_out


def examine(jobs: Sequence[Job], known: Collection[bytes], limits: Limits) -> list[Examined]:
    """One result a job, in order. A digest in known, or met before among these jobs, is not decoded again.

    Never raises for a bad file. Cost: a read and a SHA-256 each, and one decode for each new content.
    """
    met = set(known)
    results = []
    for job in jobs:
        worker_limits.note_current(job.path)
        examined = _examine(job, met, limits, decode)
        if examined.digest is not None:
            met.add(examined.digest)
        results.append(examined)
    worker_limits.note_current(None)
    return results


def examine_undecoded(job: Job, problem: str, limits: Limits) -> Examined:
    """The same of one file whose decode took a process down: read and digested, with the problem in place of it.

    So a copy of it is known by its digest and not tried, and another version of the decoder tries it again.
    """
    return _examine(job._replace(decode=True), (), limits, lambda data, limits: left_out(data, problem))


def digest_of(data: bytes) -> bytes:
    """SHA-256: the processors of the last years have instructions for it, and sha256sum can check it."""
    return hashlib.sha256(data).digest()


def _examine(job: Job, known: Collection[bytes], limits: Limits, look: Callable[[bytes, Limits], Decoded]) -> Examined:
    # Before the first byte is read: what is written from now on has an mtime that is_unchanged will not trust.
    now_ns = time.time_ns()
    try:
        return _examine_now(job, known, limits, look, now_ns)
    except MemoryError:
        problem = "there is not enough memory to read it"
        return Examined(job.path, files.stat_at(job.path), now_ns, problem=problem, retry=True)


def _examine_now(
    job: Job, known: Collection[bytes], limits: Limits, look: Callable[[bytes, Limits], Decoded], now_ns: int
) -> Examined:
    try:
        with files.opened(job.path, links=job.links) as source:
            head = source.read(formats.LOOK_BYTES)
            key = 0
            if formats.sniff(head) is None and formats.may_be_masked(job.path):
                key = formats.mask_of(head)
            if formats.sniff(head) is None and not key:
                return Examined(job.path, source.stat, now_ns, problem=_no_picture(job.path, head))
            if source.stat.size > limits.bytes:
                problem = f"the file has {source.stat.size:,} bytes, more than the limit of {limits.bytes:,}"
                return Examined(job.path, source.stat, now_ns, problem=problem)
            data = head + source.read_rest()
            if len(data) != source.stat.size or source.has_changed():
                problem = "the file changed while it was read; it is read again in the next scan"
                return Examined(job.path, source.stat, now_ns, problem=problem, retry=True)
    except FileNotFoundError:
        return Examined(job.path, None, now_ns, vanished=True)
    except OSError as error:
        reason = files.reason_of(error)
        return Examined(job.path, files.stat_at(job.path), now_ns, problem=reason, retry=files.may_be_temporary(error))
    if key:
        # The picture is the content, not its mask: one saved from the chat has equal bytes.
        data = formats.unmask(data, key)
    digest = digest_of(data)
    decoded = look(data, limits) if job.decode or digest not in known else None
    return Examined(job.path, source.stat, now_ns, digest=digest, decoded=decoded)


_ENCRYPTED = (
    "WeChat encrypted this picture (AES, as since version 4), and only WeChat has the key; "
    "to have it in the index, save it from the chat"
)


def _no_picture(path: bytes, head: bytes) -> str | None:
    """A picture's suffix over other bytes is a problem, and so is a sticker that cannot be read; no other file is."""
    if formats.may_be_masked(path):
        if formats.is_wechat_encrypted(head):
            return _ENCRYPTED
        head = formats.unmasked_wxgf(head)
    if formats.is_wxgf(head):
        return f"it is {formats.what_it_is(head)}; to have it in the index, save it from the chat"
    if formats.is_packed_lottie(head):
        what = formats.what_it_is(head)
        return f"it is {what}, which cannot be compared yet; to have it in the index, make a GIF of it"
    if not formats.has_picture_suffix(os.path.basename(path)):
        return None
    return f"it has a picture's suffix, but its content is {formats.what_it_is(head)}"
