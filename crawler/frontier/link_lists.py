"""What pages link to, which only the store of a sample keeps (`frontier.sampling`)."""

from collections.abc import Iterator

from crawler.frontier.database import Table

__all__ = ["LinkLists"]

_MARK = b"\xfflinks:"
"""Stands before the key of a page, in the table of named facts: no name begins so."""
_KEY_BYTES = 16


class LinkLists:
    """For each page the keys of all URLs that it links to. Has no state."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, key: bytes, links: bytes) -> None:
        """Keep what the page `key` links to, with the next commit: keys of 16 bytes, one behind the other."""
        self._table.put(_MARK + key, links)

    def all(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Give every committed page with what it links to."""
        for name, value in self._table.items(_MARK, _MARK + b"\xff" * (_KEY_BYTES + 1)):
            yield name[len(_MARK) :], [value[at : at + _KEY_BYTES] for at in range(0, len(value), _KEY_BYTES)]
