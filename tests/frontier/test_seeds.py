"""What read_seeds, fingerprint and spool promise."""

import gzip
import io
import json
import os
import random
import tracemalloc
from collections import deque
from pathlib import Path

import msgspec
import pytest

from crawler.core.errors import SeedError, StorageError
from crawler.core.model import Seed
from crawler.frontier.seed_lines import MAX_LINE_BYTES
from crawler.frontier.seeds import BadSeed, fingerprint, looks_like_file, read_seeds, spool
from tests.support.table import table


def seeds_of(*sources, stdin=None):
    """Return (seeds, bad seeds) of the sources."""
    bad = []
    found = list(read_seeds([str(source) for source in sources], bad.append, stdin))
    return found, bad


def urls_of(*sources, stdin=None):
    return [seed.url for seed in seeds_of(*sources, stdin=stdin)[0]]


def refusal(*sources, stdin=None):
    """Return the message of the SeedError that reading the sources ends with."""
    with pytest.raises(SeedError) as caught:
        seeds_of(*sources, stdin=stdin)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of seeds and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


TEXT = b"""\
# Comments and blank lines are left out.

https://example.com
  HTTP://Example.COM:80/a#frag   # a comment after a URL\r
https://example.com/#kept-out
"""
TEXT_URLS = ["https://example.com/", "http://example.com/a", "https://example.com/"]

CSV = b"""\
# A comment before the names.
 Name ,URL,team
One,https://example.com/1,red
"Two ""2"", b",https://example.com/2,
Three,https://example.com/3
"""
CSV_SEEDS = [
    Seed("https://example.com/1", {"Name": "One", "team": "red"}),
    Seed("https://example.com/2", {"Name": 'Two "2", b', "team": ""}),
    Seed("https://example.com/3", {"Name": "Three"}),
]

JSONL = b"""\
{"url": "https://example.com/1", "n": 1, "tags": ["a", {"b": null}]}

# left out
{"url": " https://example.com/2 "}
"""
JSONL_SEEDS = [
    Seed("https://example.com/1", {"n": 1, "tags": ["a", {"b": None}]}),
    Seed("https://example.com/2", {}),
]


def test_text_one_url_a_line_with_comments(write):
    assert urls_of(write("a.txt", TEXT)) == TEXT_URLS


def test_csv_other_columns_travel_as_text(write):
    assert seeds_of(write("a.csv", CSV)) == (CSV_SEEDS, [])


def test_jsonl_other_keys_travel_as_they_are(write):
    assert seeds_of(write("a.jsonl", JSONL)) == (JSONL_SEEDS, [])


SITEMAP_SEEDS = {
    "a.txt": (
        "# pages and sitemaps\nhttps://example.com/\nsitemap:https://example.com/map.xml   # all of it\n"
        "Sitemap: HTTPS://Example.com:443/robots.txt\n"
    ),
    "a.csv": "url,n\nhttps://example.com/,1\nsitemap:https://example.com/map.xml,2\nSITEMAP:https://example.com/robots.txt,3",
    "a.jsonl": (
        '{"url": "https://example.com/", "n": 1}\n{"url": "sitemap:https://example.com/map.xml", "n": 2}\n'
        '{"url": " sitemap: https://example.com/robots.txt", "n": 3}\n'
    ),
}


@pytest.mark.parametrize("name", SITEMAP_SEEDS)
def test_a_sitemap_may_stand_where_a_url_may(write, name):
    """In each format, told by `sitemap:` before the URL, in any case."""
    content = SITEMAP_SEEDS[name]
    for seeds, bad in (seeds_of(write(name, content)), seeds_of("-", stdin=io.BytesIO(content.encode()))):
        assert [(seed.url, seed.kind) for seed in seeds] == [
            ("https://example.com/", "page"),
            ("https://example.com/map.xml", "sitemap"),
            ("https://example.com/robots.txt", "sitemap"),
        ]
        assert [seed.extra.get("n") for seed in seeds] == {
            "a.txt": [None, None, None],
            "a.csv": ["1", "2", "3"],
            "a.jsonl": [1, 2, 3],
        }[name]
        assert not bad


