"""What is found in a page, and what finds it: a spider, selectors, or neither."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from crawler.core.model import Outcome
from crawler.page.raw_page import RawPage

__all__ = ["Finder", "Findings", "left_out"]

P_contra = TypeVar("P_contra", bound=RawPage, contravariant=True)


class Findings(Struct, frozen=True, gc=False):
    """What was found in a page: `records` are complete JSON lines, `hrefs` what is to be followed of it, as (URL in
    normal form, its `nofollow`).

    `outcome`, `reason` and `detail` are those of `core.model.Done`: a page whose records cannot be written has failed,
    and one whose links were not all taken says so; so is `row_records`.
    """

    records: bytes | None = b""
    hrefs: Sequence[tuple[str, bool]] = ()
    outcome: Outcome = "fetched"
    reason: str = ""
    detail: str = ""
    row_records: tuple[tuple[int, bytes], ...] = ()


def left_out(page: RawPage) -> str:
    """Return, for the log, that not all links of a page were taken; empty if they were."""
    cut = page.links_dropped
    return f"{page.url}: {cut:,} of its links were not taken; --max-links says how many may be" if cut else ""


class Finder(Protocol[P_contra]):
    """Where the records of pages, and the links that are followed, come from: all in which crawls differ here."""

    @property
    def page(self) -> type[RawPage]:
        """What it looks at."""

    @property
    def any_status(self) -> bool:
        """Whether it looks at answers with another status than 2xx, too."""

    def find(self, page: P_contra, *, noindex: bool) -> Findings:
        """Return what is found in a page; `noindex` says that robots may not index it. May raise anything."""
