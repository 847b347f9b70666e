"""The figures of a crawl sent to an OpenTelemetry collector, as the variables of OpenTelemetry say (extra `otel`).

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and .../protocol/exporter/: the SDK
itself reads where to send (OTEL_EXPORTER_OTLP_ENDPOINT), how often (OTEL_METRIC_EXPORT_INTERVAL), which headers, what
the service is called. Here stands only whether anything is sent.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from crawler.core.errors import ConfigError
from crawler.core.extras import needed
from crawler.core.figures import FIGURES, Figure
from crawler.core.sample import Sample

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

__all__ = ["OtlpExport", "is_asked_for"]

_log = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_UNITS: Final = {"seconds": "s", "bytes": "By", "": "1"}
_PURPOSE: Final = "sending metrics by OpenTelemetry, as OTEL_EXPORTER_OTLP_ENDPOINT says,"
_FRESH_S: Final = 0.05
"""One collection asks for all figures one after the other: they are to be of one sample."""
_LAST_MS: Final = 5_000
"""How long the end of a crawl waits for the last figures to be taken."""


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the variables of OpenTelemetry say that metrics are to be sent, and in a way that is known here."""
    if not any(environment.get(name) for name in _ENDPOINTS):
        return False
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_METRICS_EXPORTER", "otlp") != "otlp":
        return False
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        _log.warning("no metrics are sent: the variables ask for %s, and only http/protobuf is known", protocol)
        return False
    return True


class OtlpExport:
    """Sends the figures of `look()`, which is called in a thread of the SDK. All methods may block for a while.

    State: the provider between `start` and `close`; the last sample and when it was taken, under the lock.
    """

    def __init__(self, look: Callable[[], Sample]) -> None:
        self._look = look
        self._provider: MeterProvider | None = None
        self._lock = threading.Lock()
        self._sample: Sample | None = None
        self._taken_at = 0.0

    def start(self) -> None:
        """Send from now on. Without the packages of the extra the log says so, once, and nothing is sent."""
        try:
            exporter = needed("opentelemetry.exporter.otlp.proto.http.metric_exporter", "otel", _PURPOSE)
            sdk = needed("opentelemetry.sdk.metrics", "otel", _PURPOSE)
            export = needed("opentelemetry.sdk.metrics.export", "otel", _PURPOSE)
        except ConfigError as error:
            _log.warning("%s", error)  # the variables may be meant for other programs: no reason to end a crawl
            return
        # Names of a service, intervals, headers and certificates: all from the variables.
        reader = export.PeriodicExportingMetricReader(exporter.OTLPMetricExporter())
        self._provider = sdk.MeterProvider([reader], shutdown_on_exit=False)
        meter = self._provider.get_meter("crawler")
        for figure in FIGURES:
            make = meter.create_observable_counter if figure.kind == "counter" else meter.create_observable_gauge
            make(figure.name, [self._observed(figure)], unit=_UNITS[figure.unit], description=figure.help)

    def close(self) -> None:
        """Send the last figures and end; waits a few seconds for a collector that does not answer."""
        if self._provider is None:
            return
        with self._lock:
            self._sample = None
        try:
            self._provider.shutdown(_LAST_MS)
        except Exception as error:  # noqa: BLE001 - what a collector does is no reason for a crawl to fail
            _log.warning("the last metrics were not sent: %s", error)

    def _observed(self, figure: Figure) -> Callable[[Any], Iterable[Any]]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - an extra

        def observe(_options: Any) -> Iterable[Any]:
            return [Observation(value, dict(labels)) for labels, value in figure.values(self._now())]

        return observe

    def _now(self) -> Sample:
        with self._lock:
            if self._sample is None or time.monotonic() - self._taken_at > _FRESH_S:
                self._sample = self._look()
                self._taken_at = time.monotonic()
            return self._sample
