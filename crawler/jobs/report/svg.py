"""SVG as matplotlib writes it, made fit to stand in a page: small, and in the colours of the page.

A page that allows no style but its own (by a policy that names the hash of it) takes no `style` attributes: what they
say becomes attributes of presentation, which SVG has for all of it (SVG 2, section 6.6).
"""

import re
from typing import Final

from lxml import etree

from crawler.core.printable import printable
from crawler.jobs.report.palette import LIGHT, style_of

__all__ = ["as_file", "as_part"]

_SVG: Final = "http://www.w3.org/2000/svg"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_USED: Final = re.compile(r"#([\w.-]+)")
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_NUMBERS_IN: Final = ("d", "x", "y", "transform", "width", "height", "points")
_DROPPED: Final = frozenset({"font-family", "font-style", "font-variant", "font-stretch"})
_PROPERTY: Final = {value: f"var(--{name})" for name, value in LIGHT.items()}
_FONT: Final = "system-ui,sans-serif"


def as_part(raw: bytes, name: str, title: str, description: str) -> str:
    """Return a chart as an element of a page. `name` makes its ids its own."""
    root = _cleaned(raw, name, title, description)
    root.set("class", "chart")
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    return _text(root)


def as_file(raw: bytes, name: str, title: str, description: str) -> str:
    """Return a chart as a file, with its own colours for both schemes."""
    root = _cleaned(raw, name, title, description)
    style = etree.Element(f"{{{_SVG}}}style")
    style.text = style_of("svg") + f"svg{{background:var(--ground)}}text{{font-family:{_FONT}}}"
    root.insert(2, style)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _text(root) + "\n"


def _cleaned(raw: bytes, name: str, title: str, description: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    root = etree.fromstring(raw, parser)
    for gone in root.xpath("//s:metadata | //s:style", namespaces={"s": _SVG}):
        gone.getparent().remove(gone)
    used = {found for one in root.iter() for value in one.attrib.values() for found in _USED.findall(value)}
    for one in root.iter(f"{{{_SVG}}}*"):
        _clean(one, name, used)
    for group in [one for one in root.iter(f"{{{_SVG}}}g", f"{{{_SVG}}}defs") if len(one) == 0]:
        parent = group.getparent()
        if parent is not None:
            parent.remove(group)
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        told = etree.Element(f"{{{_SVG}}}{tag}")
        told.text = printable(text)
        told.set("id", f"{name}-{tag}")
        root.insert(place, told)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    etree.cleanup_namespaces(root)
    return root


def _clean(one: etree._Element, name: str, used: set[str]) -> None:
    attributes = one.attrib
    link = attributes.pop(_LINK, None)
    if link is not None:
        attributes["href"] = link
    own = attributes.pop("id", None)
    if own in used:
        attributes["id"] = own
    for part in attributes.pop("style", "").split(";"):
        key, _, value = (text.strip() for text in part.partition(":"))
        if key and key not in _DROPPED:
            attributes[key] = _PROPERTY.get(value.lower(), value)
    for key in _NUMBERS_IN:
        if key in attributes:
            attributes[key] = " ".join(_NUMBER.sub(_rounded, attributes[key]).split())
    for key, value in attributes.items():
        if key in {"id", "href", "clip-path"}:
            attributes[key] = value.replace("url(#", f"url(#{name}-") if key == "clip-path" else _own(value, name)


def _own(value: str, name: str) -> str:
    return f"#{name}-{value[1:]}" if value.startswith("#") else f"{name}-{value}"


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _text(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode")
