"""Programs as people write them, run against a server on loopback: what they do not say is said for them."""

from pathlib import Path

__all__ = ["allow_loopback"]

_SITECUSTOMIZE = """
import sys
if "--multiprocessing-fork" not in sys.orig_argv:
    import crawler, crawler.core.config, crawler.ring.library
    LOCAL = {"allow_private": True, "delay_s": 0.0, "parsers": 1}
    crawler.crawl = lambda *seeds, **settings: crawler.ring.library.crawl(*seeds, **(LOCAL | settings))
    crawler.CrawlConfig = lambda **settings: crawler.core.config.CrawlConfig(**(LOCAL | settings))
"""


def allow_loopback(folder: Path) -> None:
    """Let programs that run with `folder` in PYTHONPATH fetch from loopback, fast, with one parser."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
