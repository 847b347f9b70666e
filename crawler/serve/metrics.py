"""The figures of a crawl as Prometheus takes them, at `/metrics` on this machine.

Two formats, as the Accept header asks: the text format 0.0.4, and OpenMetrics 1.0, which Prometheus prefers. Written
here and not by `prometheus_client`, which docs/dependencies.md weighs; the tests read it with that one.
"""

import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from crawler.core.figures import FIGURES, Figure, Labels
from crawler.core.sample import Sample
from crawler.serve.server import LocalServer, listen

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["USUAL_PORT", "MetricsServer", "as_text", "listen_for_metrics"]

USUAL_PORT: Final = 9464
"""That of OpenTelemetry's exporter for Prometheus."""
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPEN: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_INDEX: Final = "A crawl's metrics are at /metrics.\n"


def listen_for_metrics(port: int | bool) -> socket.socket:
    """Bind the port of a setting. Raises `ConfigError` if it cannot be had."""
    return listen("metrics", port, USUAL_PORT)


class MetricsServer:
    """Answers with the figures of `look()`, taken when somebody asks. State: that of its server."""

    def __init__(self, listener: socket.socket, look: Callable[[], Sample]) -> None:
        self._look = look
        self._server = LocalServer(listener, {("GET", "/metrics"): self._metrics, ("GET", "/"): self._index})

    @property
    def port(self) -> int:
        """The port that it answers at."""
        return self._server.port

    @property
    def address(self) -> str:
        """The URL that a scraper asks for."""
        return f"{self._server.address}metrics"

    async def start(self) -> None:
        """Answer from now on."""
        await self._server.start()

    async def close(self) -> None:
        """Answer nobody any more. Safe to call without `start`."""
        await self._server.close()

    async def _metrics(self, request: "web.BaseRequest") -> "web.Response":
        from aiohttp import web  # noqa: PLC0415 - a fifth of a second, which only a crawl that is looked at should pay

        is_open = "application/openmetrics-text" in request.headers.get("Accept", "")
        body = as_text(self._look(), is_open=is_open).encode()
        return web.Response(body=body, headers={"Content-Type": _OPEN if is_open else _TEXT})

    async def _index(self, _request: "web.BaseRequest") -> "web.Response":
        from aiohttp import web  # noqa: PLC0415 - as above

        return web.Response(text=_INDEX)


def as_text(sample: Sample, *, is_open: bool) -> str:
    """Return all figures of a sample in the text format, or in that of OpenMetrics."""
    lines = [line for figure in FIGURES for line in _lines(figure, sample, is_open=is_open)]
    return "\n".join([*lines, "# EOF", ""] if is_open else [*lines, ""])


def _lines(figure: Figure, sample: Sample, *, is_open: bool) -> Iterator[str]:
    name = f"{figure.name}_total" if figure.kind == "counter" else figure.name
    described = figure.name if is_open else name  # of a counter, OpenMetrics describes the name without _total
    yield f"# HELP {described} {_escaped(figure.help, is_open=is_open)}"
    yield f"# TYPE {described} {figure.kind}"
    if is_open and figure.unit:
        yield f"# UNIT {described} {figure.unit}"
    for labels, value in figure.values(sample):
        yield f"{name}{_labelled(labels)} {_number(value)}"


def _labelled(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value, is_open=True)}"' for name, value in labels) + "}"


def _escaped(text: str, *, is_open: bool) -> str:
    """Escape a label's value, or a help text: quotes only where the format has them escaped."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if is_open else text


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9g}"
