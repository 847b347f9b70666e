"""Which URLs other shards own, and what is kept of them here."""

from crawler.core.shard import Shard
from crawler.web.shards import Owners

__all__ = ["Elsewhere"]


class Elsewhere:
    """Tells own URLs from those of other shards. Its only state is what `Owners` keeps."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.owner = Owners(shard.of).owner

    def owns(self, url: str) -> bool:
        """Whether this shard owns a URL."""
        return self.owner(url) == self.shard.number

    def kept(self, parent_url: str | None) -> str | None:
        """Return what a row keeps of the URL that led to it: all of one whose own row is elsewhere."""
        return None if parent_url is None or self.owns(parent_url) else parent_url