@table("suffix", ["map.xml", "map.xml.gz", "urls.txt"])
def test_a_sitemap_may_be_given_itself(suffix):
    """Whatever its name looks like: it is not a file of seeds."""
    source = f"sitemap:https://example.com/{suffix}"
    seeds, bad = seeds_of(source, "Sitemap:http://example.com", "https://example.com/")
    assert seeds == [
        Seed(f"https://example.com/{suffix}", {}, "sitemap"),
        Seed("http://example.com/", {}, "sitemap"),
        Seed("https://example.com/", {}),
    ]
    assert not bad


def test_every_extra_can_be_written_as_json(write):
    numbers = b'{"url": "https://example.com/", "big": 123456789012345678901234567890, "deep": ' + b"[" * 90 + b"]" * 90
    (seed,) = seeds_of(write("a.jsonl", numbers + b', "nul": "\\u0000"}'))[0]
    assert json.loads(msgspec.json.encode(seed.extra))["big"] == 123456789012345678901234567890


@pytest.mark.parametrize(("name", "content"), [("a.txt", TEXT), ("a.csv", CSV), ("a.jsonl", JSONL)])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_gzip_bom_and_standard_input_change_nothing(write, name, content, bom):
    expected = urls_of(write(name, content))
    content = bom + content
    assert urls_of(write("1" + name, content)) == expected
    assert urls_of(write("2" + name + ".gz", gzip.compress(content, mtime=0))) == expected
    assert urls_of(write("3" + name, gzip.compress(content, mtime=0))) == expected, "compressed without the suffix"
    assert urls_of(write("4" + name + ".gz", content)) == expected, "the suffix without compression"
    assert urls_of(write("5.list", content)) == expected, "a suffix that says nothing"
    assert urls_of("-", stdin=io.BytesIO(content)) == expected
    assert urls_of("-", stdin=io.BytesIO(gzip.compress(content, mtime=0))) == expected


@pytest.mark.parametrize("delimiter", ",;\t")
def test_csv_of_spreadsheets_is_read_whatever_separates_the_columns(write, delimiter):
    path = write("a.csv", f"id{delimiter}Url\r\n7{delimiter}https://example.com/\r\n")
    assert seeds_of(path)[0] == [Seed("https://example.com/", {"id": "7"})]


def test_csv_with_the_one_column_url(write):
    assert urls_of(write("a.csv", "url\nhttps://example.com/1\n\nhttps://example.com/2\n")) == [
        "https://example.com/1",
        "https://example.com/2",
    ]


def test_csv_columns_without_a_name_are_left_out(write):
    assert seeds_of(write("a.csv", ",url\n0,https://example.com/,,\n")) == ([Seed("https://example.com/", {})], [])


def test_sources_are_read_in_order_and_duplicates_stay(write):
    path = write("a.txt", "https://example.com/2\n")
    assert urls_of("https://example.com", path, "HTTPS://example.com/") == [
        "https://example.com/",
        "https://example.com/2",
        "https://example.com/",
    ]


