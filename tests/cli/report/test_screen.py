"""The picture of the live display, drawn on a console that remembers."""

import io

import msgspec
from rich.cells import cell_len
from rich.console import Console

from crawler.cli.report.screen import frame
from crawler.cli.report.view import View, errors, skips
from crawler.core.estimate import Estimate
from crawler.core.rate import Rates
from crawler.core.stats import CrawlStats, Holder
from crawler.ring.bottleneck import Bottleneck
from tests.support.table import table

STATS = CrawlStats(
    elapsed_s=754,
    pages=12_345,
    bytes=310_000_000,
    outcomes={
        "fetched": 12_345,
        "fetched: sitemap": 7,
        "redirected": 212,
        "failed: timeout": 120,
        "skipped: scope": 88_120,
    },
    statuses={200: 12_000, 404: 97, 503: 248},
    known=149_000,
    queued=48_211,
    retrying=12,
    active_hosts=20,
    waiting_hosts=4,
    fetching=212,
    concurrency=256,
    parsing=35,
    parse_capacity=96,
    committing=128,
    parser_busy_s=(1.0, 2.0),
    duplicates=31,
    body_bytes_held=12_300_000,
    body_bytes_most=64_000_000,
    max_pages=20_000,
    holders=(
        Holder("hog.test", 2, 9_900_000, 0.8),
        Holder("lamb\x1b.test", 30, 0, 0.1),
        Holder("mouse.example", 2),
    ),
    under_way=(("https://docs.example.org/slow\x1b[2J", 12.4), ("https://docs.example.org/b", 0.2)),
)
VIEW = View(
    title="https://docs.example.org/ -> output/docs",
    stats=STATS,
    recent=Rates(span_s=5, pages_per_s=812.4, bytes_per_s=21_300_000, parser_shares=(0.91, 0.4)),
    overall=Rates(span_s=754, pages_per_s=16.4),
    limit=Bottleneck("parsers", "they are busy 97 % of the time and 35 of 36 places before them are taken"),
    end=Estimate(580, "max-pages"),
    clock="17:42",
)
MANY = msgspec.structs.replace(
    STATS,
    known=149_000_000_000,
    queued=48_211_000_000,
    outcomes={**STATS.outcomes, **{f"failed: kind-{number:02}": 1_000 - number for number in range(30)}},
    parser_busy_s=(1.0,) * 64,
    parsers_replaced=3,
    bad_seeds=2,
    fetching=123_456,
    concurrency=1_000_000,
)
HOSTILE = "[red]x[/red]\x1b[2J\n:smile:漢字"


def change(view: View, **stats: object) -> View:
    return msgspec.structs.replace(view, stats=msgspec.structs.replace(view.stats, **stats))


def draw(view: View, width: int = 80, height: int = 40, **options: bool) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(frame(view, width, height, **options), end="")
    return file.getvalue().split("\n")


@table(
    "expected",
    [
        "https://docs.example.org/",
        "12 min 34 s",
        "12,345 of 20,000",
        "62 %",
        "812 pages/s (16.4 overall)",
        "21.3 MB/s",
        "9 min 40 s at 17:42   (max-pages)",
        "48,211 queued",
        "212 of 256",
        "35 of 96",
        "limited by parsers: they are busy",
        "20 active, 4 waiting   bodies 12.3 MB of 64.0 MB   31 duplicates",
        "held by hog.test: 9.9 MB of bodies, 0.8 of 2 parsers; lamb\\x1b.test: 3",
        "91 %",
        "now        12 s  https://docs.example.org/slow\\x1b[2J",
        "          0.2 s  https://docs.example.org/b",
        "12,345 fetched",
        "212 redirected",
        "88,120 skipped",
        "timeout",
        "503 Service Unavailable",
        "scope",
    ],
)
def test_everything_that_matters_stands_on_eighty_columns(expected: str):
    assert expected in "\n".join(draw(VIEW))


