"""The summary on the screen and in the job's folder."""

import io
import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from crawler.cli.report.advice import advice
from crawler.cli.report.ending import ending
from crawler.cli.report.summary import Summary, print_summary, write_summary
from crawler.core.config import CrawlConfig
from crawler.core.errors import StorageError
from crawler.core.model import Rotation
from crawler.core.stats import CrawlStats
from tests.support.table import table

STATS = CrawlStats(
    ended="max-pages",
    elapsed_s=100.0004,
    pages=12_345,
    run_pages=2_000,
    bytes=310_000_000,
    run_bytes=50_000_000,
    outcomes={"fetched": 12_345, "failed: timeout": 120, "skipped: [red]\x1b": 88_120, "fetched: sitemap": 3},
    statuses={404: 345, 200: 12_000},
    known=149_000,
    queued=48_211,
    duplicates=1_234,
    body_waits=7,
    body_bytes_most=64_000_000,
    bad_seeds=2,
    steered=("blocked shop.example", "delay 5 s for slow.example"),
    parsers_replaced=1,
    parser_busy_s=(1.23456, 2.0),
    loop_lag_p99_s=0.0123,
)


def config(job: Path, **settings: object) -> CrawlConfig:
    return CrawlConfig(job=job, **{"max_pages": 12_345, **settings})


def printed(stats: CrawlStats, settings: CrawlConfig, *, is_terminal: bool = False, width: int = 40) -> str:
    file = io.StringIO()
    print_summary(stats, settings, console=Console(file=file, force_terminal=is_terminal, width=width))
    return file.getvalue()


def test_summary_is_plain_text_where_there_is_no_terminal():
    """No escape sequence, no wrapped line: `grep` and `awk` can read it."""
    text = printed(STATS, config(Path("output") / ("long-" * 30)))
    assert "\x1b" not in text
    assert f"records    output/{'long-' * 30}/pages.jsonl\n" in text
    for line in (
        "crawl      stopped at 12,345 pages: the budget of --max-pages 12345 is used up",
        "pages      12,345 (2,000 of them in this run)",
        "time       1 min 40 s, 20.0 pages/s",
        "received   310 MB, 500 kB/s",
        "URLs       149,000 known, 48,211 still queued",
        "sitemaps   3 read",
        "duplicates 1,234 pages have the same body as an earlier one",
        "steered    blocked shop.example, delay 5 s for slow.example (crawler steer JOB takes it back)",
        "bad seeds  2 left out (--strict stops at the first)",
        "event loop p99 lag 12 ms",
        "parsers    1 died or hung and were replaced",
        "  outcome                URLs",
        "  fetched              12,345",
        "  fetched: sitemap          3",
        "  skipped: [red]\\x1b   88,120",
        "  404 Not Found           345",
        (
            "note       downloads waited 7 times for memory (bodies may have 64.0 MB): "
            "more --bytes-in-flight or more --parsers let them go on"
        ),
        "next       48,211 URLs are still queued; a larger --max-pages goes on from here",
    ):
        assert line in text.splitlines()


def test_summary_is_styled_on_a_terminal():
    assert "\x1b[1m" in printed(STATS, config(Path("job")), is_terminal=True)


def test_a_long_list_of_outcomes_ends_with_what_is_left():
    stats = CrawlStats(outcomes={f"failed: kind-{number}": 1_000 - number for number in range(30)})
    text = printed(stats, config(Path("job")))
    assert len(re.findall("kind-", text)) == 20
    assert re.search(rf"10 others +{sum(1_000 - number for number in range(20, 30)):,}\n", text)


def test_a_sitemap_that_was_not_read_to_its_end_is_told():
    stats = CrawlStats(
        outcomes={"fetched: sitemap": 1_000, "fetched: sitemap: cut": 2, "failed: sitemap: status 404": 5}
    )
    assert "sitemaps   1,002 read, 2 of them not to the end\n" in printed(stats, config(Path("job")))


