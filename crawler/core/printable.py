"""Text from outside (URLs, lines of files, names) made fit for a terminal, a log line and an error message."""

import re

__all__ = ["SHOWN_CHARS", "as_utf8", "printable"]

SHOWN_CHARS = 100
"""How much of a foreign value an error message shows."""

_USERINFO = re.compile(
    r"""
    (?P<start> (?<! [/\\] ) (?: :[/\\]++ | [/\\]{2,}+ ) )   # http://user:secret@host, whatever the scheme
    (?:
        [^/\\?#]* @
        # A password with / ? or # in it ends the host too early: what follows the colon is then no port.
      | [^/\\?#@:\[\s]{0,999} : (?! \d+(?:[/\\?#\s'"]|$) | [/\\] ) \S{1,999} @
    )
  | (?<! [^\s'"`(=,] ) (?! mailto: ) [^\s:/\\@'"`(=,]{1,999} : [^\s/\\@]{0,999} @   # user:secret@host
    """,
    re.VERBOSE | re.IGNORECASE,
)


def as_utf8(path: str) -> str:
    r"""Return a path as text that can be stored: bytes of it that are not UTF-8 become `\udcff` and the like.

    Different paths stay different, but for one that has these six characters in its name.
    """
    return path.encode("utf-8", "backslashreplace").decode()


def printable(text: str, limit: int | None = None) -> str:
    r"""Return `text` on one line, with all that does not print escaped: it cannot steer a terminal or forge a line.

    Control characters, escape sequences, line breaks, bidirectional overrides and lone surrogates become `\x1b`,
    `\u202e` and the like. More than `limit` characters (default None, no limit) are cut there before they are
    escaped, with `…` to show it. Markup of rich is left as it is: nothing in this package is printed with markup on.

    The user name and password of a URL become `…`, also of one that is malformed or lacks its scheme.
    """
    if "@" in text:
        text = _USERINFO.sub(lambda match: f"{match['start'] or ''}…@", text)
    cut = text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