@pytest.mark.parametrize(
    ("name", "line", "value", "why"),
    [
        ("a.txt", b"htp://x", "htp://x", "not an http(s) URL"),
        ("a.txt", b"example.com", "example.com", "not an http(s) URL"),
        ("a.txt", b"http://", "http://", "not an http(s) URL"),
        ("a.txt", b"mailto:a@example.com", "mailto:a@example.com", "not an http(s) URL"),
        ("a.txt", b"https://example.com/\thttps://example.org/", None, "control character in a URL"),
        ("a.txt", b"https://a.example/\rhttps://b.example/", None, "control character in a URL"),
        ("a.txt", b"\x1b]0;owned\x07", r"\x1b]0;owned\x07", "control character in a URL"),
        ("a.txt", "\u202egnp.exe".encode(), r"\u202egnp.exe", "not an http(s) URL"),
        ("a.txt", b"https://\xff\xfe", r"https://\xff\xfe", "not UTF-8 text"),
        ("a.txt", b"x" * 200, "x" * 99 + "…", "not an http(s) URL"),
        ("a.txt", b"https://example.com/" + b"x" * 20_000, None, "URL of more than 16,384 characters"),
        ("a.txt", b"https://example.com/" + b"x" * MAX_LINE_BYTES, "", "line of more than 1,048,576 bytes"),
        ("a.txt", b"sitemap:example.com/map.xml", "sitemap:example.com/map.xml", "not an http(s) URL"),
        ("a.txt", b"sitemap:", "sitemap:", "not an http(s) URL"),
        ("a.csv", b"sitemap:sitemap:https://x/,b", "sitemap:sitemap:https://x/", "not an http(s) URL"),
        ("a.jsonl", b'{"url": "sitemap:ftp://x/"}', "sitemap:ftp://x/", "not an http(s) URL"),
        ("a.csv", b",b", "", "no URL"),
        ("a.csv", b"htp://x,b", "htp://x", "not an http(s) URL"),
        (
            "a.csv",
            b"https://x/1,2,3",
            "https://x/1,2,3",
            "3 values for 2 columns (put a value that holds ',' in quotes)",
        ),
        ("a.csv", b'"' + b"x" * 200_000 + b'"', "", "not readable as CSV (field larger than field limit (131072))"),
        ("a.csv", b"https://x/," + b"\xe9", r"https://x/,\xe9", "not UTF-8 text"),
        ("a.jsonl", b"https://example.com/", None, "not a JSON object ("),
        ("a.jsonl", b'"https://x/"', '"https://x/"', "not a JSON object (Expected `object`, got `str`)"),
        ("a.jsonl", b'{"uri": "x"}', '{"uri": "x"}', "no key 'url' with a text in this object"),
        ("a.jsonl", b'{"url": 7}', '{"url": 7}', "no key 'url' with a text in this object"),
        ("a.jsonl", b'{"url": "x"}', "x", "not an http(s) URL"),
        ("a.jsonl", b'{"url": "https://x/", "y": "\\ud800"}', None, "not a JSON object ("),
        ("a.jsonl", b'{"a":' * 50_000, None, "not a JSON object ("),
    ],
)
def test_a_bad_line_is_named_and_the_others_count(write, name, line, value, why):
    good = {
        "a.txt": (b"https://example.com/1", b"https://example.com/2"),
        "a.csv": (b"url,b\nhttps://example.com/1,", b"https://example.com/2,"),
        "a.jsonl": (b'{"url": "https://example.com/1"}', b'{"url": "https://example.com/2"}'),
    }[name]
    path = write(name, good[0] + b"\n" + line + b"\n" + good[1] + b"\n")
    seeds, bad = seeds_of(path)
    assert [seed.url for seed in seeds] == ["https://example.com/1", "https://example.com/2"]
    assert len(bad) == 1
    assert bad[0].place == f"{path}:{3 if name == 'a.csv' else 2}"
    assert bad[0].why.startswith(why)
    assert str(bad[0]).isprintable()
    assert len(bad[0].value) <= 100 * 4
    if value is not None:
        assert bad[0].value == value


def test_a_bad_seed_reads_as_one_line():
    bad = BadSeed("seeds/a.txt:12", "htp://x", "not an http(s) URL")
    assert str(bad) == "seeds/a.txt:12: not an http(s) URL: 'htp://x'"
    assert str(BadSeed("a.csv:3", "", "no URL")) == "a.csv:3: no URL"


def test_a_row_over_several_lines_is_named_by_its_first(write):
    path = write("a.csv", 'url,note\nhttps://x/1,"two\nlines"\nhtp://x,"two\nlines"\nhttps://x/2,\n')
    seeds, bad = seeds_of(path)
    assert seeds[0].extra == {"note": "two\nlines"}
    assert [seed.url for seed in seeds] == ["https://x/1", "https://x/2"]
    assert [seed.place for seed in bad] == [f"{path}:4"]


def test_an_open_quotation_mark_costs_no_more_than_its_row(write):
    lines = ['"x",' + "y" * 100_000 + "\n"] * 4
    rows = ["url,a\n", "https://x/1,\n", '"', *['a\n","b' * 20 for _ in range(20_000)], "\n", '"\n', *lines]
    path = write("a.csv", "".join(rows) + "https://x/2,\n")
    seeds, bad = seeds_of(path)
    assert seeds[0].url == "https://x/1"
    assert "is a quotation mark missing?" in bad[0].why


