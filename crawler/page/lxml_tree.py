"""The page as lxml's tree, with no more attributes to a tag than libxml2 can bear. Pure.

libxml2 walks over the attributes that a tag has each time it adds one: 40,000 of them, 350 KB, take 14 s.
"""

import re
from itertools import islice
from typing import Any

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

__all__ = ["MOST_ATTRIBUTES", "tree_of"]

MOST_ATTRIBUTES = 256
"""How many attributes of a tag count in a page of more than 32,768 characters, if a tag has more."""

_SMALL_CHARS = 32_768  # a page of one tag takes 50 ms
_DEEPEST = 2_000  # as libxml2 has it, which builds no tree here that would end there
# A tag with 64 attributes or more, as HTML Standard §13.2.5 reads it, wherever one may begin: none is missed, and one
# that a script only quotes is found, too. So few, since behind each `<` as many are read.
_MAYBE_MANY = re.compile(
    r"""<[a-zA-Z][^\t\n\f\r /><]*+(?:[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"""
    r"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >]*+))?+){64}"""
)
_NO_MARKUP = "<html><head></head><body></body></html>"


def tree_of(markup: str, url: str) -> HtmlElement:
    """Return the root of a page that was found at `url`, `<html>`; of an empty page that is an empty one.

    Where tags have too many attributes, the first ones of each count. Such a tree has no doctype, an attribute without
    a value has an empty one, and elements nested more than 2,000 deep are left out.
    """
    if len(markup) > _SMALL_CHARS and _MAYBE_MANY.search(markup) is not None:
        few = _FewAttributes()
        target: Any = few  # lxml's types ask for methods that may be missing
        etree.fromstring(markup.encode(), parser=etree.HTMLParser(encoding="utf-8", huge_tree=True, target=target))
        if few.root is not None:
            few.root.getroottree().docinfo.URL = url
            return few.root
    try:
        return document_fromstring(markup.encode(), parser=_parser(), base_url=url)
    except etree.ParserError:
        return document_fromstring(_NO_MARKUP, parser=_parser(), base_url=url)


class _FewAttributes:
    """Builds the tree of a page from libxml2's events, which take no longer for many attributes.

    State: the tree so far, how deep in it the next element is, whether an attribute was left out, and at last the root.
    """

    def __init__(self) -> None:
        self._tree = etree.TreeBuilder(parser=_parser(), insert_comments=True, insert_pis=True)
        self.data, self.comment, self.pi = self._tree.data, self._tree.comment, self._tree.pi
        self._depth = 0
        self._left_out = False
        self.root: HtmlElement | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the begin of an element."""
        self._depth += 1
        if len(attributes) > MOST_ATTRIBUTES:
            self._left_out = True
            attributes = dict(islice(attributes.items(), MOST_ATTRIBUTES))
        if self._depth <= _DEEPEST:
            self._tree.start(tag, attributes)

    def end(self, tag: str) -> None:
        """Take its end."""
        if self._depth <= _DEEPEST:
            self._tree.end(tag)
        self._depth -= 1

    def close(self) -> None:
        """Keep the tree if it is one that is needed."""
        root = self._tree.close() if self._left_out else None
        self.root = root if isinstance(root, HtmlElement) else None


def _parser() -> HTMLParser:
    # Without `huge_tree` the rest of a page is lost where it is nested 254 deep, or has a text of 10 MB.
    return HTMLParser(encoding="utf-8", huge_tree=True)
