"""The parameters of a URL's query, one by one, and the paths to which what is known of one applies. Pure."""

from collections.abc import Collection
from typing import NamedTuple, Self

from crawler.web.traps import pattern

__all__ = ["ORDER", "Query", "parameter_of", "paths"]

ORDER = "the order"
"""Stands for the order of the parameters. It is the name of none: no URL in normal form has a space in it."""
_MOST_PARAMETERS, _MOST_NAME_CHARS, _MOST_PATH_CHARS = 12, 64, 200
_MOST_ENDING_CHARS = 5
_PREFIX = "http://x"


class Query(NamedTuple):
    """A URL as its part before the `?`, and its parameters in order: each as the name it goes by, and as it stands."""

    start: str
    parameters: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, url: str) -> Self | None:
        """Take a URL in normal form apart; None if it is no plain one: with many, empty or very long parameters."""
        start, mark, query = url.partition("?")
        if not mark:
            return cls(start, ())
        parameters = tuple([(parameter_of(part.partition("=")[0]), part) for part in query.split("&")])
        if len(parameters) > _MOST_PARAMETERS:
            return None
        plain = all(0 < len(name) <= _MOST_NAME_CHARS for name, _ in parameters)
        return cls(start, parameters) if plain else None

    @property
    def names(self) -> frozenset[str]:
        """The names of its parameters, and `ORDER` if they have one."""
        names = frozenset([name for name, _ in self.parameters])
        return names | {ORDER} if len(self.parameters) > 1 else names

    def without(self, names: Collection[str]) -> str:
        """Return the URL without these parameters; sorted if the order is one of them."""
        kept = [part for name, part in self.parameters if name not in names]
        if ORDER in names:
            kept.sort()
        return f"{self.start}?{'&'.join(kept)}" if kept else self.start

    def value(self, name: str) -> str:
        """Return what the URL has of a parameter; of `ORDER`, the names as they follow each other."""
        if name == ORDER:
            return "&".join([name for name, _ in self.parameters])
        return "&".join([part for own, part in self.parameters if own == name])


def parameter_of(name: str) -> str:
    """Return what a parameter goes by: its name, or `utm_*` for all whose names begin with `utm_`.

    Such ones come together as a rule, so that no two URLs differ in one of them alone.
    """
    family, mark, _ = name.partition("_")
    return f"{family}_*" if mark and family else name


def paths(start: str) -> tuple[str, str]:
    """Return the paths among which a URL is, given up to its query: those in its folder, and those that look like it.

    `/shop/*` (with the ending, as in `/shop/*.html`) and `/shop/item-#`, without numbers and the like (`web.traps`).
    Both are empty for a very long path.
    """
    path = start[start.find("/", len("https://")) :]
    if len(path) > _MOST_PATH_CHARS:
        return "", ""
    folder, _, last = path.rpartition("/")
    ending = last.rpartition(".")[2] if "." in last else ""
    ending = f".{ending}" if ending.isalnum() and len(ending) <= _MOST_ENDING_CHARS else ""
    return f"{_plain(folder)}/*{ending}", _plain(path)


def _plain(path: str) -> str:
    return pattern(_PREFIX + path)[len(_PREFIX) :]
