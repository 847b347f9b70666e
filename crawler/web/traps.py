"""Traps: URLs that a site makes up without end. Pure, and linear in the length of a URL.

Two signs are looked at here. One is in a URL by itself: the same thing again and again (`repeats`), as a wrong relative
link makes it. The other is in a row of URLs: a calendar's next month, a page 2 of a page 2, a link with a fresh
identifier. For these a URL has a *pattern*: what is left of it when all that counts, dates or identifies is replaced by
`#`. Pages in a row that share a pattern are a chain, and the crawl ends a chain that grows too long.

Replaced are, in this order:

1. names of months and weekdays, in full in English, Dutch, French, German, Italian, Portuguese and Spanish, and the
   English abbreviations of three letters; only where there is a digit as well, because a calendar without a year ends;
2. UUIDs (RFC 9562 §4);
3. runs of letters, digits, `-` and `_` that look like base64url (RFC 4648 §5): at least 16 characters, at most one word
   of three or more letters between separators, and a change between letters and digits, or from lower to upper case,
   at more than a sixth of them;
4. words of letters and digits with a digit: hexadecimal ones of at least 8 characters, ones of at least 16, and ones of
   at least 10 with three such changes;
5. runs of digits.

What stands next to each other becomes one `#`.

What stands in a percent-escape counts as no digit: a page with a name in Cyrillic has no number in it.
"""

import re
from collections import Counter

__all__ = ["MAX_REPEATS", "alike", "is_dated", "is_fixed", "pattern", "repeats", "shape"]

MAX_REPEATS = 3
"""How often a block of path segments may stand in a row, and a query parameter with one value in a query."""

# Bounds the work for the one part that is not quite linear. No honest path is so long.
_SEGMENTS_LOOKED_AT = 1_000
_LONG_TOKEN_CHARS = 16
_SHORT_TOKEN_CHARS = 10
_SHORT_TOKEN_CHANGES = 3
_HEX_CHARS = 8

# Digits that are not in an escape. The looks around come second, so that the search for a digit is a fast one.
_DIGITS = re.compile(r"[0-9](?!(?<=%[0-9])[0-9A-Fa-f])(?<!%[0-9A-Fa-f][0-9])[0-9]*+")
# A letter beside a collapsed digit: without one there can be no identifier.
_NUMBER = re.compile("[0-9]+")
_MIXED = re.compile(r"#(?:[A-Za-z]|(?<=[A-Za-z]#))")
# A run that holds a digit, from its start on: behind a character that may not be in one, or behind a whole escape.
_RUN = re.compile(
    r"(?:(?<![A-Za-z0-9_-])(?!(?<=%)[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2}))[A-Za-z_-]*+[0-9][A-Za-z0-9_-]*+"
)
_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]*+[0-9][A-Za-z0-9]*+")
_SLUG_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][a-z]{2,}(?![A-Za-z0-9])")
_UUID = re.compile(r"(?<![A-Za-z0-9])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![A-Za-z0-9])")
_DATE_AT_END = re.compile(r"(?<![0-9])[0-9]{4}([-/_.]?)(?:0[1-9]|1[0-2])(?:\1(?:[0-2][0-9]|3[01]))?(?:\.html?)?/?$")
_FOUR_EQUAL = re.compile(r"(?=(.)\1\1\1)", re.DOTALL)
_HEX = re.compile(r"[0-9A-Fa-f]+")
_CHANGE = re.compile(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])|[a-z](?=[A-Z])")
_MARKS = re.compile("##+")
_LETTERS = re.compile(r"[A-Za-z]+")
_NAMES = frozenset(
    _LETTERS.findall(
        """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep oct nov dec sept
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
    januar februar maerz marz mai juni juli oktober dezember
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
    janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre
    lundi mardi mercredi jeudi vendredi samedi dimanche
    enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre
    lunes martes miercoles jueves viernes sabado domingo
    gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
    lunedi martedi mercoledi giovedi venerdi domenica
    janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro
    segunda terca quarta quinta sexta
    januari februari maart mei augustus
    maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
    """
    )
)


def repeats(url: str) -> bool:
    """Whether a URL in normal form repeats itself more than `MAX_REPEATS` times. Never raises.

    That is a path in which a block of one or more segments stands more often in a row (`/a/b/a/b/a/b/a/b`), or a query
    in which a parameter stands more often with the same value, wherever. Empty segments count, empty parameters do not.
    Of a path, the first 1,000 segments are looked at.
    """
    path, _, query = url.partition("?")
    # Most URLs end here: too little in them for a repetition, or nothing that stands in them more than three times.
    if path.count("/") > MAX_REPEATS + 2:
        segments = path.split("/", _SEGMENTS_LOOKED_AT + 3)[3 : _SEGMENTS_LOOKED_AT + 3]
        if len(segments) - len(set(segments)) >= MAX_REPEATS and _has_power(segments):
            return True
    if query.count("&") >= MAX_REPEATS:
        parameters = query.split("&")
        if len(parameters) - len(set(parameters)) >= MAX_REPEATS:
            return any(count > MAX_REPEATS for parameter, count in Counter(parameters).items() if parameter)
    return False


