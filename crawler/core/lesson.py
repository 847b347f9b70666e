"""What a crawl has learnt of a parameter: that it does not change the pages of a host."""

from msgspec import Struct

__all__ = ["Lesson"]


class Lesson(Struct, frozen=True):
    """Why a parameter is left out of account, and what that has saved.

    `agreed` counts pairs of URLs that differ in it alone and brought the same page, `pages` says on how many different
    pages that was when it was learnt. `skipped` URLs were not asked for.
    """

    agreed: int = 0
    pages: int = 0
    skipped: int = 0
