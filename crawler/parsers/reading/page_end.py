"""How a page ends that is parsed, whatever its parsing does: the same in a parser process and in this one."""

from contextlib import suppress

from msgspec import structs

from crawler.core.model import Done, Download
from crawler.parsers.reading.reader import PageReader, Parse
from crawler.parsers.reading.whole_body import with_small_body, with_whole_body
from crawler.web.content_coding import CodingError

__all__ = ["page_end"]


def page_end(
    download: Download,
    reader: PageReader,
    parse: Parse,
    *,
    through: tuple[type[BaseException], ...] = (MemoryError,),
    large: bool = True,
) -> Done | None:
    """Return what `parse` makes of a download, or how its page fails: as `parser-error: <name of the exception>`.

    Its body is decoded before; a page of which that cannot be done ends as `failed: encoding`. Unless it may be
    `large`, None if it shows to be. An exception of the kinds `through` is no matter of the page, and is raised.
    """
    try:
        whole = with_whole_body(download) if large else with_small_body(download)
        if whole is None:
            return None
        download = whole
        del whole
        done: object = parse(download, reader)
        if isinstance(done, Done) and done.key == download.task.key:
            return _archived(structs.replace(done, attempt=download.attempt), download, reader)
    except through:
        raise
    except CodingError as error:
        detail = f"{download.task.url}: {error}"
        return Done(download.task.key, "failed", "encoding", detail=detail, attempt=download.attempt)
    except BaseException as error:  # noqa: BLE001 - one bad page is one failed URL, whatever is wrong with it
        from crawler.parsers.spiders.mishap import mishap  # noqa: PLC0415 - not before something goes wrong

        # Only the kind: a message may hold anything that the page holds.
        why, detail = type(error).__name__, mishap(error)
    else:
        why, detail = "TypeError", "what parsed the page returned something else than how it ends"
    reason = f"parser-error: {why}"
    task, answer = download.task, download.answer
    failed = Done(
        task.key,
        "failed",
        reason,
        answer.status,
        body_bytes=answer.body_bytes,
        detail=f"{task.url}: {detail}",
        attempt=download.attempt,
    )
    with suppress(Exception):  # what keeps a page from being read may keep it from being packed
        return _archived(failed, download, reader)
    return failed


def _archived(done: Done, download: Download, reader: PageReader) -> Done:
    if not reader.settings.archive:
        return done
    from crawler.web.warc import archived  # noqa: PLC0415 - most crawls need it not

    return archived(done, download)
