"""What `crawler demo` does around an ordinary crawl: serve, crawl, check the records, say what to try next."""

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from crawler.cli.demo.process import DemoServer
from crawler.cli.demo.site import Site, demo_seeds
from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError, StorageError
from crawler.core.symlinks import written_anew

__all__ = ["DEMO_JOB", "RecordCheck", "check_records", "demo_config", "next_steps", "program_name", "run"]

DEMO_JOB = Path("output/demo")
"""Job folder of the demo unless another is asked for."""

_PORT_FILE = "demo-port"


class RecordCheck(msgspec.Struct, frozen=True):
    """How the records of a demo crawl compare with the model of the site. Counts of URLs; `records` of lines."""

    records: int
    expected: int
    missing: tuple[str, ...]
    repeated: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if there is exactly one record for each page that can be reached, and no other."""
        return not (self.missing or self.repeated or self.unexpected)


class _RecordUrl(msgspec.Struct):
    url: str


def run(
    job: Path,
    crawl: Callable[[CrawlConfig, Sequence[str], bool], int],
    *,
    say: Callable[[str], None],
    port: int = 0,
    fresh: bool = False,
    program: str = "crawler",
) -> int:
    """Serve the demo site, crawl it, check the result; give the exit code.

    `crawl(config, seeds, fresh)` runs one crawl as the `crawl` command does and gives its exit code; `say` prints
    lines for a person. A demo that was stopped or killed picks up where it left off, on the same port, unless `fresh`
    or another `port` (0: any) is asked for; a demo that had ended starts over. `program` is how a shell calls this
    program.

    Raises `CrawlerError` if a crawl that ended did not leave exactly one record for each page, `UsageError` if the port
    is taken, `StorageError` if `job` cannot be written.
    """
    started_on = None if fresh else _remembered_port(job)
    resume = started_on is not None and port in (0, started_on)
    with DemoServer(started_on or port if resume else port) as server:
        _remember_port(job, server.port)
        config = demo_config(job)
        seeds = demo_seeds(server.port)
        going = "Going on with the crawl of" if resume else "Crawling"
        say(f"{going} the demo site: {len(seeds)} hosts, {seeds[0]} to {seeds[-1]}")
        code = crawl(config, seeds, not resume)
    output = Path(config.outputs[0])
    if code != 0:
        say(next_steps(config, program=program, interrupted=True))
        return code
    (job / _PORT_FILE).unlink(missing_ok=True)
    check = check_records(output, server.port)
    if not check.ok:
        raise CrawlerError(_fault(check, output))
    say(f"{check.records:,} records: one for each page of the demo site that can be reached, none twice.")
    say(next_steps(config, program=program, interrupted=False))
    return code


def demo_config(job: Path) -> CrawlConfig:
    """Give the demo's settings: the defaults of a crawl, but loopback is allowed."""
    return CrawlConfig(job=job, scope="host", allow_private=True, timeout_s=10.0, per_host=4)


def check_records(output: Path, port: int) -> RecordCheck:
    """Compare the records in `output` (JSON lines) with the site's model; `StorageError` if it cannot be read."""
    expected = {url for url, outcome in Site(port).outcomes().items() if outcome == "fetched"}
    decoder = msgspec.json.Decoder(_RecordUrl)
    seen: set[str] = set()
    repeated = []
    records = 0
    try:
        with output.open("rb") as lines:
            for line in lines:
                url = decoder.decode(line).url
                records += 1
                if url in seen:
                    repeated.append(url)
                seen.add(url)
    except OSError as error:
        raise StorageError(f"cannot read the records in {output}: {error.strerror}") from error
    return RecordCheck(
        records=records,
        expected=len(expected),
        missing=tuple(sorted(expected - seen)),
        repeated=tuple(repeated),
        unexpected=tuple(sorted(seen - expected)),
    )


def next_steps(config: CrawlConfig, *, program: str = "crawler", interrupted: bool = False) -> str:
    """Say where the results are and give three commands to try, one a line, that work as they stand in a shell."""
    output = shlex.quote(config.outputs[0])
    again = program + " demo" if config.job == DEMO_JOB else f"{program} demo --job {shlex.quote(str(config.job))}"
    look = (
        "import collections, json, sys; "
        "print(collections.Counter(json.loads(line)['status'] for line in open(sys.argv[1], encoding='utf-8')))"
    )
    resume = "go on where it stopped" if interrupted else "once more; Ctrl-C in the middle, then again: it goes on"
    return (
        f"Results: {config.outputs[0]}\n"
        "\n"
        "Try next:\n"
        f"  {again}\n      {resume}\n"
        f'  python3 -c "{look}" {output}\n      count the records by HTTP status\n'
        f"  {program} crawl https://example.com/ --max-pages 20\n"
        "      crawl a real site; the same command again resumes it"
    )


def program_name(argv0: str) -> str:
    """Give the words that start this program in a shell, from `sys.argv[0]`: `crawler` if that is on the PATH."""
    path = Path(argv0)
    if path.name == "__main__.py":
        return "python3 -m crawler"
    found = shutil.which(path.name)
    if found is not None and path.exists() and Path(found).samefile(path):
        return path.name
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here)) if path.is_relative_to(here) else str(path))


def _fault(check: RecordCheck, output: Path) -> str:
    parts = [
        f"{len(urls):,} {name}, such as {urls[0]}"
        for name, urls in (("missing", check.missing), ("twice", check.repeated), ("unexpected", check.unexpected))
        if urls
    ]
    return (
        f"{output} has {check.records:,} records where the demo site has {check.expected:,} pages: {'; '.join(parts)}. "
        "This is a fault of the crawler: please report it"
    )


def _remembered_port(job: Path) -> int | None:
    try:
        return int((job / _PORT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _remember_port(job: Path, port: int) -> None:
    # URLs contain the port: only on the same one can a stopped demo go on.
    try:
        job.mkdir(parents=True, exist_ok=True)
        with written_anew(job / _PORT_FILE) as file:
            file.write(b"%d\n" % port)
    except OSError as error:
        raise StorageError(f"cannot write the job folder {job}: {error.strerror}") from error
