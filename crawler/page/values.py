"""What a page says besides its text, as values that a record can hold. Pure; knows no parser.

All of them are frozen, and a spider may put them into a record as they are.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

__all__ = ["Article", "Feed", "FeedEntry", "Follow", "Headers", "Microdata"]


_SECRET = frozenset({"set-cookie", "set-cookie2"})


class Headers(Mapping[str, str]):
    """Headers of an answer by name, in any case of letters: the first value of each.

    Iterates over the names in lower case, each once. `pairs` are (lower-case name, value) in the order received.
    """

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._pairs = pairs
        self._first = dict(reversed(pairs))

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"Headers({list(self._pairs)!r})"

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header in the order received; empty if there is none."""
        name = name.lower()
        return tuple(value for key, value in self._pairs if key == name)

    def by_name(self) -> dict[str, str | list[str]]:
        """Return the value of each header by its name in lower case, a list if there are several; as in a record.

        Without cookies that the server sets.
        """
        found: dict[str, str | list[str]] = {}
        for name, value in self._pairs:
            before = found.get(name)
            if before is None:
                if name not in _SECRET:
                    found[name] = value
            elif isinstance(before, str):
                found[name] = [before, value]
            else:
                before.append(value)
        return found


class Follow(Struct, frozen=True):
    """Links that a spider wants followed: what `Page.follow` makes, and a spider yields or returns.

    `urls` are absolute and in normal form, each once. `everything` means: all links of the page.
    """

    urls: tuple[str, ...]
    everything: bool = False


class Article(Struct, frozen=True):
    """The main part of a page and what the page says about it. A field is None where the page says nothing.

    `text` is the main part as text, empty if the page has none. `date` is as the page writes it, mostly ISO 8601.
    `language` is a BCP 47 tag as written. `canonical` and `image` are absolute URLs. `tags` are its key words.
    """

    text: str
    title: str | None = None
    byline: str | None = None
    date: str | None = None
    description: str | None = None
    language: str | None = None
    canonical: str | None = None
    site_name: str | None = None
    image: str | None = None
    tags: tuple[str, ...] = ()


class FeedEntry(Struct, frozen=True):
    """One entry of a feed. None where the feed says nothing.

    `link` is an absolute URL. `published` and `updated` are as written: RFC 822 in RSS, RFC 3339 in Atom. `summary` and
    `content` may be HTML.
    """

    title: str | None = None
    link: str | None = None
    id: str | None = None
    published: str | None = None
    updated: str | None = None
    author: str | None = None
    summary: str | None = None
    content: str | None = None


class Feed(Struct, frozen=True):
    """A feed. `type` is `rss` (2.0), `atom` or `rdf` (RSS 1.0); the other fields are as those of `FeedEntry`."""

    type: str
    title: str | None = None
    link: str | None = None
    description: str | None = None
    updated: str | None = None
    entries: tuple[FeedEntry, ...] = ()


class Microdata(Struct, frozen=True):
    """An item of HTML Microdata (HTML Standard §5): an element with `itemscope`.

    `type` and `id` are its `itemtype` and `itemid` as written. `properties` has all values of each `itemprop`, in page
    order: text, an absolute URL, or another item.
    """

    type: str | None = None
    id: str | None = None
    properties: dict[str, tuple["str | Microdata", ...]] = field(default_factory=dict)

    def get(self, name: str) -> "str | Microdata | None":
        """Return the first value of a property; None if there is none."""
        values = self.properties.get(name, ())
        return values[0] if values else None