@table(
    ("stats", "settings", "expected"),
    [
        ({}, {}, []),
        ({"outcomes": {"fetched": 9, "skipped: scope": 5, "failed: timeout": 1}}, {}, []),
        (
            {"outcomes": {"skipped: trap": 1_200}},
            {},
            [
                (
                    "1,200 URLs looked like a trap, as pages of an endless calendar do: "
                    "--max-chain N raises the limit (now 100)"
                )
            ],
        ),
        (
            {"outcomes": {"skipped: trap": 1}},
            {"max_chain": None},
            ["1 URL looked like a trap, as pages of an endless calendar do: --max-chain N raises the limit"],
        ),
        (
            {"outcomes": {"failed: tls: expired": 2, "failed: tls: self-signed": 3, "failed: timeout": 9}},
            {},
            [
                (
                    "5 URLs failed for want of a good certificate (self-signed 3, expired 2): "
                    "--ca-bundle FILE trusts further authorities, --insecure any certificate"
                )
            ],
        ),
        ({"outcomes": {"failed: tls: wrong version number": 2, "failed: tls: unsupported protocol": 1}}, {}, []),
        (
            {"outcomes": {"failed: parser-timeout": 1, "failed: parser-died": 2}},
            {},
            ["3 URLs could not be parsed: --parser-timeout (now 10 s) and --parser-memory (now 1.1 GB) limit a page"],
        ),
        (
            {"outcomes": {"failed: parser-died": 1}},
            {"parser_memory_bytes": None, "parser_timeout_s": 0.5},
            ["1 URL could not be parsed: --parser-timeout (now 0.5 s) and --parser-memory (now no limit) limit a page"],
        ),
        (
            {"body_waits": 1, "body_bytes_most": 64_000_000},
            {},
            [
                (
                    "downloads waited once for memory (bodies may have 64.0 MB): "
                    "more --bytes-in-flight or more --parsers let them go on"
                )
            ],
        ),
        (
            {"elapsed_s": 100.0, "main_busy_s": 95.0, "parser_busy_s": (30.0, 50.0)},
            {},
            [
                (
                    "the main process took 95 % of a core, and parsers were busy 40 % of the time: "
                    "with cores to spare, a second job beside this one crawls a part of the hosts"
                )
            ],
        ),
        ({"elapsed_s": 100.0, "main_busy_s": 89.0, "parser_busy_s": (30.0, 50.0)}, {}, []),
        ({"elapsed_s": 100.0, "main_busy_s": 95.0, "parser_busy_s": (92.0, 90.0)}, {}, []),
        ({"elapsed_s": 100.0, "main_busy_s": 95.0}, {}, []),
        ({"elapsed_s": 9.0, "main_busy_s": 9.0, "parser_busy_s": (1.0,)}, {}, []),
    ],
)
def test_what_an_option_could_change_is_told_with_its_name(stats: dict, settings: dict, expected: list[str]):
    assert advice(CrawlStats(**stats), config(Path("job"), **settings)) == expected


def test_an_empty_summary_can_be_printed():
    assert "crawl      done, but no page was fetched" in printed(CrawlStats(ended="done"), config(Path("job")))


@table(
    ("stats", "what", "then"),
    [
        ({"ended": "done", "pages": 5, "run_pages": 5}, "done: every URL", ""),
        ({"ended": "done", "pages": 5}, "done before", "--fresh"),
        ({"ended": "interrupted", "queued": 7}, "interrupted", "7 URLs are still queued; run the same command again"),
        ({"ended": "interrupted"}, "interrupted", "run the same command again to go on"),
        ({"ended": "max-pages", "pages": 5}, "--max-pages 12345", "a larger --max-pages goes on"),
        ({"ended": "max-time", "elapsed_s": 60}, "--max-time 60", "run the same command again to go on"),
        ({"ended": "running", "pages": 5}, "broken off by an error", "put right what the error names"),
        ({"ended": "done"}, "no page was fetched", "there was no usable seed"),
        ({"ended": "done", "known": 1, "outcomes": {"skipped: private-address": 1}}, "no page", "--allow-private"),
        ({"ended": "done", "known": 1, "outcomes": {"skipped: robots": 1}}, "no page", "robots.txt"),
        ({"ended": "done", "known": 1, "outcomes": {"failed: dns": 1}}, "no page", "are unknown"),
        ({"ended": "done", "known": 1, "outcomes": {"failed: connect": 1}}, "no page", "failed: connect"),
        ({"ended": "done", "known": 1, "outcomes": {"failed: tls: expired": 1}}, "no page", "--ca-bundle FILE"),
        (
            {"ended": "done", "known": 1, "outcomes": {"failed: tls: wrong version number": 1}},
            "no page",
            "is it http://",
        ),
        ({"ended": "done", "known": 1, "outcomes": {"failed: tls: unsupported protocol": 1}}, "no page", "in common"),
        ({"ended": "done", "known": 1, "outcomes": {"failed: parser-error: KeyError": 1}}, "no page", "--spider a:b"),
        ({"ended": "done", "known": 3, "outcomes": {"fetched: sitemap": 3}}, "no page", "they list no page"),
        ({"ended": "done", "known": 3, "outcomes": {"fetched: sitemap": 2, "skipped: scope": 1}}, "no page", "--scope"),
        ({"ended": "done", "known": 1, "outcomes": {"redirected": 1}}, "no page", "see the outcomes"),
        ({"ended": "done", "known": 1}, "no page", "see the outcomes"),
    ],
)
def test_the_end_is_explained_with_what_to_do_next(stats: dict, what: str, then: str):
    found = ending(CrawlStats(**stats), config(Path("job"), max_time_s=60, spider="a:b"))
    assert what in found.what
    assert then in found.then
    assert bool(then) == bool(found.then)


