"""The bodies and the texts that pages brought, by which `duplicates` knows them again."""

from collections.abc import Iterator

from crawler.frontier.database import Table

__all__ = ["Contents"]


_PIECES = b"\xf0"
"""Stands before the site and the hash of a piece of text, greater than the number of any band."""


class Contents:
    """The tables of bodies (by hash) and texts (by band and fingerprint), each with the key of the first page.

    Beside the texts stand pieces of text, by the site that has them (`frontier.budgets`).

    Reads of bodies see what the open batch holds, reads of texts what is committed. State: bodies in the open batch.
    """

    def __init__(self, bodies: Table, texts: Table) -> None:
        self._bodies = bodies
        self._texts = texts
        self._pending: dict[bytes, bytes] = {}

    def add_bodies(self, bodies: list[tuple[bytes, bytes]]) -> list[bytes | None]:
        """Make (hash of a body, URL key) known, in one step; return the URL key of each body that was known already.

        None stands for a body that was not. The first URL of a body stays.
        """
        if not bodies:
            return []
        seen = self._pending
        stored = self._bodies.get_all([body for body, _ in bodies])
        firsts: list[bytes | None] = []
        for (body, url_key), value in zip(bodies, stored, strict=True):
            first = value or seen.get(body)
            firsts.append(first)
            if first is None:
                seen[body] = url_key
                self._bodies.put(body, url_key)
        return firsts

    def put_text(self, place: bytes, url_key: bytes) -> None:
        """Make a text known at its place (see `frontier.duplicates`)."""
        self._texts.put(place, url_key)

    def add_pieces(self, owner: bytes, hashes: list[bytes]) -> int:
        """Make pieces of text known as what an owner (a site) has; return how many of them were not."""
        places = [_PIECES + owner + one for one in hashes]
        seen = self._pending
        fresh = 0
        for place, value in zip(places, self._texts.get_all(places) if places else (), strict=True):
            if value is None and place not in seen:
                fresh += 1
                seen[place] = b""
                self._texts.put(place, b"")
        return fresh

    def texts_from(self, place: bytes, *, backwards: bool) -> Iterator[tuple[bytes, bytes]]:
        """Give (place of a text, URL key): the place itself and those after it, or before it if `backwards`."""
        return self._texts.items(place, backwards=backwards)

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._pending.clear()
