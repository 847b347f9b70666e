"""The parts of a byte budget, by the size of bodies: how much each size may hold. Pure."""

from collections.abc import Sequence
from typing import Final

__all__ = ["Steps"]

_SMALLEST_BYTES: Final = 32_768
_SIZES: Final = (1024, 256, 64, 16, 8)
_PARTS: Final = (1, 3, 1, 1, 2)
"""What divides the limit into the size of each step; and the eighths of it that the step has for itself, at least twice
its size."""


class Steps:
    """What bodies hold of `limit` bytes, by step.

    Steps are sizes, from a thousandth of the limit to an eighth. `beyond` is the step after the last, where one body at
    a time lies beside the limit. Each step has a part of the limit. Larger bodies leave the parts of the smaller steps
    alone, always. Smaller bodies use what larger ones do not want: the first that waits for a step counts as if it were
    there. `shared` by so many, of whom these are one: nobody is to have more than that of any part.

    State: the bytes `held` on each step, by its number, all of which are `used`; on `beyond` the number of bodies.
    """

    def __init__(self, limit: int, shared: int = 1) -> None:
        every = [limit // divisor for divisor in _SIZES]
        self.sizes = [size for size in every if size >= _SMALLEST_BYTES] or every[-1:]
        self.beyond = len(self.sizes)
        parts = [limit * eighths // 8 for eighths in _PARTS[-self.beyond :]]
        parts[0] = limit - sum(parts[1:])
        self.parts = [part // shared for part in parts]
        self._reach = [sum(parts[step:]) // shared for step in range(self.beyond)]
        self.held = [0] * (self.beyond + 1)
        self.used = 0

    def of(self, size: int) -> int:
        """Return the step of a body of so many bytes."""
        for step, most in enumerate(self.sizes):
            if size <= most:
                return step
        return self.beyond

    def add(self, step: int, count: int) -> None:
        """Hold so many bytes more on a step; beyond the last one, so many bodies."""
        self.held[step] += count
        if step != self.beyond:
            self.used += count

    def short_from(self, step: int, waiting: Sequence[object]) -> int | None:
        """Return None if one more body has room on a step, else from which step on too much is held.

        `waiting` says of each step whether somebody waits for it.
        """
        if step == self.beyond:
            return step if self.held[step] else None
        more = self.sizes[step]
        held = 0
        for one in range(self.beyond - 1, -1, -1):
            held += self.held[one]
            if one <= step and held + more > self._reach[one]:
                return one
            if one > step and waiting[one]:
                held = max(held, min(held + self.sizes[one], self._reach[one]))
        return None
