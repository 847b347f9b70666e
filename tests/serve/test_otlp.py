"""Metrics sent to an OpenTelemetry collector: a small server that reads what the SDK sends."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from crawler.core.figures import FIGURES
from crawler.serve.otlp import is_asked_for
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.servers import Answer, LocalServer, html

PAGES = 12


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.got.append((self.path, dict(self.headers), ExportMetricsServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def collector():
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def commands(tmp_path):
    line = CommandLine(tmp_path)
    yield line
    line.close()


@pytest.fixture
def site():
    links = [f"/{number}" for number in range(PAGES)]
    with LocalServer(lambda _host, path: Answer(html(*links), status=404 if path == "/robots.txt" else 200)) as server:
        yield server


def points(request: ExportMetricsServiceRequest) -> dict[tuple[str, tuple[str, ...]], float]:
    found = {}
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                data = metric.sum if metric.HasField("sum") else metric.gauge
                for point in data.data_points:
                    labels = tuple(attribute.value.string_value for attribute in point.attributes)
                    found[metric.name, labels] = point.as_int or point.as_double
    return found


def test_a_collector_gets_the_same_figures_and_the_last_ones_at_the_end(commands, site, collector):
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=me",
        "OTEL_SERVICE_NAME": "my-crawl",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
    }
    process = commands.start("crawl", site.url("/"), "--job", "job", *POLITE_ENOUGH, "--quiet", env=environment)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    path, headers, last = collector.got[-1]
    assert (path, headers["x-tenant"]) == ("/v1/metrics", "me")
    found = points(last)
    assert found["crawler_pages", ()] == PAGES + 1
    assert found["crawler_urls_ended", ("fetched", "")] == PAGES + 1
    named = {name for name, _ in found}
    always = {figure.name for figure in FIGURES} - {"crawler_limited_by"}
    assert always <= named | {figure.name for figure in FIGURES if not figure.labels}  # zeros read as absent above
    assert {a.value.string_value for a in last.resource_metrics[0].resource.attributes if a.key == "service.name"} == {
        "my-crawl"
    }
    kinds = {metric.name: metric for scope in last.resource_metrics[0].scope_metrics for metric in scope.metrics}
    assert kinds["crawler_pages"].sum.is_monotonic
    assert kinds["crawler_received_bytes"].unit == "By"


@pytest.mark.thorough
def test_without_the_extra_or_without_a_collector_the_crawl_goes_on_and_says_so(commands, site):
    broken = commands.folder / "broken/opentelemetry"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ModuleNotFoundError('No module', name='opentelemetry')\n")
    nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    command = ["crawl", site.url("/"), "--job", "job", *POLITE_ENOUGH, "--fresh", "--log-level", "warning"]
    from tests.support.commands import ROOT

    process = commands.start(*command, env=nobody | {"PYTHONPATH": f"{broken.parent}:{ROOT}"})
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.count("OTEL_EXPORTER_OTLP_ENDPOINT") == 1
    assert "pip install opentelemetry" in err
    process = commands.start(*command, env=nobody)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x", "OTEL_METRICS_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_METRICS_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, False),
    ],
)
def test_the_variables_of_opentelemetry_decide(variables, asked):
    assert is_asked_for(variables) is asked
