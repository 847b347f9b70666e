"""Text from outside (URLs, lines of files, names) made fit for a terminal, a log line and an error message."""

__all__ = ["SHOWN_CHARS", "printable"]

SHOWN_CHARS = 100
"""How much of a foreign value an error message shows."""


def printable(text: str, limit: int | None = None) -> str:
    r"""Return `text` on one line, with all that does not print escaped: it cannot steer a terminal or forge a line.

    Control characters, escape sequences, line breaks, bidirectional overrides and lone surrogates become `\x1b`,
    `\u202e` and the like. More than `limit` characters (default None, no limit) are cut there before they are
    escaped, with `…` to show it. Markup of rich is left as it is: nothing in this package is printed with markup on.
    """
    cut = text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
