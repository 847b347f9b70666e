"""Calling what uses the store, in the words of this package when the disk refuses."""

from collections.abc import Callable
from typing import Any, Final

from crawler.core.refusal import refusal

__all__ = ["DAMAGED", "storing"]

DAMAGED: Final = "if it is damaged, --fresh starts the job over"
"""What to do about the store of a job by itself."""


def storing(advice: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that uses the store, which says what the disk refuses as a bare Exception.

    Raises `StorageError` for that, with this `advice`.
    """
    try:
        return function(*arguments)
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise refusal("use the store", error, advice) from error
