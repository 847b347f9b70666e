"""Declarative shadow roots, put where a reader sees them: in the tree of the page. Pure.

HTML Standard §4.12.3: a `<template shadowrootmode>` is no template, but what its parent shows. The parent's own
children show where that has a `<slot>` for them (DOM Standard §4.2.2.3).
"""

from turbohtml import Document, Element

__all__ = ["with_shadow_roots"]

_HOSTS = frozenset(
    {"article", "aside", "blockquote", "body", "div", "footer", "header", "main", "nav", "p", "section", "span"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
)
"""Elements that may have a shadow root, besides those with a dash in their name (DOM Standard §4.9)."""
_MODES = frozenset({"open", "closed"})


def with_shadow_roots(document: Document) -> Document:
    """Return a document, changed: the content of each declarative shadow root stands in its host.

    It was parsed with `allow_declarative_shadow_roots=False`, which leaves the templates in it.
    """
    if document.select_one("template") is not None:  # by an index, where `iter_elements` walks through the tree
        # Inner ones first, so that each one's slots are filled before an outer one looks for its own.
        for template in reversed(_roots(document)):
            _place(template)
    return document


def _roots(document: Document) -> list[Element]:
    """Return the templates that are shadow roots: of those in one element, the first one is."""
    found: list[Element] = []
    hosts: set[Element] = set()
    for template in document.iter_elements("template"):
        host = template.parent
        if (template.attr("shadowrootmode") or "").lower() not in _MODES or not isinstance(host, Element):
            continue
        if (host.tag in _HOSTS or "-" in host.tag) and host not in hosts:
            hosts.add(host)
            found.append(template)
    return found


def _place(template: Element) -> None:
    """Put the content of one shadow root before its template, with the host's children in its slots; drop the rest."""
    host = template.parent
    own = list(template.iter_elements("slot"))
    slots: dict[str, Element] = {}
    for slot in own:
        slots.setdefault(slot.attr("name") or "", slot)
    filled = set()
    for child in list(host.children) if slots and host is not None else ():
        name = (child.attr("slot") or "") if isinstance(child, Element) else ""
        if child is not template and name in slots:
            if name not in filled:
                filled.add(name)
                slots[name].clear()  # what it holds shows only if it is not filled
            slots[name].append(child)
    for slot in own:
        slot.unwrap()
    for fragment in list(template.children):
        for node in list(fragment.children):
            template.insert_before(node)
    template.decompose()