def test_summary_json_holds_the_counters(tmp_path: Path):
    path = write_summary(STATS, config(tmp_path, scope="domain", output=("-", "s3://key:secret@bucket/a.csv")))
    assert path == tmp_path / "summary.json"
    data = json.loads(path.read_bytes())
    assert data["schema_version"] == 2
    assert (data["ended"], data["pages"], data["pages_per_s"]) == ("max-pages", 12_345, 20.0)
    assert (data["job"], data["settings"]["scope"]) == (str(tmp_path), "domain")
    assert data["outputs"] == ["-", "s3://…@bucket/a.csv"]
    assert data["statuses"] == {"200": 12_000, "404": 345}
    assert next(iter(data["outcomes"].items())) == ("skipped: [red]\x1b", 88_120)
    assert msgspec.json.decode(path.read_bytes(), type=Summary).statuses == STATS.statuses


def test_the_summary_names_every_output():
    """Each on a line of its own; a row of files by its pattern."""
    output = ("a.jsonl.gz", "b.parquet", "-", "s3://key:secret@bucket/a.csv")
    text = printed(STATS, config(Path("job"), output=output))
    assert re.findall("(?m)^records +(.*)$", text) == [
        "a.jsonl.gz",
        "b.parquet",
        "standard output",
        "s3://…@bucket/a.csv",
    ]
    text = printed(STATS, config(Path("job"), output=output, rotate=Rotation(records=5)))
    assert re.findall("(?m)^records +(.*)$", text) == [
        "a-*.jsonl.gz",
        "b.parquet",
        "standard output",
        "s3://…@bucket/a-*.csv",
    ]


def test_summary_json_tells_duplicates_and_waits_and_can_hold_every_setting(tmp_path: Path):
    settings = config(tmp_path, ca_bundle=Path("ca.pem"), allow_private=("10.0.0.0/8",), max_chain=None)
    data = json.loads(write_summary(STATS, settings).read_bytes())
    assert (data["duplicates"], data["body_waits"]) == (1_234, 7)
    told = {name: data["settings"][name] for name in ("ca_bundle", "allow_private", "max_chain", "cookies")}
    assert told == {"ca_bundle": "ca.pem", "allow_private": ["10.0.0.0/8"], "max_chain": None, "cookies": False}


def test_duplicates_that_were_skipped_or_nearly_the_same_are_told(tmp_path: Path):
    near = msgspec.structs.replace(STATS, duplicates=3, near_duplicates=1_002)
    skipping = config(tmp_path, skip_duplicates="near")
    assert json.loads(write_summary(near, skipping).read_bytes())["near_duplicates"] == 1_002
    assert (
        "duplicates 3 pages have the same body as an earlier one, 1,002 nearly the same text; they have no record\n"
        in printed(near, skipping)
    )
    alone = msgspec.structs.replace(near, duplicates=0)
    assert "1,002 nearly the same text" in printed(alone, skipping)


def test_pages_that_were_read_again_are_told(tmp_path: Path):
    again = msgspec.structs.replace(STATS, reread=1_002)
    assert json.loads(write_summary(again, config(tmp_path)).read_bytes())["reread"] == 1_002
    assert "read again 1,002 pages, for their links" in printed(again, config(tmp_path))
    assert "read again" not in printed(STATS, config(tmp_path))


def test_summary_json_and_the_screen_never_hold_the_value_of_a_header(tmp_path: Path):
    settings = config(tmp_path, headers=(("Authorization", "Bearer s3cret"), ("X-Team", "s3cret too")))
    text = write_summary(STATS, settings).read_text("utf-8")
    assert json.loads(text)["settings"]["headers"] == ["Authorization", "X-Team"]
    assert "s3cret" not in text + printed(STATS, settings)


def test_a_job_whose_name_is_no_utf8_has_a_summary(tmp_path: Path):
    job = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        job.mkdir()
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    assert json.loads(write_summary(STATS, config(job)).read_bytes())["job"].endswith("caf\ufffd")
    assert "caf\ufffd" in printed(STATS, config(job))


def test_a_summary_that_cannot_be_written_is_a_storage_error_that_names_it(tmp_path: Path):
    missing = tmp_path / "missing"
    with pytest.raises(StorageError, match=r"missing was removed or renamed while the crawl ran"):
        write_summary(STATS, config(missing))


def test_a_failed_write_leaves_the_old_summary_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_summary(STATS, config(tmp_path))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_summary(CrawlStats(), config(tmp_path))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_every_key_of_the_summary_is_documented_in_order():
    text = (Path(__file__).parents[3] / "docs" / "summary.md").read_text("utf-8")
    assert tuple(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == Summary.__struct_fields__
