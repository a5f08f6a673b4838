"""Whether the judge uses its compiled functions (_kernels.c) or the definitions in NumPy. Does no I/O.

`kernels` is chosen once, when this module is imported. A function with a compiled way asks for it first:

    if compiled.kernels is not None:
        return compiled.kernels.trim(grey)

Both ways give the same verdicts; see docs/design.md.
"""

import os
from types import ModuleType
from typing import Final

from hashindex.core.language import Message

SWITCH: Final = "HASHINDEX_NO_COMPILED"
"""If this environment variable is set to anything but 0, NumPy is used."""

INTERFACE: Final = 2
"""Must equal _kernels.INTERFACE: a module that was built from another version of the source is not used."""


def _load() -> tuple[ModuleType | None, str]:
    """The compiled module, or None and the reason."""
    if os.environ.get(SWITCH, "0") not in ("", "0"):
        return None, Message("{variable} is set", variable=SWITCH)
    try:
        from hashindex.judge import _kernels
    except ImportError:
        return None, Message("the compiled functions were not built")
    if _kernels.INTERFACE != INTERFACE:
        return None, Message("the compiled functions are of another version of hashindex")
    return _kernels, ""


kernels, why_not = _load()
