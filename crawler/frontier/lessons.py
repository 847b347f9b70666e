"""What the pages of a host tell of the parameters of its URLs: which of them change nothing.

A *tally* is kept of each parameter, once for the folder in which a URL is and once for URLs whose path looks like its
own (`web.parameters.paths`). Two URLs that differ in the parameter alone are a pair. If both brought the same, they
agree, and if one pair does not, the parameter counts for good. A tally is *learnt* when enough pairs agree, of enough
different pages and values; that a URL lacks the parameter is a value, too. Two values would not do: a list and its page
1 are the same on any number of lists.
"""

from collections.abc import Iterable

from msgspec import Struct

__all__ = ["LEARNT", "OPEN", "HostLessons", "Ways"]

OPEN, LEARNT, COUNTS = 0, 1, 2
"""States of a tally. One that counts stays so."""
AGREED = 24
"""Pairs that must agree: then it would be odd if one in eight did not (0.04)."""
PAGES, VALUES = 8, 3
LOOKS = 4
"""In a folder, the pages must be of so many looks: else only those of one look are known."""
_MOST_TALLIES = 128


class Tally(Struct, array_like=True):
    """What is known of a parameter: `agreed` pairs, and hashes of some of their `pages`, `values` and `looks`."""

    state: int = OPEN
    agreed: int = 0
    pages: list[bytes] = []
    values: list[bytes] = []
    looks: list[bytes] = []

    def agree(self, page: bytes, values: Iterable[bytes], look: bytes) -> None:
        """Count a pair of URLs that brought the same page."""
        self.agreed += 1
        if self.state == OPEN:
            _note(self.pages, page, PAGES)
            _note(self.looks, look, LOOKS)
            for value in values:
                _note(self.values, value, VALUES)

    def is_enough(self, looks: int) -> bool:
        """Whether pairs agree often enough, over so many looks."""
        varied = len(self.pages) >= PAGES and len(self.values) >= VALUES and len(self.looks) >= looks
        return varied and self.agreed >= AGREED


class Ways(Struct, frozen=True):
    """Where the tallies of a URL's parameters are: its folder, and the look of its path."""

    folder: str
    look: str

    def places(self, name: str) -> tuple[str, str]:
        """Return the names of the tallies of a parameter."""
        return f"{self.folder}?{name}", f"{self.look}?{name}"


class HostLessons(Struct, array_like=True):
    """The tallies of one host, by name. `learnt` says how many are, `live` how many of a path do not count as yet.

    `taken` URLs were compared with others.
    """

    tallies: dict[str, Tally] = {}
    learnt: int = 0
    live: dict[str, int] = {}
    taken: int = 0

    def state(self, ways: Ways, name: str) -> int:
        """Return what is known of a parameter of URLs there; one that no tally is kept of counts."""
        folder, look = map(self.tallies.get, ways.places(name))
        if look is not None and look.state != OPEN:
            return look.state
        if folder is not None and folder.state == LEARNT:
            return LEARNT
        return OPEN if look is not None or (folder is not None and folder.state == OPEN) else COUNTS

    def lesson(self, ways: Ways, name: str) -> str:
        """Return the name of the tally by which a parameter is learnt."""
        folder, look = ways.places(name)
        own = self.tallies.get(look)
        return look if own is not None and own.state == LEARNT else folder

    def is_live(self, ways: Ways) -> bool:
        """Whether there is a parameter of URLs there that does not count."""
        return ways.folder in self.live or ways.look in self.live

    def admit(self, ways: Ways, name: str) -> None:
        """Keep tallies of a parameter, as far as there is room; those that have no evidence as yet make some."""
        for path, place in zip((ways.folder, ways.look), ways.places(name), strict=True):
            if place in self.tallies:
                continue
            if len(self.tallies) >= _MOST_TALLIES:
                self._make_room()
            if len(self.tallies) < _MOST_TALLIES:
                self.tallies[place] = Tally()
                self.live[path] = self.live.get(path, 0) + 1

    def agree(self, ways: Ways, name: str, page: bytes, values: Iterable[bytes], look: bytes) -> list[str]:
        """Count a pair that agrees; return the names of tallies that are learnt by it."""
        learnt = []
        for place, looks in zip(ways.places(name), (LOOKS, 1), strict=True):
            tally = self.tallies.get(place)
            if tally is None or tally.state == COUNTS:
                continue
            tally.agree(page, values, look)
            if tally.state == OPEN and tally.is_enough(looks):
                tally.state = LEARNT
                self.learnt += 1
                learnt.append(place)
        return learnt

    def contradict(self, ways: Ways, name: str) -> list[str]:
        """Count a pair that does not agree: the parameter counts. Return the names of tallies that had been learnt."""
        return [place for place in ways.places(name) if self.count(place)]

    def count(self, place: str) -> bool:
        """Let a parameter count for good; return whether it had been learnt that it does not."""
        tally = self.tallies.get(place)
        if tally is None or tally.state == COUNTS:
            return False
        was_learnt = tally.state == LEARNT
        self.learnt -= was_learnt
        self.tallies[place] = Tally(COUNTS)
        self._end(place)
        return was_learnt

    def _make_room(self) -> None:
        idle = [place for place, tally in self.tallies.items() if tally.state == OPEN and not tally.agreed]
        for place in idle:
            del self.tallies[place]
            self._end(place)

    def _end(self, place: str) -> None:
        path = place.partition("?")[0]
        left = self.live.pop(path) - 1
        if left:
            self.live[path] = left


def _note(known: list[bytes], one: bytes, most: int) -> None:
    if len(known) < most and one not in known:
        known.append(one)
