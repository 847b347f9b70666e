"""Retry-After: the host that sends it waits, the others do not."""

import email.utils
import time

from tests.hostile.registry import behaviour

BOUNDED = "that host waits, bounded (1 h); others do not"


def _bounded(seen):
    assert seen.stats.ended == "max-time"
    assert seen.due_at is not None
    assert 600 < seen.due_at - time.time() <= 3600


async def then_well(ask, retry_after: str, status: int = 429):
    """Say so once, then answer."""
    if ask.number == 1:
        await ask.answer("", f"Retry-After: {retry_after}", status=status)
    else:
        await ask.page(title="well")


def gap_s(seen) -> float:
    first, second = (one["at"] for one in seen.asked if one["path"] == "/")
    return second - first


def waited(at_least_s: float):
    def check(seen):
        assert gap_s(seen) >= at_least_s, gap_s(seen)

    return check


def well(does: str, least_s: float):
    return behaviour(
        row=38,
        does=does,
        must=BOUNDED,
        expects={"/": "fetched"},
        records={"/": {"title": "well"}},
        check=waited(least_s),
    )


@well("429 with Retry-After in seconds", 1.9)
async def retry_seconds(ask):
    await then_well(ask, "2")


@well("503 with Retry-After as a date", 1.0)
async def retry_date(ask):
    await then_well(ask, email.utils.formatdate(time.time() + 3, usegmt=True), 503)


@well("Retry-After that is junk: ordinary back-off", 0.0)
async def retry_junk(ask):
    await then_well(ask, "soon; or 1e9 \x01 -5")


@well("Retry-After with a date long past: ordinary back-off", 0.0)
async def retry_past(ask):
    await then_well(ask, "Thu, 01 Jan 1970 00:00:00 GMT")


LONG = {"max_time_s": 7.0}


def waits(does: str):
    return behaviour(
        row=38,
        does=does,
        must=BOUNDED,
        settings=LONG,
        expects={"/": "waits"},
        check=_bounded,
        shows="due again after an hour at most; the crawl ends by its own limits",
    )


@waits("429 with Retry-After: 10⁹")
async def retry_for_ever(ask):
    await then_well(ask, "1000000000")


@waits("503 with Retry-After of 400 digits")
async def retry_digits(ask):
    await then_well(ask, "9" * 400, 503)


@waits("429 with a date in the year 9999")
async def retry_year_9999(ask):
    await then_well(ask, "Fri, 31 Dec 9999 23:59:59 GMT")
