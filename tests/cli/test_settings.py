"""What the table of settings, the TOML file and the precedence of sources promise."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from crawler.cli.job_name import job_name
from crawler.cli.settings import (
    SETTINGS,
    Run,
    combine,
    from_environment,
    from_options,
    load_settings,
)
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, SeedError
from crawler.core.model import Field, Rotation
from crawler.core.record import RECORD_FIELDS
from tests.support.table import table

BY_NAME = {setting.name: setting for setting in SETTINGS}
URL = "https://example.com/"

# name, TOML value, the same as text (an option or a variable), what CrawlConfig or Run gets
VALUES = [
    ("scope", '"prefix"', "prefix", "prefix"),
    ("depth", "3", "3", 3),
    ("depth", '"none"', "none", None),
    ("max-pages", "1_000", "1_000", 1000),
    ("max-time", "90", "90", 90.0),
    ("max-time", "0.5", "0.5", 0.5),
    ("include", '["/a/", "/b b/"]', "/a/\n/b b/", ("/a/", "/b b/")),
    ("include", '"/a/"', "/a/", ("/a/",)),
    ("exclude", "[]", "", ()),
    ("expect", '["pages>=3", "failed<=1%"]', "pages>=3\nfailed<=1%", ("pages>=3", "failed<=1%")),
    ("metrics", "9464", "9464", 9464),
    ("dashboard", "8090", "8090", 8090),
    ("follow", '"queue"', "queue", "queue"),
    ("cluster", "true", "yes", True),
    ("cluster", '"10.0.0.5:6379"', "10.0.0.5:6379", "10.0.0.5:6379"),
    ("shards", "4", "4", 4),
    ("shards", '"auto"', "auto", None),
    ("contact", '"me@example.org"', "me@example.org", "me@example.org"),
    ("log-format", '"json"', "json", "json"),
    ("sitemaps", "true", "yes", True),
    ("max-links", "500", "500", 500),
    ("max-pages-per-host", "50", "50", 50),
    ("max-pages-per-domain", "2_000", "2_000", 2000),
    ("max-repeats", '"none"', "none", None),
    ("max-chain", "7", "7", 7),
    ("max-chain", '"none"', "none", None),
    ("robots", '"ignore"', "ignore", "ignore"),
    ("user-agent", '"me/1.0"', "me/1.0", "me/1.0"),
    ("header", '["A: b:c", "X-Y:z"]', "A: b:c\nX-Y:z", (("A", "b:c"), ("X-Y", "z"))),
    ("header", '"Empty:"', "Empty:", (("Empty", ""),)),
    ("delay", '"auto"', "auto", None),
    ("delay", "0", "0", 0.0),
    ("delay", "1.5", "1.5", 1.5),
    ("per-host", "4", "4", 4),
    ("per-address", "8", "8", 8),
    ("concurrency", "512", "512", 512),
    ("timeout", "5", "5", 5.0),
    ("retries", "0", "0", 0),
    ("give-up-after", "90", "90", 90.0),
    ("give-up-after", '"none"', "none", None),
    ("fail-unreachable", "true", "on", True),
    ("keep-parameters", "true", "all", True),
    ("keep-parameters", "false", "no", False),
    ("keep-parameters", '["sort", "ref"]', "ref, sort", ("ref", "sort")),
    ("retry-failed", "true", "all", True),
    ("retry-failed", "false", "no", False),
    ("retry-failed", '["dns", "timeout"]', "dns,timeout", ("timeout", "dns")),
    ("max-body", "10_000_000", "10_000_000", 10_000_000),
    ("max-body", '"10MiB"', "10MiB", 10_485_760),
    ("cookies", "true", "on", True),
    ("all-statuses", "true", "on", True),
    ("record-per-seed", "true", "on", True),
    ("record-per-seed", "false", "no", False),
    ("record-per-seed", '"auto"', "auto", None),
    ("allow-private", "true", "yes", True),
    ("allow-private", "true", "ALL", True),
    ("allow-private", "false", "no", False),
    ("allow-private", "[]", "", False),
    ("allow-private", '["10.0.0.0/8", "fd00::/8"]', "10.0.0.0/8,fd00::/8", ("10.0.0.0/8", "fd00::/8")),
    (
        "allow-private",
        '["FD00::/8", "127.0.0.1", "10.0.0.0/8"]',
        "FD00::/8, 127.0.0.1, 10.0.0.0/8, 127.0.0.1/32",
        ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8"),
    ),
    ("allow-private", '"10.0.0.0/8"', "10.0.0.0/8", ("10.0.0.0/8",)),
    ("ca-bundle", '"/etc/ca.pem"', "/etc/ca.pem", Path("/etc/ca.pem")),
    ("ca-bundle", '"none"', "none", None),
    ("insecure", "true", "1", True),
    ("fields", '["url", "status"]', "url, status", ("url", "status")),
    ("fields", '"url,status"', "url,status", ("url", "status")),
    ("fields", '"all"', "all", RECORD_FIELDS),
    ("fields", '"default"', "default", None),
    (
        "select",
        '["title=h1", "n[]:int=//li"]',
        "title=h1\nn[]:int=//li",
        (Field(name="title", css="h1"), Field(name="n", xpath="//li", many=True, type="int")),
    ),
    ("spider", '"shop.pages:parse"', "shop.pages:parse", "shop.pages:parse"),
    ("spider", '"none"', "none", None),
    ("output", '"-"', "-", ("-",)),
    ("output", '["s3://b/p.jsonl", "-"]', "s3://b/p.jsonl\n-", ("s3://b/p.jsonl", "-")),
    ("rotate", '"1GB"', "1GB", Rotation(bytes=10**9)),
    ("rotate", "50_000", "50_000", Rotation(records=50_000)),
    ("rotate", '"none"', "none", None),
    ("skip-duplicates", "true", "yes", "exact"),
    ("skip-duplicates", "false", "no", "no"),
    ("skip-duplicates", '"exact"', "exact", "exact"),
    ("skip-duplicates", '"near"', "near", "near"),
    ("fresh", "true", "1", True),
    ("strict", "false", "off", False),
    ("parsers", "3", "3", 3),
    ("parser-timeout", "2.5", "2.5", 2.5),
    ("parser-memory", '"512MiB"', "512MiB", 512 << 20),
    ("parser-memory", '"none"', "none", None),
    ("bytes-in-flight", '"1GB"', "1GB", 10**9),
    ("strategy", '"async"', "async", "async"),
    ("transport", '"requests"', "requests", "requests"),
    ("quiet", "true", "ON", True),
    ("log-level", '"debug"', "debug", "debug"),
]


@pytest.fixture
def toml(tmp_path):
    """Return a function that writes a settings file and returns its path."""

    def write(content):
        path = tmp_path / "crawl.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(action, *arguments):
    with pytest.raises(ConfigError) as caught:
        action(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


def value_of(run, name):
    field = BY_NAME[name].field
    return getattr(run if field in Run.__struct_fields__ else run.config, field)


@pytest.mark.parametrize(("name", "written", "text", "value"), VALUES)
def test_a_value_means_the_same_in_file_environment_and_option(toml, name, written, text, value):
    setting = BY_NAME[name]
    expected = {setting.field: value}
    assert load_settings(toml(f"{name} = {written}")) == expected
    if text:
        assert from_environment({setting.variable: text}) == expected
        option = value if isinstance(value, bool) else text.split("\n") if setting.kind.many else text
        assert from_options({name: option}) == expected
    needed = {"cluster": True} if name == "shards" else {}
    got = value_of(combine({"seeds": [URL]}, needed, expected), name)
    assert got == value
    assert type(got) is type(value)


def test_every_setting_is_tried_above_but_for_the_job_folder():
    assert {name for name, *_ in VALUES} == set(BY_NAME) - {"job"}


def test_every_field_of_a_crawl_has_a_setting():
    fields = {setting.field for setting in SETTINGS}
    others = {"seeds", "archive", "sampled"}  # arguments, and what the outputs or a plan are found to want
    assert set(CrawlConfig.__struct_fields__) - others <= fields
    assert fields - set(CrawlConfig.__struct_fields__) == {"fresh", "quiet", "log_level", "log_format"}


def test_the_defaults_in_the_help_are_those_of_the_crawl():
    run = combine({"seeds": [URL]})
    for setting in SETTINGS:
        if not setting.default_text:
            shown = setting.read(setting.shown_default, "help", text=True) if setting.shown_default else ()
            assert value_of(run, setting.name) == shown, setting.name
    assert run.config.job == Path("output/example.com")
    assert run.config.outputs == ("output/example.com/pages.jsonl",)
    assert run.config.parsers == max(1, min(4, os.cpu_count()))
    assert (run.config.strategy, run.config.transport_kind) == ("hybrid", "aiohttp")


def test_record_fields_are_known_names_unless_a_spider_makes_records_of_its_own():
    said = refusal(combine, {"seeds": [URL], "fields": ("url", "nope")})
    assert said.startswith("--fields: 'nope'; choose from url, status")
    run = combine({"seeds": [URL], "fields": ("url", "nope"), "spider": "shop:parse"})
    assert run.config.fields == ("url", "nope")


@pytest.mark.parametrize(
    ("name", "written", "text", "value"),
    [case for case in VALUES if case[0] in ("depth", "include", "strict", "fields")],
)
def test_a_later_source_wins_default_file_environment_option(toml, name, written, text, value):
    setting = BY_NAME[name]
    other = {"depth": "7", "include": '["x"]', "strict": "true", "fields": '"title"'}[name]
    low = load_settings(toml(f"{name} = {other}"))
    high = {setting.field: value}
    seeds = {"seeds": [URL]}
    assert value_of(combine(seeds, low), name) == low[setting.field]
    for layers in [(low, high, {}), (low, {}, high), ({}, low, high)]:
        assert value_of(combine(seeds, *layers), name) == value


def test_seeds_of_the_command_line_replace_those_of_the_file(toml):
    path = toml(f'seeds = ["{URL}"]')
    assert combine(load_settings(path)).seeds == (URL,)
    assert combine(load_settings(path), {"seeds": ("https://example.org/",)}).seeds == ("https://example.org/",)


def test_names_may_be_written_with_either_line(toml):
    assert load_settings(toml("max-pages = 1\nper_host = 2")) == {"max_pages": 1, "per_host": 2}


def test_paths_of_a_file_start_at_its_folder(tmp_path, toml, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.setenv("HOME", "/home/me")
    (tmp_path / "list").write_text(URL)
    path = toml(
        'seeds = ["a.txt", "list", "~/b.csv", "/c.jsonl", "-", "https://example.com/a.txt", "example.com",\n'
        '"sitemap:https://example.com/map.txt", "Sitemap:https://example.com/map.xml.gz"]\n'
        'job = "jobs/a"\noutput = ["a.jsonl", "s3://b/a.csv", "-"]\nca-bundle = "tls/ca.pem"\n'
        'spider = "shop/a.py:parse"'
    )
    assert load_settings(path) == {
        "seeds": (
            f"{tmp_path}/a.txt",
            f"{tmp_path}/list",
            "/home/me/b.csv",
            "/c.jsonl",
            "-",
            "https://example.com/a.txt",
            "example.com",
            "sitemap:https://example.com/map.txt",
            "Sitemap:https://example.com/map.xml.gz",
        ),
        "ca_bundle": tmp_path / "tls/ca.pem",
        "job": tmp_path / "jobs/a",
        "output": (f"{tmp_path}/a.jsonl", "s3://b/a.csv", "-"),
        "spider": f"{tmp_path}/shop/a.py:parse",
    }
    monkeypatch.chdir(tmp_path)
    assert load_settings(Path("crawl.toml"))["seeds"][0] == "a.txt"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max-page = 1", "unknown setting 'max-page'; did you mean 'max-pages'?"),
        ("MAX_PAGES = 1", "unknown setting 'MAX_PAGES'; did you mean 'max-pages'?"),
        ("max_time_s = 1", "unknown setting 'max_time_s'; did you mean 'max-time'?"),
        ("seed = 'x'", "unknown setting 'seed'; did you mean 'seeds'?"),
        ("xyzzy = 1", "unknown setting 'xyzzy'; known are seeds, scope, "),
        ('"a\\u001b[31mb" = 1', r"unknown setting 'a\x1b[31mb'; known are "),
        ("config = 'x.toml'", "unknown setting 'config'"),
        ("[crawl]\ndepth = 1", "unknown setting 'crawl'; settings stand at the top of the file, not in a table"),
        ("per-host = 1\nper_host = 1", "'per-host' stands there twice, with - and with _"),
        ("depth = '3'", "depth: expected a whole number or 'none', not '3'"),
        ("depth = 3.0", "depth: expected a whole number or 'none', not 3.0"),
        ("depth = true", "depth: expected a whole number or 'none', not True"),
        ("per-host = 'none'", "per-host: expected a whole number, not 'none'"),
        ("delay = 'quick'", "delay: expected a number of seconds or 'auto', not 'quick'"),
        ("timeout = inf", "timeout: expected a number of seconds, not inf"),
        ("timeout = true", "timeout: expected a number of seconds, not True"),
        ("timeout = nan", "timeout: expected a number of seconds, not nan"),
        ("timeout = 2026-11-22", "timeout: expected a number of seconds, not datetime.date(2026, 11, 22)"),
        ("strict = 1", "strict: expected true or false, not 1"),
        ("strict = 'yes'", "strict: expected true or false, not 'yes'"),
        ("scope = 'hosts'", "scope: expected one of page, prefix, host, domain, any, not 'hosts'"),
        ("scope = ['host']", "scope: expected one of page, prefix, host, domain, any, not ['host']"),
        ("include = [1]", "include: expected a list of texts, not [1]"),
        ("include = {a = 1}", "include: expected a list of texts, not {'a': 1}"),
        ("seeds = 7", "seeds: expected a list of texts, not 7"),
        ("seeds = ['']", "seeds: expected a list of texts, not ['']"),
        ("fields = [1]", "fields: expected a list of names, 'all' or 'default', not [1]"),
        ("output = ''", "output: expected a path, a URL such as s3://bucket/pages.jsonl, or '-', not ''"),
        ("job = 1", "job: expected a path, not 1"),
        ("user-agent = 1", "user-agent: expected a text, not 1"),
        ("max-body = '10 parsecs'", "max-body: expected a size such as 10MB, 10MiB or 10_000_000, not '10 parsecs'"),
        ("max-body = '" + "x" * 300 + "'", "max-body: expected a size such as 10MB, 10MiB or 10_000_000, not 'xxxx"),
        ("depth = -1", "depth must be at least 0, not -1"),
        ("max_links = 0", "max-links must be at least 1, not 0"),
        ("timeout = 0", "timeout must be more than 0, not 0.0"),
        ("parser-memory = '1MB'", "parser-memory must be at least 134217728, not 1000000"),
        ("include = ['(']", "include: '(' is not a regular expression: "),
        ('header = ["Authorization: a\\u0000hunter2"]', "header: expected a list of texts like 'Name: value'"),
        ("header = ['A: a', \"Authorization: a\\rhunter2\"]", "header: header 'Authorization' has a line break or NUL"),
        ("allow-private = 'yes'", "allow-private: expected true, false or networks such as 10.0.0.0/8, not 'yes'"),
        ("allow-private = [true]", "allow-private: expected true, false or networks such as 10.0.0.0/8, not [True]"),
        ("allow-private = 1", "allow-private: expected true, false or networks such as 10.0.0.0/8, not 1"),
        ("allow-private = ['10.0.0.0/33']", "allow-private: expected true, false or networks such as 10.0.0.0/8, not "),
        (
            "allow-private = ['127.0.0.0/8', '10.1.2.3/8']",
            (
                "allow-private: 10.1.2.3/8 has bits set behind its prefix: write 10.0.0.0/8, or 10.1.2.3 for "
                "that address alone"
            ),
        ),
        ("ca-bundle = true", "ca-bundle: expected a path or 'none', not True"),
        ("seeds = ['http://me:hunter2@x/', 1]", "seeds: expected a list of texts, not ['http://…@x/', 1]"),
        ("header = ['Authorization hunter2']", "header: expected a list of texts like 'Name: value'"),
        ("header = [': hunter2']", "header: expected a list of texts like 'Name: value'"),
    ],
)
def test_a_file_with_a_wrong_setting_is_refused_by_file_key_and_what_is_expected(toml, content, message):
    path = toml(content)
    said = refusal(load_settings, path)
    assert said.startswith(f"{path}: ")
    assert message in said
    assert "hunter2" not in said, "what may be a password is not shown"
    assert len(said) < len(str(path)) + 750


def test_broken_toml_is_refused_with_line_and_column(toml):
    said = refusal(load_settings, toml("depth = 1\nscope = host\n"))
    assert re.search(r"crawl\.toml is not valid TOML: .*\(at line 2, column 9\)$", said)
    said = refusal(load_settings, toml(b"depth = 1\n# caf\xe9\n"))
    assert said.endswith("crawl.toml is not valid TOML: byte 0xe9 in line 2 is not UTF-8")
    assert "line 1 is not UTF-8" in refusal(load_settings, toml(b"\xff\xfe"))
    assert "is not valid TOML" in refusal(load_settings, toml("depth = " + "[" * 100_000))


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path):
    path = tmp_path / "none.toml"
    assert refusal(load_settings, path) == f"cannot read the settings in {path}: No such file or directory"
    assert "Is a directory" in refusal(load_settings, tmp_path)


def test_empty_variables_count_as_not_set_and_others_are_left_alone():
    assert from_environment({"CRAWLER_DEPTH": "", "CRAWLER_XYZZY": "1", "DEPTH": "1", "crawler_depth": "1"}) == {}


@table(
    ("variable", "text", "message"),
    [
        ("CRAWLER_DEPTH", "deep", "CRAWLER_DEPTH: expected a whole number or 'none', not 'deep'"),
        ("CRAWLER_DEPTH", "-1", "CRAWLER_DEPTH must be at least 0, not -1"),
        (
            "CRAWLER_ALLOW_PRIVATE",
            "no,10.0.0.0/8",
            "CRAWLER_ALLOW_PRIVATE: expected true, false or networks such as 10.0.0.0/8, not 'no,10.0.0.0/8'",
        ),
        ("CRAWLER_STRICT", "maybe", "CRAWLER_STRICT: expected true or false, not 'maybe'"),
        ("CRAWLER_MAX_TIME", "1e999", "CRAWLER_MAX_TIME: expected a number of seconds or 'none', not '1e999'"),
        ("CRAWLER_HEADER", "hunter2", "CRAWLER_HEADER: expected a list of texts like 'Name: value'"),
    ],
)
def test_a_malformed_variable_is_refused_by_its_name(variable, text, message):
    assert refusal(from_environment, {variable: text}) == message


@table(
    ("options", "message"),
    [
        ({"depth": "deep"}, "--depth: expected a whole number or 'none', not 'deep'"),
        ({"depth": "9" * 5000}, "--depth: expected a whole number or 'none', not '9999"),
        ({"delay": "\x1b[2J"}, r"--delay: expected a number of seconds or 'auto', not '\x1b[2J'"),
        ({"header": ("hunter2",)}, "--header: expected a list of texts like 'Name: value'"),
    ],
)
def test_a_malformed_option_is_refused_by_its_name(options, message):
    said = refusal(from_options, options)
    assert said.startswith(message)
    assert "hunter2" not in said


def test_options_that_were_not_given_set_nothing():
    assert from_options({"depth": None, "include": (), "strict": None}) == {}


@table(
    ("fields", "message"),
    [
        ({"max_pages": -1}, "--max-pages must be at least 0, not -1"),
        ({"max_time_s": -1.0}, "--max-time must be at least 0, not -1.0"),
        ({"max_body_bytes": 0}, "--max-body must be more than 0, not 0"),
        ({"timeout_s": 0.0}, "--timeout must be more than 0, not 0.0"),
        ({"parsers": 0}, "--parsers must be at least 1, not 0"),
        ({"include": ("(",)}, "--include: '(' is not a regular expression: "),
        ({"fields": ("url", "nope")}, "--fields: 'nope'; choose from url, status"),
        ({"fields": ()}, "--fields: none given; choose from "),
        ({"headers": (("A", "b\r\nc"),)}, "--header: header 'A' has a line break"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_name_of_its_option(fields, message):
    assert refusal(combine, {"seeds": [URL]}, fields).startswith(message)


@pytest.mark.parametrize("name", ["file", "environment", "option"])
def test_settings_that_do_not_go_together_are_refused_by_the_place_where_they_stand(toml, name):
    path = toml('fields = ["nope"]')
    layer, place = {
        "file": (load_settings(path), f"{path}: fields"),
        "environment": (from_environment({"CRAWLER_FIELDS": "nope"}), "CRAWLER_FIELDS"),
        "option": (from_options({"fields": "nope"}), "--fields"),
    }[name]
    assert refusal(combine, {"seeds": [URL]}, layer).startswith(f"{place}: 'nope'; choose from url, status")


def test_a_command_takes_from_the_environment_only_what_it_has_an_option_for():
    environment = {"CRAWLER_DEPTH": "3", "CRAWLER_PARSERS": "2", "CRAWLER_MAX_TIME": "deep"}
    assert from_environment(environment, "try") == {"depth": 3}
    assert from_environment(environment, "extract") == {"parsers": 2}


def test_a_crawl_needs_seeds_or_a_job_to_resume():
    with pytest.raises(SeedError, match="no seeds given"):
        combine({"depth": 1})
    assert combine({"job": Path("output/x")}).seeds == ()


@table(
    ("text", "size"),
    [
        ("1", 1),
        ("1b", 1),
        ("10_000_000", 10_000_000),
        ("10MB", 10_000_000),
        ("10mb", 10_000_000),
        ("10 MB", 10_000_000),
        ("10M", 10_000_000),
        ("512kB", 512_000),
        ("512K", 512_000),
        ("1KiB", 1024),
        ("10Mi", 10 << 20),
        ("1.5GiB", 3 << 29),
        ("2TB", 2 * 10**12),
        ("0.1MB", 100_000),
        ("0.1B", None),
        ("1.00000000001kB", None),
        ("1iB", None),
        ("MB", None),
        ("-1MB", None),
        ("1e6", None),
        ("1" * 21, None),
        ("١MB", None),
        ("1MBs", None),
        ("", None),
        ("_", None),
    ],
)
def test_sizes(text, size):
    if size is None:
        assert "expected a size" in refusal(from_options, {"max-body": text})
    else:
        assert from_options({"max-body": text}) == {"max_body_bytes": size}


@table(
    ("seeds", "name"),
    [
        (["https://docs.python.org/3/"], "docs.python.org-3"),
        (["HTTP://Example.COM"], "example.com"),
        (["http://127.0.0.1:8080/a/index.html"], "127.0.0.1-8080-a-index.html"),
        (["http://[::1]:8080/"], "1-8080"),
        (["https://user:secret@example.com/"], "example.com"),
        (["sitemap:https://docs.python.org/map.xml"], "docs.python.org-map.xml"),
        (["Sitemap:HTTPS://user:secret@Example.com:8443/a.xml.gz"], "example.com-8443-a.xml.gz"),
        (["sitemap:https://example.com/a.xml", "https://example.com/"], "example.com-a.xml-and-1-more"),
        (["https://example.com/?q=a"], "example.com-b8a4f3"),
        (["https://example.com/?q=b"], "example.com-2d1239"),
        (["https://example.com/a/#part"], "example.com-a"),
        (["https://bücher.example/"], "xn--bcher-kva.example"),
        (["https://" + "a" * 60 + "." + "b" * 60 + ".example/"], "a" * 60 + "." + "b" * 12 + "-44ebcd"),
        (["http://"], "job"),
        (["seeds/a.txt"], "a"),
        (["seeds/a.b.csv.gz"], "a.b"),
        (["/data/My list (2).jsonl"], "My-list-2"),
        (["../..txt"], "job"),
        (["../../etc/\n\x1b.txt"], "job"),
        (["lists/today"], "lists-today"),
        (["example.com"], "example.com"),
        (["-"], "stdin"),
        (["https://example.com/", "https://example.org/"], "example.com-and-1-more"),
        (["a.txt", "b.txt", "c.txt"], "a-and-2-more"),
    ],
)
def test_the_job_is_named_after_its_seeds_and_always_the_same(seeds, name):
    assert job_name(seeds) == job_name(list(seeds)) == name
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)


def documented_toml():
    text = (Path(__file__).parents[2] / "docs/cli.md").read_text(encoding="utf-8")
    return re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", documented_toml())
def test_the_settings_files_of_the_documentation_are_valid(toml, example):
    assert tomllib.loads(example)
    assert combine(load_settings(toml(example))).seeds
