"""What a crawl on a cluster can be told, and in which form it is told to machines that are not this one."""

from pathlib import Path

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.job_place import is_url
from crawler.ledger.sinks.outputs import STDOUT, is_remote
from crawler.parsers.spiders.spider import Spider, load_spider, pack_spider

__all__ = ["check_terms", "everywhere"]

_ALONE = {
    "follow": "seeds are dealt out before the start: give them to the job with crawler add",
    "retry_failed": "crawler retry asks a job of many shards again for what has failed",
    "metrics": "its figures are in crawler status --json",
    "dashboard": "crawler status --watch shows the crawl",
    "expect": "crawler check compares a job with what is expected of it",
}
"""Settings that a crawl of one ring alone has, and what there is instead."""


def check_terms(config: CrawlConfig, spider: Spider | str | None) -> bytes:
    """Return the packed spider, if the crawl can be had on a cluster.

    Raises `ConfigError` for a setting that it cannot have, and for a spider that cannot travel.
    """
    for name, instead in _ALONE.items():
        if getattr(config, name) not in (False, None, ()):
            raise ConfigError(f"{name}: a crawl on a cluster has none; {instead}")
    if config.record_per_seed:
        raise ConfigError("record_per_seed: a crawl on a cluster writes records of pages alone: leave it out")
    if config.job is None:
        raise ConfigError("job: a crawl on a cluster needs one: a folder, or a URL that all of its machines reach")
    reader = config.spider if spider is None else spider
    config.check_reader(reader)
    return b"" if reader is None else _packed(reader)


def everywhere(config: CrawlConfig) -> CrawlConfig:
    """Return the settings with paths that mean the same wherever a process is started."""
    outputs = config.output
    if outputs is not None:
        outputs = tuple(one if one == STDOUT or is_remote(one) else str(Path(one).resolve()) for one in config.outputs)
    job = config.folder
    return replace(
        config,
        job=job if is_url(job) else job.resolve(),
        output=outputs,
        ca_bundle=None if config.ca_bundle is None else config.ca_bundle.resolve(),
        record_per_seed=False,
        seeds=(),
    )


def _packed(reader: Spider | str) -> bytes:
    """Pack a spider; one of a file goes as a value, so that other machines need not have the file."""
    function = load_spider(reader)
    if isinstance(reader, str) and ".py:" in reader:
        return pack_spider(function)
    return pack_spider(reader)
