"""Calling what uses the store, in the words of this package when the disk refuses."""

from collections.abc import Callable
from typing import Any

from crawler.core.refusal import refusal

__all__ = ["storing"]


def storing(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that uses the store, which says what the disk refuses as a bare Exception."""
    try:
        return function(*arguments)
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise refusal("use the store", error, "if it is damaged, --fresh starts the job over") from error
