"""How long fuzzing goes on: a moment and always the same in `make test`, long and always new in `make fuzz`.

The environment's CRAWLER_FUZZ_EXAMPLES is the number of examples for each target. Without it every target has its own
small number, and each run draws the same examples, so that a failure on one machine is a failure on all.
"""

import os
from collections.abc import Callable

from hypothesis import HealthCheck, settings

__all__ = ["fuzz"]

_LONG = int(os.environ.get("CRAWLER_FUZZ_EXAMPLES", "0"))


def fuzz(examples: int, *, cost: int = 1) -> Callable:
    """Settings of a target that draws `examples` examples in `make test` (chosen to take about a second).

    `cost` says how many ordinary examples one of its own is worth: in `make fuzz` it draws so many times fewer.
    """
    return settings(
        max_examples=max(_LONG // cost, 1) if _LONG else examples,
        derandomize=not _LONG,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
