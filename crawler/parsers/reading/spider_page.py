"""What a spider, or fields found by selectors, find in a page: its records, and which of its links are followed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from crawler.core.model import Field
from crawler.core.record import RecordMaker
from crawler.page.page import Page
from crawler.page.values import Follow
from crawler.parsers.reading.findings import Findings, left_out
from crawler.parsers.spiders.encode import RecordError, encode_record, is_record
from crawler.web.readable import is_readable

__all__ = ["SelectorFinder", "SpiderFinder"]


class SpiderFinder:
    """Calls the spider with each page. Of its records all `fields` are written, or these; keeps nothing of them.

    Links that a spider names are followed, however many they are; `page.follow()` means those that the page has, of
    which no more are taken than from any page. With `with_seed` a record has the columns of the page's seed, if there
    are any and it has no `seed` of its own. A spider may ask for `any_status` itself, by its attribute `all_statuses`.
    """

    page = Page

    def __init__(
        self, spider: Callable[[Page], Any], fields: Sequence[str] | None, *, any_status: bool, with_seed: bool
    ) -> None:
        self._spider = spider
        self._fields = fields
        self._with_seed = with_seed
        self.any_status = any_status or bool(getattr(spider, "all_statuses", False))

    def find(self, page: Page, *, noindex: bool) -> Findings:  # noqa: ARG002 - what is indexed, a spider decides
        """Return the records that the spider gives, and the links that it asks for. Raises what the spider raises."""
        follow: list[Follow] = []
        lines = []
        beside = {"seed": page.seed} if self._with_seed and page.seed else {}
        try:
            for value in _values(self._spider(page)):
                if isinstance(value, Follow):
                    follow.append(value)
                else:
                    lines.append(encode_record(value, self._fields, beside))
        except RecordError as error:
            return _unwritten(page, error)
        cut = left_out(page) if any(one.everything for one in follow) else ""
        return Findings(b"".join(lines), _hrefs(page, follow), detail=cut)


class SelectorFinder:
    """Finds the fields that `selectors` describe, beside `fields` of the page's own record. Follows all links."""

    page = Page

    def __init__(self, selectors: tuple[Field, ...], fields: Sequence[str], *, any_status: bool) -> None:
        self._selectors = selectors
        self.any_status = any_status
        self._records = RecordMaker(fields)

    def find(self, page: Page, *, noindex: bool) -> Findings:
        """Return the record of a page, none if a required field is missing, and all links.

        A page that no selector can find anything in, such as an image, has no record, and its reason says so.
        """
        from crawler.page.fields.find import find  # noqa: PLC0415 - not for spiders

        hrefs = () if page.extracted is None else page.extracted.hrefs
        if not page.body or not is_readable(page.sniffed_type or page.content_type):
            return Findings(reason="not markup" if page.body_bytes else "empty")
        values = find(page, self._selectors)
        if isinstance(values, str):
            return Findings(hrefs=hrefs, reason=f"no {values}", detail=left_out(page))
        try:
            record = encode_record({**self._records.record(page, noindex=noindex), **values})
            return Findings(record, hrefs, detail=left_out(page))
        except RecordError as error:
            return _unwritten(page, error)


def _hrefs(page: Page, follow: list[Follow]) -> list[tuple[str, bool]]:
    """Return what is to be followed, each URL once, with what the page says about it."""
    if not follow:
        return []
    own = {} if page.extracted is None else dict(page.extracted.hrefs)
    urls: dict[str, bool] = {}
    for one in follow:
        # One that was made by hand may be in any form.
        for url in own if one.everything else filter(None, map(page.urljoin, one.urls)):
            urls[url] = own.get(url, False)
    return list(urls.items())


def _values(returned: Any) -> Iterator[Any]:
    """Give, one by one, the records and the `Follow`s that a spider returned or yields. None is nothing."""
    several = isinstance(returned, Iterable) and not isinstance(returned, str | bytes | Follow)
    for value in returned if several and not is_record(returned) else (returned,):
        if isinstance(value, list | tuple) and not is_record(value):
            yield from _values(value)
        elif value is not None:
            yield value


def _unwritten(page: Page, error: RecordError) -> Findings:
    return Findings(None, outcome="failed", reason=f"record: {error.reason}", detail=f"{page.url}: {error}")
