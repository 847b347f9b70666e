"""A figure that was measured, beside the one that it has to reach."""

from collections.abc import Iterable

import msgspec

__all__ = ["AtLeast", "AtMost", "print_targets"]


class _Figure(msgspec.Struct, frozen=True):
    """What was measured, called by its name; without a target it is only told."""

    name: str
    measured: float
    target: float | None = None


class AtLeast(_Figure, frozen=True):
    """`measured` has to be `target` or more."""

    word = "at least"

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.target is None or self.measured >= self.target


class AtMost(_Figure, frozen=True):
    """`measured` has to be `target` or less."""

    word = "at most"

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.target is None or self.measured <= self.target


def print_targets(title: str, rows: Iterable[AtLeast | AtMost]) -> int:
    """Print a row for each figure; return the exit code: 0 if all that have to reach something do."""
    print(f"\n{title}")
    missed = 0
    for row in rows:
        verdict = ""
        if row.target is not None:
            verdict = f"   {row.word} {row.target:g}: {'met' if row.met else 'MISSED'}"
            missed += not row.met
        print(f"  {row.name:48}{row.measured:10,.2f}{verdict}")
    return 1 if missed else 0
