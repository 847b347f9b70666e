"""The demo server as a process of its own, for as long as a `with` block."""

import subprocess
from types import TracebackType
from typing import Self

from crawler.cli.demo.server import PORT_TAKEN
from crawler.core.errors import CrawlerError, UsageError
from crawler.core.interpreter import python, same_imports

__all__ = ["DemoServer"]


class DemoServer:
    """Serves the demo site on 127.0.0.1 from a child process while the `with` block runs.

    `port` 0 picks a free one; inside the block `port` is the one in use. Each answer comes `latency_s` late. The child
    ends with the block, and also when this process dies, however it does: it waits for the end of a pipe that only
    this process holds open.

    Raises `UsageError` if the port is taken, `CrawlerError` if the server does not start.
    """

    def __init__(self, port: int = 0, latency_s: float = 0.0) -> None:
        self.port = port
        self._latency_s = latency_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None outside the `with` block."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        command = python("-m", "crawler.cli.demo.server", "--child", "--port", str(self.port))
        command += ["--latency", str(self._latency_s)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=same_imports()
        )
        if self._process.stdout is None:  # pragma: no cover - it was asked for two lines above
            raise CrawlerError("the demo server has no standard output")
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self.close()
            if code == PORT_TAKEN:
                raise UsageError(
                    f"port {self.port} on 127.0.0.1 is taken: free it, or start the demo afresh on another"
                )
            raise CrawlerError(f"the demo server did not start (exit code {code}); its messages stand above")
        self.port = int(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
