"""What a person needs to know of an exception in the code of a spider: one line, with the place in that code. Pure."""

import sys
from pathlib import Path
from traceback import FrameSummary, extract_tb

__all__ = ["mishap"]

_PACKAGE = str(Path(__file__).parents[2])
_LIBRARIES = ("/site-packages/", "/dist-packages/", f"{sys.base_prefix}/lib/python", "<frozen ")
_MESSAGE_CHARS = 300
_SOURCE_CHARS = 120


def mishap(error: BaseException) -> str:
    """Return `ValueError: invalid literal … (shop.py line 12, in price: return int(text))`, at most 700 characters.

    The place is the last one that is neither in this package nor in a library; and, if the error came about in a
    library, the place there too. For the log: the message may quote the page, as outcomes never do.
    """
    frames = extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if not frame.filename.startswith((_PACKAGE, "<frozen ")) and not _in_library(frame)
    ]
    shown = [*own[-1:], *(frame for frame in frames[-1:] if frame not in own)]
    places = ", ".join(map(_place, shown))
    return f"{type(error).__name__}: {_message(error)}" + (f" ({places})" if places else "")


def _in_library(frame: FrameSummary) -> bool:
    return any(part in frame.filename for part in _LIBRARIES)


def _message(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - it is code of a spider too
        return "(its message cannot be had)"
    return text if len(text) <= _MESSAGE_CHARS else text[:_MESSAGE_CHARS] + "…"


def _place(frame: FrameSummary) -> str:
    source = (frame.line or "")[:_SOURCE_CHARS]
    return f"{Path(frame.filename).name} line {frame.lineno}, in {frame.name}" + (f": {source}" if source else "")
