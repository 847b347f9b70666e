"""What a parser process and the one that started it have agreed on."""

import signal

__all__ = ["BEGUN", "BUSY_S", "OUT_OF_MEMORY", "READY", "SIGNALS", "SLOTS", "STARTED_AT", "WORN"]

READY = b""
"""What a parser sends once, before its first results: it has started and reads its inbox."""

OUT_OF_MEMORY = 71
"""Exit code of a parser that could not have the memory that it wanted."""

WORN = 72
"""Exit code of a parser that has swollen and wants to be replaced; it was at no page."""

STARTED_AT = 0
BUSY_S = 1
BEGUN = 2
SLOTS = 3
"""A parser's share of the counters in shared memory: when the page under way was taken up (`time.monotonic`, 0 = none
is), the seconds spent on pages so far, and how many pages this process has taken up. The parser writes them, the main
process reads them."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that a parser ignores; whoever starts it blocks them until then."""
