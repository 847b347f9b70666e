"""Several page types in one spider: functions by the URLs that they are for."""

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.core.errors import ConfigError
from crawler.web.url_patterns import UrlPatterns

if TYPE_CHECKING:
    from crawler.page.page import Page

__all__ = ["Router", "is_async"]

_Function = TypeVar("_Function", bound="Callable[[Page], Any]")


class Router:
    r"""A spider that leaves each page to the first function whose pattern is found in the page's URL.

        router = Router()

        @router.route(r"/products/\d+$")
        def product(page): ...

        @router.default
        def other(page): ...

    Patterns are regular expressions, searched anywhere in the URL (normal form), in the order in which they were added.
    A page that nothing matches goes to the default function; without one it has no record, and its links are not
    followed. State: the functions, added while the module is imported.
    """

    def __init__(self) -> None:
        self._routes: list[tuple[str, UrlPatterns, Callable[[Page], Any]]] = []
        self._default: Callable[[Page], Any] | None = None

    def __repr__(self) -> str:
        routes = [f"{pattern!r}: {_name(function)}" for pattern, _, function in self._routes]
        if self._default is not None:
            routes.append(f"else {_name(self._default)}")
        return f"<Router {', '.join(routes) or 'without routes'}>"

    def route(self, pattern: str) -> Callable[[_Function], _Function]:
        """Let the function below have pages whose URL this is found in; the function stays as it is.

        May stand several times above one function. Raises `ConfigError` for a pattern that does not compile, and for an
        `async` function.
        """
        try:
            patterns = UrlPatterns((pattern,))
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigError(f"route {pattern!r} is not a valid regular expression: {error}") from error

        def add(function: _Function) -> _Function:
            self._routes.append((pattern, patterns, _checked(function)))
            return function

        return add

    def default(self, function: _Function) -> _Function:
        """Let the function below have the pages that no pattern matches; `ConfigError` if there is one already."""
        if self._default is not None:
            raise ConfigError(f"default {_name(function)}: there is one already, {_name(self._default)}")
        self._default = _checked(function)
        return function

    @property
    def costly(self) -> tuple[tuple[str, str], ...]:
        """Patterns whose search a URL may drag out, each with the reason: see `web.url_patterns`."""
        return tuple(one for _, patterns, _ in self._routes for one in patterns.costly)

    def __call__(self, page: "Page") -> Any:
        """Return what the function for this page returns; None if there is none."""
        for _, patterns, function in self._routes:
            if patterns.found(page.url):
                return function(page)
        return None if self._default is None else self._default(page)


def is_async(function: Any) -> bool:
    """Whether calling a function, a partial one or an object gives something to await, or to go over asynchronously."""
    while hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
        function = function.func
    if not inspect.isroutine(function):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - its kind is asked for, not whether
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _checked(function: _Function) -> _Function:
    if is_async(function):
        raise ConfigError(f"route {_name(function)}: it is an async function; spiders are plain ones")
    return function


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
