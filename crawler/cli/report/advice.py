"""What to do about outcomes that an option could change, in plain sentences: pure."""

from collections.abc import Mapping

from crawler.cli.report.certificates import TLS, is_of_certificate
from crawler.core.config import CrawlConfig
from crawler.core.lesson import Lesson
from crawler.core.printable import printable
from crawler.core.quantity import count, count_of, duration, share, size
from crawler.core.stats import CrawlStats

__all__ = ["advice", "by_savings"]

_FULL_SHARE = 0.9
"""Of a core: a process that takes as much has hardly anything left."""
_LONG_RUN_S = 30.0
_NAMED = 3
"""Hosts, or parameters, that a line names; summary.json has all of them."""


def advice(stats: CrawlStats, config: CrawlConfig) -> list[str]:
    """List what stands out in a crawl's counters, each with the options that have a say in it."""
    texts = (
        _trap(stats, config),
        _repeats(stats, config),
        _parameters(stats),
        _tls(stats),
        _unreachable(stats, config),
        _parsers(stats, config),
        _memory(stats),
        _main_process(stats),
    )
    return [text for text in texts if text]


def _trap(stats: CrawlStats, config: CrawlConfig) -> str:
    number = stats.outcomes.get("skipped: trap", 0)
    if not number:
        return ""
    now = "" if config.max_chain is None else f" (now {count(config.max_chain)})"
    return (
        f"{count_of(number, 'URL')} looked like a trap, as pages of an endless calendar do: --max-chain N raises the "
        f"limit{now}"
    )


def _repeats(stats: CrawlStats, config: CrawlConfig) -> str:
    if not stats.repeats:
        return ""
    hosts = sorted(stats.repeats.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{printable(host)} {count(number)}" for host, number in hosts[:_NAMED])
    more = f" and {count(len(hosts) - _NAMED)} more hosts" if len(hosts) > _NAMED else ""
    now = "" if config.max_repeats is None else f" (now {count(config.max_repeats)})"
    number = sum(stats.repeats.values())
    return (
        f"{count_of(number, 'URL', 'were')} left out since pages like them brought nothing but links "
        f"({named}{more}): --max-repeats N asks for more of them{now}"
    )


def by_savings(parameters: Mapping[str, Lesson]) -> list[tuple[str, Lesson]]:
    """Return parameters that do not change a page, those first that saved most."""
    return sorted(parameters.items(), key=lambda item: (-item[1].skipped, item[0]))


def _parameters(stats: CrawlStats) -> str:
    saved = [(name, one.skipped) for name, one in by_savings(stats.parameters) if one.skipped]
    if not saved:
        return ""
    named = ", ".join(f"{printable(name)} {count(skipped)}" for name, skipped in saved[:_NAMED])
    more = f" and {count(len(saved) - _NAMED)} more" if len(saved) > _NAMED else ""
    number = stats.outcomes.get("skipped: same-page", 0)
    return (
        f"{count_of(number, 'URL', 'were')} left out since they differ from others only in "
        f"parameters that do not change a page ({named}{more}): --keep-parameters NAME asks for them after all"
    )


def _tls(stats: CrawlStats) -> str:
    kinds = {
        kind.removeprefix(TLS): number for kind, number in stats.outcomes.items() if is_of_certificate(kind) and number
    }
    if not kinds:
        return ""
    listed = ", ".join(f"{kind} {count(number)}" for kind, number in sorted(kinds.items(), key=lambda item: -item[1]))
    return (
        f"{count_of(sum(kinds.values()), 'URL')} failed for want of a good certificate ({listed}): "
        "--ca-bundle FILE trusts further authorities, --insecure any certificate"
    )


def _parsers(stats: CrawlStats, config: CrawlConfig) -> str:
    slow, died = (stats.outcomes.get(f"failed: parser-{kind}", 0) for kind in ("timeout", "died"))
    if not slow and not died:
        return ""
    memory = "no limit" if config.parser_memory_bytes is None else size(config.parser_memory_bytes)
    return (
        f"{count_of(slow + died, 'URL')} could not be parsed: --parser-timeout (now "
        f"{duration(config.parser_timeout_s)}) and --parser-memory (now {memory}) limit a page"
    )


def _unreachable(stats: CrawlStats, config: CrawlConfig) -> str:
    down = stats.outcomes.get("failed: host-down", 0)
    if not down:
        return ""
    after = "" if config.give_up_after_s is None else f" (now {duration(config.give_up_after_s)})"
    return (
        f"{count_of(down, 'URL')} failed because no host answered: --retry-failed host-down tries them again, "
        f"--give-up-after S waits longer{after}"
    )


def _memory(stats: CrawlStats) -> str:
    if not stats.body_waits:
        return ""
    times = "once" if stats.body_waits == 1 else f"{count(stats.body_waits)} times"
    return (
        f"downloads waited {times} for memory (bodies may have {size(stats.body_bytes_most)}): "
        "more --bytes-in-flight or more --parsers let them go on"
    )


def _main_process(stats: CrawlStats) -> str:
    """Say that one main process was the limit, of a run that lasted long enough to tell."""
    if stats.elapsed_s < _LONG_RUN_S or not stats.parser_busy_s:
        return ""
    main = stats.main_busy_s / stats.elapsed_s
    parsers = sum(stats.parser_busy_s) / len(stats.parser_busy_s) / stats.elapsed_s
    if main < _FULL_SHARE or parsers >= _FULL_SHARE:
        return ""
    return (
        f"the main process took {share(main)} of a core, and parsers were busy {share(parsers)} of the time: "
        "with cores to spare, a second job beside this one crawls a part of the hosts"
    )
