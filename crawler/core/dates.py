"""Dates and times as text: what those in HTTP headers have in common, and how records write them."""

import calendar
from datetime import UTC, datetime
from typing import Final

__all__ = ["MONTHS", "rfc3339", "unix_time"]

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""Their names, in lower case and in order."""


def unix_time(year: int, month: int, day: int, clock: tuple[int, int, int]) -> float | None:
    """Return the unix time of a date in UTC, None if there is no such date.

    `month` is from 1 to 12, `clock` hour, minute and second, of which 60 is a leap one.
    """
    hour, minute, second = clock
    if not 1 <= year <= 9999 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return float(calendar.timegm((year, month, day, hour, minute, second)))


def rfc3339(unix_time_s: float) -> str:
    """Return a time as records have it: `2026-11-22T16:20:00.125Z`."""
    return datetime.fromtimestamp(unix_time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
