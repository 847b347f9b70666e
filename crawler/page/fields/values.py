"""What the text of a field means: a number, a date. Pure; None where it means nothing of the kind, never an error."""

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from crawler.core.dates import MONTHS

__all__ = ["DATE_PARTS", "date_of_parts", "to_date", "to_float", "to_int"]

DATE_PARTS = ("year", "month", "day", "hour", "minute", "second")
"""Names of groups by which a regular expression may say how a date is written; the first three are needed."""

_INT64 = 1 << 63
_MOST_DIGITS = 400

# The first number of a text: three digits to a group (or two and three, as in India), one kind of mark between groups
# and the other before decimals; else digits and one mark. U+2019 is the apostrophe, U+2212 the minus of typesetters;
# the blanks are no-break, narrow no-break and thin space.
_NUMBER = re.compile(
    r"""
    (?: (?<![\w.,\-\u2212]) (?P<minus>[-\u2212]) [^\w\s.,\-\u2212]? )?
    (?:
        (?P<grouped> (?!0)\d{1,3} (?P<mark>[.,'\u2019\x20\xa0\u202f\u2009]) \d{3} (?: (?P=mark) \d{3} )*+ (?!\d) )
        (?: (?!(?P=mark)) [.,] (?P<cents>\d++) )?
        (?! [.,'\u2019]? \d )
      | (?P<lakhs> (?!0)\d{1,2} (?: ,\d{2}(?!\d) )++ ,\d{3} ) (?: \. (?P<paise>\d++) )? (?! [.,]? \d )
      | (?P<whole>\d++) (?: [.,] (?P<fraction>\d++) )?
      | (?<![\w.,]) [.,] (?P<bare>\d++)
    )
    """,
    re.VERBOSE,
)

_CLOCK = (
    r"(?:[T,]?\s*+(?:at\s+)?(?P<hour{0}>\d{{1,2}}):(?P<minute{0}>\d{{2}})(?::(?P<second{0}>\d{{2}})(?:[.,](?P<part{0}>\d{{1,9}}))?)?"
    r"(?:\s?(?P<half{0}>[ap])\.?m\b)?(?:\s?(?P<zone{0}>Z|UTC|GMT|[+\-\u2212]\d{{2}}:?\d{{2}}))?(?!\w))?"
)
_MONTH = (
    r"(?P<month{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])"
)
_DATE_FORMS = (
    # Year first: ISO 8601, RFC 3339 and the like.
    r"(?<!\d)(?P<year{0}>\d{{4}})(?P<mark{0}>[-/.])(?P<month{0}>\d{{1,2}})(?P=mark{0})(?P<day{0}>\d{{1,2}})(?!\d)"
    + _CLOCK,
    # Points: the day is first wherever dates are written so.
    r"(?<!\d)(?<!\d\.)(?P<day{0}>\d{{1,2}})\.\s?(?P<month{0}>\d{{1,2}})\.\s?(?P<year{0}>\d{{4}})(?!\d)" + _CLOCK,
    r"(?<!\d)(?P<day{0}>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?[\s\-.]{{1,2}}"
    + _MONTH
    + r"[.,]?[\s\-]{{0,2}}(?P<year{0}>\d{{4}})(?!\d)"
    + _CLOCK,
    r"\b" + _MONTH + r"\.?\s+(?P<day{0}>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year{0}>\d{{4}})(?!\d)" + _CLOCK,
)
_DATE = re.compile("|".join(form.format(number) for number, form in enumerate(_DATE_FORMS)), re.IGNORECASE)


def to_int(text: str) -> int | None:
    """Return the first number of a text if it is whole and fits into 64 bits; `1.234` is a thousand and more here."""
    number = _number(text, point_groups=True)
    if number is None or number != number.to_integral_value():
        return None
    return int(number) if -_INT64 <= number < _INT64 else None


def to_float(text: str) -> float | None:
    """Return the first number of a text; `1,234` is a thousand and more, `1.234` is little more than one."""
    number = _number(text, point_groups=False)
    value = math.inf if number is None else float(number)
    return value if math.isfinite(value) else None


def to_date(text: str) -> str | None:
    """Return the first date of a text as ISO 8601: `2026-03-05`, with `T10:30:00` and offset if the text has them.

    Read are years first (`2026-03-05`, `2026/3/5`, RFC 3339), days first with points (`5.3.2026`) and English names of
    months (`5 March 2026`, `Mar 5th, 2026`, RFC 9110). Not `03/05/2026`, which is two dates.
    """
    match = _DATE.search(text)
    if match is None:
        return None
    groups = {name.rstrip("0123456789"): value for name, value in match.groupdict().items() if value is not None}
    return date_of_parts(groups)


def date_of_parts(parts: dict[str, str]) -> str | None:
    """Return the date that `DATE_PARTS` give as text, as `to_date` does; None if there is no such day or time.

    A month may be a number or an English name. A year of two digits is from 1969 to 2068, as POSIX has it. `half` may
    be `a` or `p` for times of 12 hours, `part` the decimals of the seconds, `zone` an offset.
    """
    try:
        year = int(parts["year"])
        if len(parts["year"]) < 3:
            year += 1900 if year >= 69 else 2000
        day = date(year, _month(parts["month"]), int(parts["day"]))
        if "hour" not in parts:
            return day.isoformat()
        hour = int(parts["hour"])
        if "half" in parts:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if parts["half"] in "pP" else 0)
        moment = datetime(  # noqa: DTZ001 - without a zone in the text there is none
            day.year, day.month, day.day, hour, int(parts.get("minute", "0")), int(parts.get("second", "0"))
        )
        moment = moment.replace(microsecond=int(f"{parts.get('part', ''):0<6}"[:6]), tzinfo=_zone(parts.get("zone")))
    except (KeyError, ValueError, OverflowError):
        return None
    return moment.isoformat().replace("+00:00", "Z")


def _number(text: str, *, point_groups: bool) -> Decimal | None:
    match = _NUMBER.search(text)
    if match is None:
        return None
    whole, decimals = match["whole"] or "0", match["fraction"] or match["bare"] or ""
    if (grouped := match["grouped"]) is not None:
        mark, decimals = match["mark"], match["cents"] or ""
        whole = grouped.replace(mark, "")
        if mark == "." and not point_groups and not decimals and grouped.count(".") == 1:
            whole, _, decimals = grouped.partition(".")
    elif match["lakhs"] is not None:
        whole, decimals = match["lakhs"].replace(",", ""), match["paise"] or ""
    if len(whole) + len(decimals) > _MOST_DIGITS:
        return None
    number = Decimal(f"{whole}.{decimals}")
    return -number if match["minus"] else number


def _month(text: str) -> int:
    """Return the month of a number or an English name. Raises `ValueError`."""
    return int(text) if text.isdecimal() else MONTHS.index(text[:3].lower()) + 1


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text[0] not in "+-\u2212":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(offset if text[0] == "+" else -offset)
