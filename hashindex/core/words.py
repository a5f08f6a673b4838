"""Values about the words of pictures: recognised lines and tags. They are frozen and do no I/O."""

from typing import NamedTuple


class TextLine(NamedTuple):
    """One line of text that a reader recognised in a picture."""

    text: str
    confidence: float
    """0 to 1, as the reader states it."""
    x: float = 0.0
    """Left edge of its box, as a fraction of the picture's width: 0 to 1."""
    y: float = 0.0
    """Upper edge, as a fraction of the picture's height."""
    width: float = 0.0
    height: float = 0.0
    frame: int = 0
    """Index of the first frame that shows the line; 0 in stills."""
