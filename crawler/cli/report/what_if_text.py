"""What other settings would have done to a job, on one screen. Pure."""

from collections.abc import Iterator

from crawler.core.printable import printable
from crawler.core.quantity import count, duration, size
from crawler.planning.what_if import WhatIf

__all__ = ["what_if_lines"]

_SHOWN_CHARS = 60


def what_if_lines(found: WhatIf) -> Iterator[str]:
    """Give the lines that tell it."""
    changes = " ".join(printable(f"{name} {value}") for name, value in found.changes.items())
    yield _fact("job", f"{printable(found.job)}, as it would be with {changes}")
    kept = count(found.kept) + (f" to {count(found.most_kept)}" if found.most_kept > found.kept else "")
    yield _fact("pages", f"{kept} of {count(found.pages)} would be kept")
    out = sum(rule.urls for rule in found.left_out)
    yield _fact("left out", f"{count(out)} of {count(found.urls)} URLs that were asked for or are due")
    for rule in found.left_out:
        yield from _rule(rule.rule, rule.urls, rule.examples)
    if found.behind.urls:
        yield _fact(
            "behind", f"at most {count(found.behind.urls)} more, found on such pages: others may lead there, too"
        )
        yield from _rule("", 0, found.behind.examples)
    admitted = sum(rule.urls for rule in found.admitted)
    if admitted:
        yield _fact("admitted", f"{count(admitted)} that were skipped then, and what they lead to, which nobody knows")
        for rule in found.admitted:
            yield from _rule(rule.rule, rule.urls, rule.examples)
    yield _fact("time", f"about {duration(found.kept_seconds)} of {duration(found.seconds)}")
    yield _fact("bytes", f"about {size(found.kept_bytes)} of {size(found.bytes)}")


def _rule(rule: str, urls: int, examples: tuple[str, ...]) -> Iterator[str]:
    if rule:
        yield _fact("", f"{count(urls)} {printable(rule)}")
    for url in examples:
        yield _fact("", f"  {printable(url, _SHOWN_CHARS)}")


def _fact(name: str, text: str) -> str:
    return f"{name:<11}{text}"
