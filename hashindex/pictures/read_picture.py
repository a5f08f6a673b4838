"""Reads a picture that the user named, or explains why it cannot be read."""

import os

from hashindex.core.errors import UnreadablePicture
from hashindex.core.language import Message
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
                    raise UnreadablePicture(
                        Message("{name} was encrypted by WeChat (AES), and only WeChat has the key.", name=name)
                    )
                raise UnreadablePicture(
                    Message(
                        "{name} is not a picture: its content is {content}.",
                        name=name,
                        content=formats.describe_content(head),
                    )
                )
            if source.stat.size > limits.bytes:
                raise UnreadablePicture(
                    Message(
                        "{name} has {size:,} bytes, more than the limit of {limit:,}.",
                        name=name,
                        size=source.stat.size,
                        limit=limits.bytes,
                    )
                )
            return head + source.read_rest()
    except OSError as error:
        if os.path.isdir(path):
            raise UnreadablePicture(Message("{name} is a folder; name a picture in it.", name=name)) from None
        raise UnreadablePicture(Message("{path}: {reason}.", path=name, reason=files.reason_of(error))) from error
