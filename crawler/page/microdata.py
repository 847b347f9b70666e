"""Items of HTML Microdata (HTML Standard §5), with no more references than can be followed. Pure.

An item brings with `itemref` the properties of other elements, which may hold items with references of their own: with
two in each, forty items mean a million million.
"""

import copy
from collections.abc import Iterator

from turbohtml import Document, Element, MicrodataItem

from crawler.page.values import Microdata

__all__ = ["MOST_BROUGHT", "MOST_NAMES", "MOST_REFERENCES", "microdata_of"]

MOST_REFERENCES = 1_000
"""References that all items of a page have together: each is looked for in all of the page."""

MOST_BROUGHT = 100_000
"""Properties that they bring together."""

MOST_NAMES = 2_000
"""Different names of properties on a page, of which schema.org has 1,500: those of an element are compared with each
other."""


def microdata_of(page: Document, base: str) -> tuple[Microdata, ...]:
    """Return the items of a page that are in no other item, URLs relative to `base`. Leaves `page` as it is.

    There are none if they nest hundreds deep, or in a circle, or if their properties have too many names. Where there
    are too many references, none is followed.
    """
    names = {element.attr("itemprop") or "" for element in page.select("[itemprop]")}
    if len(set(" ".join(names).split())) > MOST_NAMES:
        return ()
    if _has_too_many_references(page):
        page = copy.deepcopy(page)
        for item in page.select("[itemref]"):
            del item.attrs["itemref"]
    try:
        return tuple(map(_value, page.microdata(base)))
    except RecursionError:
        return ()


def _has_too_many_references(page: Document) -> bool:
    referring = page.select("[itemref]")
    if not referring:
        return False
    if sum(len(_references(item)) for item in referring) > MOST_REFERENCES:
        return True
    brought = _Brought(page, {name for item in referring for name in _references(item)})
    try:
        return sum(map(brought.by, referring)) > MOST_BROUGHT
    except RecursionError:
        return True


class _Brought:
    """Counts what references bring. Its state is what was counted, and what is being counted."""

    def __init__(self, page: Document, names: set[str]) -> None:
        self._named: dict[str, Element] = {}
        for element in page.select("[id]"):
            if (name := element.attr("id")) in names:
                self._named.setdefault(name or "", element)
        self._known: dict[str, int] = {}

    def by(self, item: Element) -> int:
        """Count the properties that an item has by reference, those of items among them included."""
        return sum(map(self._of, _references(item)))

    def _of(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = MOST_BROUGHT + 1  # until it is counted: in a circle there is no end
            element = self._named.get(name)
            self._known[name] = 0 if element is None else sum(self._each(element))
        return self._known[name]

    def _each(self, element: Element) -> Iterator[int]:
        yield 1 + len(element.select("[itemprop]"))
        if element.attr("itemref") is not None:
            yield self.by(element)
        yield from map(self.by, element.select("[itemref]"))


def _references(item: Element) -> list[str]:
    return (item.attr("itemref") or "").split()


def _value(item: MicrodataItem) -> Microdata:
    properties = {
        name: tuple(value if isinstance(value, str) else _value(value) for value in values)
        for name, values in item.properties.items()
    }
    return Microdata(item.type, item.id, properties)