def test_bad_lines_of_standard_input_are_named_too():
    _, bad = seeds_of("-", stdin=io.BytesIO(b"https://x/\nhtp://x\n"))
    assert bad[0].place == "standard input:2"


def test_on_bad_may_stop_the_reading(write):
    def strict(bad):
        raise SeedError(str(bad))

    with pytest.raises(SeedError, match=r"a\.txt:2: not an http\(s\) URL: 'htp://x'"):
        list(read_seeds([str(write("a.txt", "https://x/\nhtp://x\n"))], strict))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("example.com", "'example.com' is neither an http(s) URL nor a file; did you mean https://example.com ?"),
        (
            "localhost:80/a",
            "'localhost:80/a' is neither an http(s) URL nor a file; did you mean http://localhost:80/a ?",
        ),
        ("nothing", "'nothing' is neither an http(s) URL nor a file"),
        ("nothing/at/all", "'nothing/at/all' is neither an http(s) URL nor a file"),
        ("seeds.txt", "no such file of seeds: 'seeds.txt'"),
        ("./example.com", "no such file of seeds: './example.com'"),
        ("seeds.txt/x.gz", "no such file of seeds: 'seeds.txt/x.gz'"),
        ("a\0.txt", r"no such file of seeds: 'a\x00.txt'"),
        ("ftp://example.com/", "not an http(s) URL: 'ftp://example.com/'"),
        ("htp://example.com/", "not an http(s) URL: 'htp://example.com/'"),
        ("http://", "not an http(s) URL: 'http://'"),
        ("sitemap:", "not an http(s) URL: 'sitemap:'"),
        ("sitemap:map.xml", "not an http(s) URL: 'sitemap:map.xml'"),
        ("Sitemap:file:///etc/passwd", "not an http(s) URL: 'Sitemap:file:///etc/passwd'"),
        ("\x1b[2Jx.com", r"'\x1b[2Jx.com' is neither an http(s) URL nor a file"),
        ("", "a seed is empty: name a URL, a file of URLs, or - for standard input"),
        (".", "'.' is a folder; name the files of seeds in it"),
        ("/dev/null", "'/dev/null' is not a regular file; pipe it in and give - as the seed"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_before_any_seed_is_read(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    for refuse in (lambda: read_seeds(["https://example.com/", source], print), lambda: fingerprint([source])):
        with pytest.raises(SeedError) as caught:
            refuse()
        assert str(caught.value) == message


def test_no_sources_and_no_standard_input_are_refused():
    assert refusal() == "no seeds given: name a URL, a file of URLs, or - for standard input"
    assert refusal("-") == "standard input (-) is a source of seeds, but there is none"
    assert "given twice" in refusal("-", "-", stdin=io.BytesIO(b"https://x/"))


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.txt.gz", "a"])
@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(write, name, content):
    path = write(name, content)
    assert refusal(path) == f"no seeds in {path}"


def test_a_file_of_bad_lines_alone_is_refused_after_naming_them(write):
    path = write("a.txt", "x\ny\n")
    bad = []
    with pytest.raises(SeedError, match=r"no seeds in .*a\.txt \(bad lines: 2\)"):
        list(read_seeds([str(path)], bad.append))
    assert [seed.value for seed in bad] == ["x", "y"]


def test_an_empty_file_among_others_is_a_bad_seed(write):
    empty = write("empty.txt", "")
    seeds, bad = seeds_of(empty, "https://example.com/")
    assert len(seeds) == 1
    assert [str(seed) for seed in bad] == [f"{empty}: no seeds in it"]


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"https://example.com/\n\0",
        random.Random(1).randbytes(5000),
        b"\x01\x02\x03\x04https://example.com/",
        gzip.compress(b"\x7fELF\2\1\1\0", mtime=0),
        "https://example.com/\n".encode("utf-16"),
    ],
    ids=["png", "nul", "noise", "controls", "gzip of elf", "utf-16"],
)
@pytest.mark.parametrize("name", ["a.txt", "a.csv.gz", "a"])
def test_a_binary_file_is_refused_by_name(write, name, content):
    path = write(name, content)
    assert refusal(path).startswith(f"{path} looks binary")


