"""Types of the keyword arguments of `crawler.crawl` and `crawler.extract`, for editors.

Written from the table of settings in `core.config` by tests/cli/test_written.py; do not edit. To write it again:

    CRAWLER_WRITE_DOCS=1 .venv/bin/python -m pytest tests/cli/test_written.py
"""

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from crawler.core.model import Rotation

__all__ = ["ExtractSettings", "PathLike", "Settings"]

PathLike = str | os.PathLike[str]


class Settings(TypedDict, total=False):
    """Keyword arguments of `crawler.crawl`. Times are seconds, sizes bytes, None means "no limit"."""

    scope: Literal["page", "prefix", "host", "domain", "any"]
    """Follow no links (page), or only links below the seed's folder (prefix), on its host and port (host), on its
    registrable domain (domain), or all links (any). Default: 'host'."""
    depth: int | None
    """Follow links this many steps from a seed. 0 fetches the seeds alone. Default: None."""
    max_pages: int | None
    """Stop after this many pages. A later run may have more. Default: None."""
    max_pages_per_host: int | None
    """Take at most this many pages of one host (name and port). Its other URLs are skipped: host-limit. Default:
    None."""
    max_pages_per_domain: int | None
    """Take at most this many pages of one registrable domain. Its other URLs are skipped: domain-limit. Default:
    None."""
    max_time_s: float | None
    """Stop after this many seconds. A later run may have more. Default: None."""
    include: Sequence[str]
    """Follow only links whose URL matches this regular expression. Of several, one match is enough. Default: ()."""
    exclude: Sequence[str]
    """Follow no link whose URL matches this regular expression. Default: ()."""
    sitemaps: bool
    """Take the pages of the sitemaps that robots.txt names, too. Default: False."""
    max_links: int
    """Take at most this many links from one page. Its record, or the log, says how many were left out. Links that a
    spider names are all taken. Default: 10000."""
    max_chain: int | None
    """Take at most this many pages in a row that look alike, as in an endless calendar; 100 times as many while
    they bring other pages. The next one is skipped: trap. Default: 100."""
    max_repeats: int | None
    """Of a large host or domain, take this many pages that bring nothing but links. Pages that bring something make
    up for them. The rest is skipped: repeats. Default: 400."""
    keep_parameters: bool | Sequence[str]
    """Ask for URLs whatever was learnt of parameters that do not change a page: of all, or of these (ref,sort).
    Default: False."""
    robots: Literal["obey", "ignore"]
    """Obey or ignore robots.txt, rel=nofollow and meta robots. Default: 'obey'."""
    user_agent: str
    """Send this as the crawler's name. Default: 'crawler/0.1.0'."""
    contact: str | None
    """Say in the User-Agent how you can be reached: a mail address, or the URL of a page about the crawl. Default:
    None."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]]
    """Send this header. One that may hold a secret goes to the seeds' own origins alone. Default: ()."""
    cookies: bool
    """Keep each origin's cookies during a run, and send them back to it. Default: False."""
    delay_s: float | None
    """Wait this many seconds between requests to one host. auto follows the host's latency. A larger Crawl-delay or
    Retry-After always wins. Default: None, auto."""
    per_host: int
    """Send at most this many requests at once to one host (name and port). Default: 2."""
    per_address: int
    """Send at most this many requests at once to one IP address; a /64 of IPv6 counts as one. The limit is never
    below that for one host. Default: 32."""
    concurrency: int
    """Send at most this many requests at once. Default: 256."""
    timeout_s: float
    """Give up on an attempt at a URL after this many seconds, from the look-up of its name to its last byte,
    redirects included. Default: 30.0."""
    retries: int
    """Try a URL that failed this many more times. Default: 2."""
    give_up_after_s: float | None
    """Give a host up for this run when it has not answered for this many seconds, or for 2 minutes if it never did
    in this job. Until then it is asked now and then. Its URLs stay due: the same command tries them again. Default:
    1800.0."""
    fail_unreachable: bool
    """End the URLs of a host that is given up as failed: host-down, instead of leaving them due. Default: False."""
    max_body_bytes: int
    """Cut longer bodies here. The record then says truncated. Sizes may be written like 512kB or 10MiB. Default:
    10000000."""
    allow_private: bool | Sequence[str]
    """Fetch from loopback and private addresses, too: from all, or only from those in these networks. Default:
    False."""
    ca_bundle: PathLike | None
    """Trust the TLS authorities in this PEM file, beside the usual ones. Default: None."""
    insecure: bool
    """Accept any TLS certificate. Anyone on the way can then read along. Default: False."""
    output: PathLike | Sequence[PathLike] | None
    """Write records to this place. Its ending decides how: .jsonl .csv .parquet .db .warc.gz …; - is standard
    output. Default: None, <job>/pages.jsonl."""
    rotate: Rotation | None
    """Begin the next file of an output after this many bytes (1GB) or records (50000). Default: None."""
    all_statuses: bool
    """Let a spider or selectors read answers of any status, not of 2xx alone. Default: False."""
    record_per_seed: bool | None
    """Write one record for each row of the seeds, whatever becomes of it, with its columns. By itself with --scope
    page. Default: None, auto."""
    skip_duplicates: Literal["no", "exact", "near"]
    """Write no record of a page whose body was seen before. near also leaves out nearly the same text. Default:
    'no'."""
    job: PathLike | None
    """Keep the crawl's state in this folder. Its name comes from the seeds. Default: None, output/<name>."""
    follow: str | None
    """Go on reading seeds from files that come into this folder, or from standard input (-), until a file called
    end is there, or the input ends. Default: None."""
    retry_failed: bool | Sequence[str]
    """Ask again for URLs of the job that have failed: for all, or for those of these kinds (timeout, dns, tls …).
    Default: False."""
    dashboard: bool | int
    """Show the crawl on a page of this machine alone, and steer it there: at this port, or without one at 8090 or,
    if that is taken, a free one. 0: a free one. Its address is printed at the start. Default: False."""
    strict: bool
    """Stop at the first bad line of a seed file. Default: False."""
    expect: Sequence[str]
    """Check this at the end, as in pages>=1000, failed<=1%, price>=95% (share of records with a value). What is not
    met is told, and the exit code is 7. Default: ()."""
    metrics: bool | int
    """Give figures for Prometheus at this port of this machine alone, or without one at 9464 or, if that is taken,
    a free one. 0: a free one. The log tells where. Default: False."""
    parsers: int
    """Parse in this many processes, or threads. Default: one a core, at most 4."""
    parser_timeout_s: float
    """Give up on a page after this many seconds in a parser. Default: 10.0."""
    parser_memory_bytes: int | None
    """Let one parser use at most this much memory. An idle one uses about 25 MB. Default: 1073741824."""
    bytes_in_flight: int
    """Hold at most this many bytes of bodies between the network and the parsers. Beyond that, downloads wait.
    Default: 64000000."""
    strategy: Literal["sequential", "threads", "async", "hybrid"]
    """Share the work out this way: one URL after the other, threads, one event loop, or an event loop with parser
    processes. Only hybrid holds a page to --parser-timeout and --parser-memory. Default: 'hybrid'."""
    cluster: bool | str
    """Crawl with several rings on Ray: on this machine, or with HOST:PORT on the cluster that has its head there.
    The job may then be a URL (s3://bucket/job, file:///shared/job) that all of its machines reach. Default: False."""
    shards: int | None
    """Share the hosts out among this many rings, for good. More than there are cores is fine. Default: None, one a
    core, at least 2, at most 64."""


class ExtractSettings(TypedDict, total=False):
    """Keyword arguments of `crawler.extract`. Times are seconds, sizes bytes, None means "no limit"."""

    max_links: int
    """Take at most this many links from one page. Its record, or the log, says how many were left out. Links that a
    spider names are all taken. Default: 10000."""
    robots: Literal["obey", "ignore"]
    """Obey or ignore robots.txt, rel=nofollow and meta robots. Default: 'obey'."""
    max_body_bytes: int
    """Cut longer bodies here. The record then says truncated. Sizes may be written like 512kB or 10MiB. Default:
    10000000."""
    rotate: Rotation | None
    """Begin the next file of an output after this many bytes (1GB) or records (50000). Default: None."""
    all_statuses: bool
    """Let a spider or selectors read answers of any status, not of 2xx alone. Default: False."""
    parsers: int
    """Parse in this many processes, or threads. Default: one a core, at most 4."""
    parser_timeout_s: float
    """Give up on a page after this many seconds in a parser. Default: 10.0."""
    parser_memory_bytes: int | None
    """Let one parser use at most this much memory. An idle one uses about 25 MB. Default: 1073741824."""
