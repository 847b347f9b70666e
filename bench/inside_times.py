"""Where the CPU time of a crawl goes: in the main process by thread, in the parsers by what they were at.

    inside = Inside(folder)
    measure(command, folder, inside.environment(path))
    inside.stages()              # {"main: event loop": 3.1, …, "parsers: tree": 8.2, …}, in seconds

Threads' times are the system's own. What the parsers were at is sampled, and shared out over what they used.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Inside", "stage_of", "thread_of"]

_HOOK = Path(__file__).parent / "inside"
_VARIABLE = "CRAWLER_BENCH_INSIDE"
_THREADS = {
    "MainThread": "event loop",
    "QueueFeederThread": "hand on",
    "parser-collector": "take back",
    "ledger": "frontier and ledger",
    "rocksdb": "store's own threads",
    "bench": "bench",
}
"""What threads of the main process do, by the beginning of their name."""
_PLACES = (
    ("import", "start"),
    ("web/content_coding", "inflate"),
    ("web/gzip_members", "inflate"),
    ("page/charset", "tree"),
    ("page/raw_page.py:_parsed", "tree"),
    ("page/raw_page.py:_bytes_to_parse", "tree"),
    ("page/raw_page.py:_read_bytes", "tree"),
    ("page/html.py:visible_text", "text"),
    ("page/raw_page.py:visible_text", "text"),
    ("page/main_part", "text"),
    ("page/html.py:read", "links"),
    ("web/urls", "links"),
    ("parsers/reading/new_links", "links"),
    ("parsers/reading/gist", "watch for traps"),
    ("core/record", "record"),
    ("core/json_line", "record"),
    ("parsers/reading", "record"),
    ("core/model", "receive and send"),
    ("parsers/", "receive and send"),
)
"""What a parser is at in a function. The innermost function that stands here counts, and of its rows the first."""


def thread_of(name: str) -> str:
    """Say what a thread of the main process does."""
    return next((stage for begin, stage in _THREADS.items() if name.startswith(begin)), "other threads")


def stage_of(functions: str) -> str:
    """Say what a parser was at: `functions` are those of the crawler that it was in, the innermost first."""
    for function in functions.split():
        for place, stage in _PLACES:
            if function.startswith(place):
                return stage
    return "start" if not functions else "other"


class Inside:
    """What processes of one command told. `folder`: one for their files, which is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def environment(self, path: Path) -> Mapping[str, str]:
        """Return what the command needs in its environment; `path`: the checkout that it runs."""
        return {"PYTHONPATH": os.pathsep.join([str(_HOOK), str(path)]), _VARIABLE: str(self._folder)}

    def stages(self, main_s: float, others_s: float) -> dict[str, float]:
        """Return seconds by process and stage. Sums: what the main process used, and all others together."""
        main: Counter[str] = Counter()
        parsers: Counter[str] = Counter()
        for file in self._folder.glob("*.json"):
            told = json.loads(file.read_bytes())
            if told["functions"]:
                for functions, samples in told["functions"].items():
                    parsers[stage_of(functions)] += samples
            elif "ledger" in told["threads"]:
                for name, used_s in told["threads"].items():
                    main[thread_of(name)] += used_s
        main["other threads"] += max(0.0, main_s - main.total())
        share = others_s / max(1, parsers.total())
        return {f"main: {name}": used_s for name, used_s in main.items()} | {
            f"parsers: {name}": samples * share for name, samples in parsers.items()
        }
