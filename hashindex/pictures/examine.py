"""What a worker process does with files: reads each once, digests it, and decodes new contents. Writes nothing.

It does not import NumPy, so that worker processes start faster and need less memory.
"""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Sequence

from hashindex.core.language import Message
from hashindex.core.messages import Examined, Job
from hashindex.core.model import Decoded
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.pictures import formats, worker_limits
from hashindex.pictures.decode import decode, undecoded


def examine(jobs: Sequence[Job], known: Collection[bytes], limits: Limits) -> list[Examined]:
    """One result per job, in order. A content is decoded unless its digest is in known or came earlier in these jobs.

    Never raises because of a file. Cost: a read and a SHA-256 for each file, and a decode for each new content.
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
    """The result for a file whose decode crashed a process: read and digested, with the problem instead of a decode.

    Its digest is then known, so copies of it are not decoded. Another version of the decoder tries it again.
    """
    return _examine(job._replace(decode=True), (), limits, lambda data, limits: undecoded(data, problem))


def digest_of(data: bytes) -> bytes:
    """SHA-256, because processors have instructions for it and sha256sum can check it."""
    return hashlib.sha256(data).digest()


def content_bytes(path: bytes, digest: bytes, limits: Limits) -> bytes | None:
    """The bytes of a known content, read again; None if the file is gone, too large or holds other bytes now."""
    try:
        with files.opened(path) as source:
            if source.stat.size > limits.bytes:
                return None
            data = formats.unmasked(source.read_rest())
    except OSError:
        return None
    return data if digest_of(data) == digest else None


def _examine(
    job: Job, known: Collection[bytes], limits: Limits, decode_file: Callable[[bytes, Limits], Decoded]
) -> Examined:
    # Before the first byte is read: diff.is_unchanged does not trust a file that is written from now on.
    now_ns = time.time_ns()
    try:
        return _examine_now(job, known, limits, decode_file, now_ns)
    except MemoryError:
        problem = Message("there is not enough memory to read it")
        return Examined(job.path, files.stat_at(job.path), now_ns, problem=problem, retry=True)


def _examine_now(
    job: Job, known: Collection[bytes], limits: Limits, decode_file: Callable[[bytes, Limits], Decoded], now_ns: int
) -> Examined:
    try:
        with files.opened(job.path, links=job.links) as source:
            head = source.read(formats.HEAD_BYTES)
            key = 0
            if formats.sniff(head) is None and formats.may_be_masked(job.path):
                key = formats.mask_of(head)
            if formats.sniff(head) is None and not key:
                return Examined(job.path, source.stat, now_ns, problem=_no_picture(job.path, head))
            if source.stat.size > limits.bytes:
                problem = Message(
                    "the file has {size:,} bytes, more than the limit of {limit:,}",
                    size=source.stat.size,
                    limit=limits.bytes,
                )
                return Examined(job.path, source.stat, now_ns, problem=problem)
            data = head + source.read_rest()
            if len(data) != source.stat.size or source.has_changed():
                problem = Message("the file changed while it was read; it is read again in the next scan")
                return Examined(job.path, source.stat, now_ns, problem=problem, retry=True)
    except FileNotFoundError:
        return Examined(job.path, None, now_ns, vanished=True)
    except OSError as error:
        reason = files.reason_of(error)
        return Examined(job.path, files.stat_at(job.path), now_ns, problem=reason, retry=files.may_be_temporary(error))
    if key:
        # The content is the unmasked picture, which equals a copy saved from the chat.
        data = formats.unmask(data, key)
    digest = digest_of(data)
    decoded = decode_file(data, limits) if job.decode or digest not in known else None
    return Examined(job.path, source.stat, now_ns, digest=digest, decoded=decoded)


_ENCRYPTED = Message(
    "WeChat encrypted this picture (AES, as since version 4), and only WeChat has the key; "
    "to have it in the index, save it from the chat"
)


def _no_picture(path: bytes, head: bytes) -> str | None:
    """The problem of a file that is no picture but has a picture's extension or is a sticker; None for other files."""
    if formats.may_be_masked(path):
        if formats.is_wechat_encrypted(head):
            return _ENCRYPTED
        head = formats.unmasked_wxgf(head)
    if formats.is_wxgf(head):
        return Message(
            "it is {content}; to have it in the index, save it from the chat",
            content=formats.describe_content(head),
        )
    if formats.is_packed_lottie(head):
        what = formats.describe_content(head)
        return Message(
            "it is {what}, which cannot be compared yet; to have it in the index, make a GIF of it", what=what
        )
    if not formats.has_picture_extension(os.path.basename(path)):
        return None
    return Message(
        "it has a picture's extension, but its content is {content}",
        content=formats.describe_content(head),
    )
