"""docs/robustness.md is what the registry of hostile behaviours says; CRAWLER_WRITE_DOCS=1 writes it anew."""

import os
import re
from pathlib import Path

from tests.hostile.registry import Behaviour, behaviours

DOCUMENT = Path(__file__).parents[2] / "docs" / "robustness.md"

BEFORE = """\
# Robustness

Servers are broken, slow, lying or malicious. This page lists what the crawler makes of it. Whatever a server does, the
process stays alive and ends when it should, memory stays within bounds, pages of other hosts come as if nothing were
wrong, every URL ends in exactly one outcome, and no task, thread, process or open file stays behind.

Each line is a test. A real server on loopback does just this (`tests/hostile/`), and the real crawler crawls it beside
three healthy hosts. Lines about the network run on both transports. The outcome is how the hostile URLs end; `fetched`
alone means that their pages count like any other. A host that does not answer is given up after 3 seconds here, and its
URLs end as `failed: host-down` (`--give-up-after 3 --fail-unreachable`); else they stay due.
Row 47 is about many bad hosts: their crawl is ended when the healthy ones have all their pages, and
[performance.md](performance.md#bad-neighbours) tells what these keep of their rate.
[records.md](records.md) and [design.md](design.md) explain outcomes.

Run one row with `.venv/bin/python -m pytest tests/hostile -k row04`. A new behaviour is one handler of about ten lines
in the file of its theme.

<!-- The table is generated:
     CRAWLER_WRITE_DOCS=1 .venv/bin/python -m pytest tests/docs/test_robustness.py -->

| row | the server does | the crawler must | outcome | test |
| --- | --- | --- | --- | --- |
"""

AFTER = """\

## Patterns

`--include`, `--exclude` and the patterns of a `Router` are searched in URLs that servers make. With backtracking, one
URL of 40 characters can keep `(a+)+$` busy for days. Here they are searched in time proportional to the URL, with the
answer of `re.search`: [url patterns](../tests/web/test_url_patterns.py), [patterns](../tests/ring/test_patterns.py).

- Not linear are patterns that look behind, or ahead elsewhere than right behind a `^` at their start, refer back to a
  group, have atomic groups or possessive repeats, or are longer than 1,000 characters with all repeats written out.
  The crawl says so when it starts, with the reason. Only parser processes judge them: where one takes longer than
  `--parser-timeout`, the page or the redirect that led to the URL fails, and nothing else. The strategies without
  parser processes have no such limit, nor has `crawler try`, which reads one page in its own process and says so.
- The regular expressions of fields (`::re(...)`) read the text of pages. They are judged in parser processes, within
  the same limit.

## What others may put in a folder

A folder that others may write in is a server of its own kind. Tests: [planted
links](../tests/ring/test_planted_links.py), [foreign modules](../tests/parsers/test_foreign_modules.py).

- A symbolic link where a job makes a file (lock, state, records, spool, summary, files on their way) is not followed.
  The crawl ends with exit code 5 before anything is written, and says where the link leads: remove it, or name
  another place. A link among the files of an earlier output may be replaced; what it leads to stays as it was.
- A link that you name is followed: the job's folder or one above it, and an output. An output that is a link of
  another user is refused, unless that user owns the folder. A state that was moved elsewhere, and linked to by you,
  is found there.

- A `signal.py` or `types.py` in the working directory is not run: parsers, and what else is started, look into the
  standard library first. A spider finds its own modules beside it and in the working directory, as before, but
  nothing there hides a module of Python or a package that the crawler needs. Its own name may be any that is not
  loaded yet. With `python -m crawler` Python itself looks into the working directory before the crawler begins: use
  `crawler`, or `python -P -m crawler`. In a program of your own your path of imports holds, with the standard library
  before it in the parsers.

## Limits worth knowing

- The limits are settings: [cli.md](cli.md) names them with their defaults.
- An answer that a server sends unasked, and that arrives after the next request has left on the same connection, cannot
  be told from the answer to that request. It is the server's own page that is false then, and no other host's.
- Nothing bounds how many pages a site may claim to have but `--max-pages`, `--max-time`, `--depth` and the rules on
  traps.
"""


def test_the_table_is_what_the_tests_say():
    text = BEFORE + "".join(map(_line, behaviours())) + AFTER
    if os.environ.get("CRAWLER_WRITE_DOCS"):
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text("utf-8") == text


def _line(one: Behaviour) -> str:
    test = f"[{one.name}](../tests/hostile/{one.theme}.py)"
    cells = (str(one.row), _plain(one.does), _plain(one.must), one.shows or _outcome(one), test)
    return f"| {' | '.join(cells)} |\n"


def _outcome(one: Behaviour) -> str:
    """How the URLs end that matter: without the page that only leads to them."""
    ends = {url: end for url, end in one.expects.items() if end != "*"}
    telling = {
        url: end
        for url, end in ends.items()
        if url != "/robots.txt" and not (url == "/" and end == "fetched" and len(ends) > 1)
    }
    kinds = dict.fromkeys(kind for end in telling.values() for kind in end.split(" | "))
    kinds = [kind for kind in kinds if not (kind != "fetched" and f"{kind}*" in kinds)]
    words = ", ".join(f"`{re.sub('[*]$', '…', kind)}`" for kind in kinds)
    facts = dict.fromkeys(
        f"{name} {value}" if not isinstance(value, bool) else name
        for fields in one.records.values()
        for name, value in fields.items()
        if name in {"truncated", "sniffed_type", "links_dropped"} and value
    )
    return f"{words} ({'; '.join(f'`{fact}`' for fact in facts)})" if facts else words


def _plain(text: str) -> str:
    """Text that Markdown leaves alone."""
    return re.sub(r"([*_<|\\])", r"\\\1", text)
