"""Memory of a crawl's processes while it runs, seen from outside."""

import sys

import psutil

from crawler.cli.compare.processor_time import is_parser
from crawler.cli.compare.work import ProcessMemory

__all__ = ["MemoryMeter"]


class MemoryMeter:
    """Looks at a process and its children now and then. State: the look at which all together had most.

    On Linux a page of memory that several processes share counts for each in part (PSS), elsewhere whole (RSS).
    """

    def __init__(self) -> None:
        self.most: tuple[ProcessMemory, ...] = ()

    def look(self, pid: int) -> None:
        """Look once. A process that has ended counts nothing."""
        try:
            main = psutil.Process(pid)
            children = sorted(main.children(), key=lambda one: one.create_time())
            found = [ProcessMemory("main process", _bytes(main))]
            parsers = [child for child in children if is_parser(child)]
            found += [ProcessMemory(f"parser process {n}", _bytes(one)) for n, one in enumerate(parsers, 1)]
            found += [ProcessMemory("resource tracker", _bytes(one)) for one in children if one not in parsers]
        except psutil.Error:
            return
        if sum(one.bytes for one in found) > sum(one.bytes for one in self.most):
            self.most = tuple(found)


def _bytes(process: psutil.Process) -> int:
    if sys.platform == "linux":
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)
