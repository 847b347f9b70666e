"""What makes a record out of a line of JSON."""

from collections.abc import Callable
from typing import Any

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.record import Record

__all__ = ["decoder"]

_decode_record = msgspec.json.Decoder(Record).decode
_decode_dict = msgspec.json.Decoder(dict[str, Any]).decode


def decoder(config: CrawlConfig, *, spider: bool = False) -> Callable[[bytes], Any]:
    """Return what makes a `Record` out of a line, or a dict if `fields`, `select` or a spider say what is in it.

    `spider`: whether there is one, although the settings do not name it.
    """
    return _decode_dict if config.fields or config.spider or config.select or spider else _decode_record
