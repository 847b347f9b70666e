"""Something that the demo site serves, and how a crawl of the site must treat it."""

from msgspec import Struct

from crawler.cli.demo.answer import DemoAnswer
from crawler.cli.demo.page import HtmlPage

__all__ = ["Resource"]


class Resource(Struct, frozen=True, kw_only=True):
    """One address of a host: `target` is its path with the query, as in the request line.

    `kind` names what it shows (`article`, `redirect`, `charset`, …). `outcome` is how its URL must end (see
    `core.model.Outcome`; with the reason, as in `skipped: robots`), or empty if no link leads to it.
    """

    target: str
    content: HtmlPage | DemoAnswer
    kind: str
    outcome: str = "fetched"
