"""Dates in HTTP headers (RFC 9110 §5.6.7). Pure."""

import re
from typing import Final

from crawler.core.dates import MONTHS, unix_time

__all__ = ["http_date"]

_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# RFC 9110 §5.6.7: IMF-fixdate, RFC 850 date, asctime date. Day names are not compared: only the date counts.
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"[a-z]{{3}}, (?P<day>[0-9]{{1,2}}) (?P<month>[a-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} (?:GMT|UTC)",
        rf"[a-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[a-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} (?:GMT|UTC)",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_YEAR_S: Final = 365.25 * 86_400


def http_date(text: str, now: float) -> float | None:
    """Return the unix time of a date in any of the three forms that a header may have; None if it is none.

    `now` is unix time in seconds. Never raises.
    """
    match = next((match for date in _DATES if (match := date.fullmatch(text))), None)
    if match is None or match["month"].lower() not in MONTHS:
        return None
    month = MONTHS.index(match["month"].lower()) + 1
    year, day, hour, minute, second = (int(match[part]) for part in ("year", "day", "hour", "minute", "second"))
    if len(match["year"]) == 2:
        # RFC 9110 §5.6.7: the last year with these digits that is not more than 50 years ahead.
        latest = 1970 + now / _YEAR_S + 50 - (month - 1) / 12
        year += int((latest - year) // 100) * 100
    return unix_time(year, month, day, (hour, minute, second))
