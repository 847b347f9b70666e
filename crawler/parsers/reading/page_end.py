"""How a page ends that is parsed, whatever its parsing does: the same in a parser process and in this one."""

from contextlib import suppress
from pathlib import Path

import msgspec

from crawler.core.model import Done, Download
from crawler.parsers.reading.parse import Parse, ParserState

__all__ = ["page_end"]


def page_end(page: Download, state: ParserState, parse: Parse, through: type[BaseException] = MemoryError) -> Done:
    """Return what `parse` makes of a page, or how the page fails: as `parser-error: <name of the exception>`.

    An exception of the kind `through` is no matter of the page, and is raised.
    """
    try:
        page = _with_body(page)
        done: object = parse(page, state)
        if isinstance(done, Done) and done.key == page.key:
            return _archived(done, page, state)
    except through:
        raise
    except BaseException as error:  # noqa: BLE001 - one bad page is one failed URL, whatever is wrong with it
        from crawler.parsers.spiders.mishap import mishap  # noqa: PLC0415 - not before something goes wrong

        # Only the kind: a message may hold anything that the page holds.
        why, detail = type(error).__name__, mishap(error)
    else:
        why, detail = "TypeError", "what parsed the page returned something else than how it ends"
    reason = f"parser-error: {why}"
    failed = Done(page.key, "failed", reason, page.status, None, (), page.body_bytes, detail=f"{page.url}: {detail}")
    with suppress(Exception):  # what keeps a page from being read may keep it from being packed
        return _archived(failed, page, state)
    return failed


def _with_body(page: Download) -> Download:
    """Give a large page back the body that came in a file."""
    if not page.body_file:
        return page
    return msgspec.structs.replace(page, body=Path(page.body_file).read_bytes(), body_file="")


def _archived(done: Done, page: Download, state: ParserState) -> Done:
    if not state.settings.archive:
        return done
    from crawler.web.warc import archived  # noqa: PLC0415 - most crawls need it not

    return archived(done, page)