@table("width", [1, 10, 30, 60, 80, 110, 200])
@table("height", [1, 5, 10, 23, 24, 50])
@table("stats", [CrawlStats(), STATS, MANY], ids=["empty", "usual", "many"])
def test_a_picture_never_leaves_its_terminal(width: int, height: int, stats: CrawlStats):
    """A line too long or one too many would make the terminal scroll with each picture."""
    shares = (0.5,) * len(stats.parser_busy_s)
    view = msgspec.structs.replace(VIEW, stats=stats, recent=Rates(parser_shares=shares), title="x" * 300)
    lines = draw(view, width, height)
    assert len(lines) <= height
    assert max(map(cell_len, lines)) < max(width, 2)


def test_a_host_that_is_alone_or_holds_little_is_not_named():
    assert "held by" not in "\n".join(draw(change(VIEW, active_hosts=1)))
    assert "held by" not in "\n".join(draw(change(VIEW, holders=(Holder("mouse.example", 2, 99_000, 0.01),))))


def test_a_low_terminal_keeps_the_head_and_what_limits():
    text = "\n".join(draw(VIEW, height=6))
    assert "12,345 of 20,000" in text
    assert "limited by parsers" in text


@table("width", [60, 80, 200])
def test_the_ring_closes(width: int):
    """Its corners stand below each other."""
    lines = draw(VIEW, width)
    top = next(line for line in lines if "┐" in line)
    bottom = next(line for line in lines if "┘" in line)
    sides = [line for line in lines if line.endswith("│")]
    assert len(sides) == 2
    assert {len(line) for line in (top, bottom, *sides)} == {len(top)}


def test_boxes_and_bars_of_the_ring_start_in_the_same_columns():
    lines = draw(VIEW)
    names = next(line for line in lines if "frontier" in line)
    values = next(line for line in lines if "queued" in line)
    assert [names.index(name) for name in ("frontier", "fetching", "parsing", "ledger")] == [
        values.index(value) for value in ("48,211", "212 of", "35 of", "128")
    ]


def test_the_most_frequent_kinds_are_listed_and_the_rest_is_summed_up():
    lines = draw(msgspec.structs.replace(VIEW, stats=MANY))
    listed = [line for line in lines if "kind-" in line]
    assert len(listed) == 7
    rest = sum(1_000 - number for number in range(7, 30)) + 120 + 97 + 248
    last = next(line for line in lines if "others" in line)
    assert last.split()[:4] == ["…", "26", "others", f"{rest:,}"]


def test_foreign_text_is_shown_as_it_is_and_steers_nothing():
    """Rich markup, escape sequences, line breaks and emoji names are text."""
    view = msgspec.structs.replace(change(VIEW, outcomes={f"failed: {HOSTILE}": 3}), title=HOSTILE)
    text = "\n".join(draw(view))
    assert text.count("[red]x[/red]\\x1b[2J\\n:smile:漢字") == 2
    assert "\x1b" not in text


def test_a_terminal_without_unicode_gets_ascii():
    assert "\n".join(draw(change(VIEW, max_pages=None), ascii_only=True)).isascii()


def test_an_unknown_end_says_why():
    view = msgspec.structs.replace(VIEW, end=Estimate(None, "still finding new URLs"), clock="")
    assert "unknown   (still finding new URLs)" in "\n".join(draw(view))


def test_many_parsers_share_one_line():
    view = msgspec.structs.replace(VIEW, recent=Rates(parser_shares=(0.0, 1.0) * 16))
    assert "▁█" * 16 + "   50 % busy on average" in "\n".join(draw(view))


def test_errors_are_failures_and_bad_answers_most_frequent_first():
    assert errors(STATS) == [("503 Service Unavailable", 248), ("timeout", 120), ("404 Not Found", 97)]
    assert errors(CrawlStats(statuses={799: 1}, outcomes={"failed": 2})) == [("failed", 2), ("799", 1)]


def test_skips_are_reasons_only():
    assert skips(STATS) == [("scope", 88_120)]
