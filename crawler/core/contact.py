"""How whoever runs a crawl can be reached: what may stand there, and how a User-Agent says it. Pure."""

import re
from typing import Any, Final

from msgspec.structs import replace

from crawler.core.setting_kinds import TEXT, MistakeError

__all__ = ["CONTACT", "has_contact", "introduced"]

_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_URL: Final = re.compile(r"https?://[!#-'*-;=?-\[\]-~]+", re.IGNORECASE)  # no blank, quote, parenthesis, < > or \
_REACHED: Final = re.compile(r"@|https?://|\bwww\.", re.IGNORECASE)


def has_contact(user_agent: str) -> bool:
    """Whether a User-Agent says by itself how somebody can be reached: a mail address or a page."""
    return _REACHED.search(user_agent) is not None


def introduced(user_agent: str, contact: str | None) -> str:
    """Return the User-Agent with the contact behind it, as crawlers have it: `crawler/1.0 (+mailto:me@example.org)`."""
    if contact is None or contact in user_agent:
        return user_agent
    return f"{user_agent} (+{contact if _URL.fullmatch(contact) else f'mailto:{contact}'})".lstrip()


def _check(value: Any) -> None:
    if value is not None and not _MAIL.fullmatch(value) and not _URL.fullmatch(value):
        raise MistakeError(f"expected a mail address or an http(s) URL in ASCII, not {value!r}")


CONTACT: Final = replace(TEXT, expects="a mail address or an http(s) URL", metavar="MAIL|URL", check=_check)
