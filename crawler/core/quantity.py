"""Numbers as people read them on a terminal."""

__all__ = ["count", "count_of", "duration", "rate", "share", "short_count", "size"]

_OF_ONE = {"are": "is", "have": "has", "wait": "waits", "were": "was"}


def count(number: int) -> str:
    """Return a whole number with thousands separators: `12,345`."""
    return f"{number:,}"


def count_of(number: int, noun: str, verb: str = "") -> str:
    """Return how many of something there are, with a verb that goes with it: `1 URL is`, `12,345 URLs are`.

    The noun takes an s in the plural. The verb is named in the plural, `are` or `have`.
    """
    if number == 1:
        return f"1 {noun} {_OF_ONE[verb]}" if verb else f"1 {noun}"
    return f"{count(number)} {noun}s {verb}" if verb else f"{count(number)} {noun}s"


def short_count(number: int, width: int) -> str:
    """`count(number)` if that fits into `width` characters, else shortened: `123k`, `1.2M`, `34G`."""
    full = count(number)
    if len(full) <= width:
        return full
    for divisor, unit in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G"), (1_000_000_000_000, "T")):
        if number < divisor * 999.5:
            scaled = number / divisor
            return f"{scaled:.1f}{unit}" if scaled < 9.95 and width >= 4 else f"{scaled:.0f}{unit}"
    return full


def size(number: float) -> str:
    """Return bytes in decimal units, as the sizes of the options are: `512 B`, `21.3 MB`."""
    if number < 999.5:
        return f"{number:.0f} B"
    for divisor, unit in ((1e3, "kB"), (1e6, "MB"), (1e9, "GB")):
        if number < divisor * 999.5:
            scaled = number / divisor
            return f"{scaled:.1f} {unit}" if scaled < 99.95 else f"{scaled:.0f} {unit}"
    return f"{number / 1e12:,.1f} TB"


def rate(per_s: float) -> str:
    """Return a number per second with about three digits: `0.25`, `16.4`, `1,234`."""
    if per_s >= 99.95:
        return f"{per_s:,.0f}"
    if per_s >= 9.995:
        return f"{per_s:.1f}"
    return f"{per_s:.2f}"


def share(part: float) -> str:
    """Return a part of 1 as a percentage: `81 %`."""
    return f"{part * 100:.0f} %"


def duration(seconds: float) -> str:
    """Return seconds in their two largest units: `0.4 s`, `34 s`, `12 min 34 s`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for big, big_name, small, small_name in ((60, "min", 1, "s"), (3_600, "h", 60, "min"), (86_400, "d", 3_600, "h")):
        if whole < big * (60 if big < 3_600 else 24) or big == 86_400:
            rest = whole % big // small
            return f"{whole // big:,} {big_name}" + (f" {rest} {small_name}" if rest else "")
    raise AssertionError(seconds)
