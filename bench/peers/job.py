"""The job of a script: SEED OUTPUT PREFIX, and `seen` to keep the links that were met in the user's code too.

With @FILE as the seed there is one in each line of a file, and all pages of their hosts belong to the job.
"""

import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["at_once", "below", "is_list", "output", "seeds", "seen"]

_seed, output, _prefix, *_more = sys.argv[1:]
is_list = _seed.startswith("@")
seeds = Path(_seed[1:]).read_text("utf-8").split() if is_list else [_seed]
seen = set(seeds) if "seen" in _more else None
_origins = frozenset(seeds)


def _below_prefix(link: str) -> bool:
    return link.startswith(_prefix)


def _of_seeds(link: str) -> bool:
    return link[: link.find("/", len("https://")) + 1] in _origins


below: Callable[[str], bool] = _of_seeds if is_list else _below_prefix
"""Whether a link belongs to the job."""


def at_once(usual: int) -> int:
    """Return how many requests there may be at once: `usual`, or what a further argument says."""
    return next((int(one) for one in _more if one.isdigit()), usual)
