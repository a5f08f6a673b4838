"""Reads a picture that the user named, or explains why it cannot be read."""

import os

from hashindex.core.errors import UnreadablePicture
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.pictures import formats


def read_picture(path: bytes, name: str, limits: Limits) -> bytes:
    """The bytes of the file at path. Reads only its first bytes if they are not those of a picture.

    Raises UnreadablePicture with a sentence that contains name.
    """
    try:
        with files.opened(path) as source:
            head = source.read(formats.HEAD_BYTES)
            if formats.sniff(head) is None and not formats.mask_of(head):
                if formats.is_wechat_encrypted(head):
                    raise UnreadablePicture(f"{name} was encrypted by WeChat (AES), and only WeChat has the key.")
                raise UnreadablePicture(f"{name} is not a picture: its content is {formats.describe_content(head)}.")
            if source.stat.size > limits.bytes:
                raise UnreadablePicture(
                    f"{name} has {source.stat.size:,} bytes, more than the limit of {limits.bytes:,}."
                )
            return head + source.read_rest()
    except OSError as error:
        if os.path.isdir(path):
            raise UnreadablePicture(f"{name} is a folder; name a picture in it.") from None
        raise UnreadablePicture(f"{name}: {files.reason_of(error)}.") from error
