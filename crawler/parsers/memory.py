"""How much memory a process may take: a limit that the system holds it to, and when to start afresh before that."""

import ctypes
import gc
import resource
import sys
from contextlib import suppress

from crawler.core.memory import resident_bytes

__all__ = ["MemoryLimit", "collect_rarely", "return_large_blocks"]

_TRIM_BYTES = 8 << 20
_M_MMAP_THRESHOLD = -3  # <malloc.h> of glibc
_LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Have this process give each block of memory from 1 MiB on back to the system as soon as it is freed.

    By default glibc does so only until the first of them is freed, and then keeps room for more of that size
    (mallopt(3), M_MMAP_THRESHOLD): a crawl that met some bodies of 10 MB grew by 100 MB more. No-op with another C
    library.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def collect_rarely() -> None:
    """Have this process look for unused cycles of objects more rarely than Python does by itself.

    Each look at all objects stops every thread: 0.3 s for 10,000 hosts with their connections, once a second. A crawl
    makes few cycles, and most of them are found by the looks at what is new.
    """
    gc.set_threshold(10_000, 10, 50)


class MemoryLimit:
    """The memory limit of this very process, set by making one. `limit_bytes` None sets none.

    On Linux it counts what the process has for data, used or not (RLIMIT_DATA: heap, anonymous mappings and thread
    stacks, not the code of its libraries); elsewhere its whole address space (RLIMIT_AS), if the system has that. Past
    it, allocations fail: `MemoryError`, or whatever a library makes of it. Raises `MemoryError` if the process is
    larger than that already.

    Its state is the resident size when the limit was set, and that after memory was last given back.
    """

    def __init__(self, limit_bytes: int | None) -> None:
        if limit_bytes is not None:
            kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
            _, hard = resource.getrlimit(kind)
            soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
            # Not every system has each of them.
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (soft, hard))
        start = self._level = resident_bytes()
        if limit_bytes is not None and start > limit_bytes:
            raise MemoryError
        self._worn_at = None if limit_bytes is None else (start + limit_bytes) // 2

    def is_worn(self) -> bool:
        """Whether the process has swollen so far that it had better be replaced: half-way from its start to the limit.

        Gives memory that was freed back to the system first, when there is more of it than before. By measurement:
        after a page of 10 MB glibc kept 100 MB, all of which `malloc_trim` gave back in a few milliseconds. What is
        left then is in use. To be asked when nothing is under way; takes some 10 µs. False without a limit, and where
        the system does not tell.
        """
        size = resident_bytes()
        if size > self._level + _TRIM_BYTES:
            with suppress(AttributeError, OSError):
                ctypes.CDLL(None).malloc_trim(0)
            size = self._level = resident_bytes()
        self._level = min(self._level, size)
        return self._worn_at is not None and size > self._worn_at