def test_damaged_gzip_is_refused_by_name(write):
    path = write("a.txt.gz", gzip.compress(random.Random(1).randbytes(9).hex().encode() * 9, mtime=0)[:-12])
    assert refusal(path).startswith(f"{path}: damaged gzip file")


def test_csv_without_a_column_url_says_what_stands_there(write):
    path = write("a.csv", "name,link\nx,https://example.com/\n")
    assert refusal(path) == (f"{path}:1: no column 'url'; the first line must name the columns, but it is 'name,link'")
    assert "two columns are called 'a'" in refusal(write("b.csv", "url,a,a\n"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused_by_name(write):
    path = write("a.txt", "https://example.com/")
    path.chmod(0)
    assert refusal(path) == f"cannot read {path}: Permission denied"


def test_memory_does_not_grow_with_lines_or_their_length(tmp_path):
    path = tmp_path / "many.txt.gz"
    with gzip.open(path, "wt", compresslevel=1) as many:
        many.writelines(f"https://example.com/{number}\n" for number in range(20_000))
        many.write("x" * (20 << 20) + "\nhttps://example.com/last\n")
    bad = []
    tracemalloc.start()
    try:
        (last,) = deque(read_seeds([str(path)], bad.append), maxlen=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert last.url == "https://example.com/last"
    assert [seed.place for seed in bad] == [f"{path}:20001"]
    assert peak < 8 << 20


def test_files_are_closed_when_the_reader_stops_early(write):
    seeds = read_seeds([str(write("a.txt", TEXT))], print)
    next(seeds)
    seeds.close()  # an open file would be a ResourceWarning, and warnings are errors


def test_standard_input_is_left_open():
    stdin = io.BytesIO(TEXT)
    assert urls_of("-", stdin=stdin) == TEXT_URLS
    assert not stdin.closed


def test_fingerprint_is_of_the_contents(write):
    one, same, other = write("1.txt", TEXT), write("2.txt", TEXT), write("3.txt", TEXT + b"# more\n")
    prints = [fingerprint([str(path)]) for path in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]
    assert len(prints[0]) == 16
    assert int(prints[0], 16) >= 0
    assert fingerprint(["-"], io.BytesIO(TEXT)) == prints[0]
    assert fingerprint(["https://example.com"]) == fingerprint(["HTTPS://EXAMPLE.com:443/#x"])


def test_fingerprint_tells_sources_and_their_order_apart(write):
    texts = [b"a", b"b", b"ab", b"", b"afile\0b"]
    a, b, ab, none, joined = (str(write(f"{n}.txt", text)) for n, text in enumerate(texts))
    lists = [[a, b], [b, a], [ab], [ab, none], [none, ab], [joined], ["https://x/a"], ["https://x/a", "https://x/b"]]
    lists += [["sitemap:https://x/a"], ["sitemap:https://x/a", "https://x/b"], ["https://x/a", "sitemap:https://x/b"]]
    assert len({fingerprint(sources) for sources in lists}) == len(lists)


def test_spooled_standard_input_is_the_same_bytes_and_has_no_name(tmp_path):
    content = random.Random(1).randbytes(3_000_000)
    with spool(io.BytesIO(content), tmp_path) as copy:
        assert copy.read() == content
        assert os.listdir(tmp_path) == []


def test_spool_that_cannot_be_written_is_a_storage_failure(tmp_path):
    with pytest.raises(StorageError, match="cannot keep standard input in"):
        spool(io.BytesIO(b"x"), tmp_path / "none")


@table(
    ("source", "answer"),
    [
        ("a.txt", True),
        ("a.CSV.GZ", True),
        ("b.gz", True),
        ("/a", True),
        ("../a", True),
        ("~/a", True),
        ("example.com", False),
        ("example.com/a", False),
        ("https://example.com/a.txt", True),
        ("-", False),
    ],
)
def test_looks_like_file(source, answer):
    assert looks_like_file(source) is answer


SAMPLES = Path(__file__).parents[2] / "seeds"


@table("path", [p for p in sorted(SAMPLES.iterdir()) if p.suffix != ".md"], ids=lambda p: p.name)
def test_the_sample_seed_lists_have_no_bad_line(path):
    seeds, bad = seeds_of(path)
    assert seeds
    assert not bad