def pattern(url: str) -> str:
    """Return a URL in normal form with `#` for what counts, dates or identifies (see the module). Never raises.

    Two URLs with equal patterns are the same page for another number, day or name. A pattern is its own pattern.
    """
    start = _start_of_path(url)
    return _collapsed(url[:start]) + _collapsed(url[start:])


def alike(one: str, other: str) -> bool:
    """Whether two URLs in normal form are the same page for another number, day or name. Never raises.

    What has nothing in it that counts looks like nothing else. A slash at the end makes no difference, since it is what
    many servers redirect by.
    """
    return not is_fixed(other) and pattern(one).rstrip("/") == pattern(other).rstrip("/")


def is_dated(url: str) -> bool:
    """Whether a URL ends in the year and month of a date, with or without its day. Never raises."""
    return _DATE_AT_END.search(url) is not None


def is_fixed(url: str) -> bool:
    """Whether `pattern` leaves path and query of a URL in normal form as they are. Never raises.

    The host does not count: on `www2.example` and 127.0.0.1, too, there are pages without a number.
    """
    return _DIGITS.search(url, _start_of_path(url)) is None


def shape(url: str) -> str:
    """Return what a URL in normal form has in common with others of its kind on its host. Never raises.

    That is the first folder of its path without numbers, how many segments there are, the ending, and the names of its
    parameters in any order, each once.
    """
    path, _, query = url[_start_of_path(url) :].partition("?")
    segments = path.split("/")
    folder = _NUMBER.sub("#", segments[1]) if len(segments) > 2 else ""
    ending = segments[-1].rpartition(".")[2] if "." in segments[-1] else ""
    names = sorted({parameter.partition("=")[0] for parameter in query.split("&")}) if query else ()
    return f"{folder}/{len(segments)}.{ending}?{'&'.join(names)}"


def _start_of_path(url: str) -> int:
    start = url.find("/", len("https://"))
    return start if start >= 0 else len(url)


def _has_power(segments: list[str]) -> bool:
    """Whether a block stands more than `MAX_REPEATS` times in a row.

    A block of n segments does where 3n segments in a row each equal the one n places further on. Any 3n places hold
    three multiples of n next to each other, so only multiples are tried: m/n for m segments, m log m over all n. Where
    one of them begins such a stretch, four multiples are equal, which a regular expression finds.
    """
    numbers = {segment: number for number, segment in enumerate(dict.fromkeys(segments))}
    # One character a segment: so the work is done by the machine.
    text = "".join([chr(numbers[segment]) for segment in segments])
    backwards = text[::-1]
    for size in range(1, len(text) // (MAX_REPEATS + 1) + 1):
        for match in _FOUR_EQUAL.finditer(text[::size]):
            at = match.start() * size
            ahead = _common(text, at, at + size, MAX_REPEATS * size)
            if ahead < (MAX_REPEATS - 1) * size:
                continue
            behind = _common(backwards, len(text) - at, len(text) - at - size, MAX_REPEATS * size - ahead)
            if ahead + behind >= MAX_REPEATS * size:
                return True
    return False


def _common(text: str, first: int, second: int, limit: int) -> int:
    """Return how many characters from `first` on equal those from `second` on, at most `limit`.

    Looks twice as far after each success and half as far after a failure, so it costs no more than what is equal.
    """
    limit = min(limit, len(text) - max(first, second))
    known, step = 0, 4
    while known < limit and step:
        here = min(step, limit - known)
        if text[first + known : first + known + here] == text[second + known : second + known + here]:
            known += here
            step *= 2
        else:
            step //= 2
    return known


def _collapsed(text: str) -> str:
    digits = _DIGITS.sub("#", text)
    if digits == text:
        return text
    if _MIXED.search(digits):
        digits = _RUN.sub(_collapsed_run, text)
    if _NAMES.isdisjoint(_LETTERS.findall(digits.lower())):
        return digits
    return _MARKS.sub("#", _LETTERS.sub(_collapsed_name, digits))


def _collapsed_name(match: re.Match[str]) -> str:
    return "#" if match[0].lower() in _NAMES else match[0]


def _collapsed_run(match: re.Match[str]) -> str:
    """Return a run of letters, digits, `-` and `_` that holds a digit with what identifies replaced: rules 2 to 5."""
    run = match[0]
    digits = _DIGITS.sub("#", run)
    if len(run) < _HEX_CHARS or not _MIXED.search(digits):
        return digits
    run = _UUID.sub("#", run)
    if len(run) >= _LONG_TOKEN_CHARS and len(_SLUG_WORD.findall(run)) <= 1 and 6 * len(_CHANGE.findall(run)) > len(run):
        return "#"
    return _WORD.sub(_collapsed_word, run)


def _collapsed_word(match: re.Match[str]) -> str:
    word = match[0]
    if (
        len(word) >= _LONG_TOKEN_CHARS
        or (len(word) >= _HEX_CHARS and _HEX.fullmatch(word))
        or (len(word) >= _SHORT_TOKEN_CHARS and len(_CHANGE.findall(word)) >= _SHORT_TOKEN_CHANGES)
    ):
        return "#"
    return _DIGITS.sub("#", word)
