"""How a parser process begins.

The process that starts it imports this file, and nothing of what a parser needs: it never parses a page.
"""

import gc
from typing import Any

__all__ = ["begin"]


def begin(**told: Any) -> None:
    """Be a parser: `worker.main`, which is imported in that process alone."""
    # Nothing that is made by an import becomes garbage: to look for it takes a tenth of the time.
    gc.disable()
    from crawler.parsers.worker import main  # noqa: PLC0415 - as above

    gc.enable()
    main(**told)
