"""In how many records fields have a value: the same whether they are counted as they are written or read back."""

import json

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.json_line import json_line
from crawler.core.model import Finished
from crawler.ledger.coverage import coverage_of_outputs
from crawler.ledger.sinks.coverage import CoverageSink, FieldCounter, counted
from crawler.ledger.sinks.outputs import sinks_for

RECORDS = [
    {"url": "a", "price": 0, "tags": ["x"], "offers": {"price": 1.5}, "text": "é\n", "a.b": 1, "flag": False},
    {"url": "b", "price": None, "tags": [], "offers": {"price": None}, "text": "", "a": {"b": None}, "flag": None},
    {"url": "c", "tags": [{"n": None}, {"n": 3}], "offers": [{"price": ""}, {"price": "9"}], "a": {"b": "x"}},
    {"url": "d", "price": "free", "tags": None, "offers": {}, "text": '"', "flag": True},
]
EXPECTED = {
    "price": 2,
    "tags": 2,
    "tags.n": 1,
    "offers.price": 2,
    "text": 2,
    "a.b": 2,
    "flag": 2,
    "nowhere": 0,
    "url": 4,
}
LINES = [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in RECORDS]


def finished(*lines: bytes) -> Finished:
    return Finished(url="http://a.example/", outcome="fetched", at=0.0, records=b"".join(lines))


def test_null_and_what_is_empty_are_no_value_and_paths_lead_into_objects_and_lists():
    counter = FieldCounter(tuple(EXPECTED))
    for line in LINES:
        counter.add_line(line)
    assert (counter.records, counter.values) == (4, EXPECTED)


def test_any_name_of_a_field_can_be_counted():
    names = ("ключ", "a b", "class", "__init__", "f0", "'", "é\u2028", "𝄞")
    counter = FieldCounter(names)
    counter.add_line(json_line(dict.fromkeys(names, 1)))
    assert counter.values == dict.fromkeys(names, 1)


def test_counts_go_on_from_the_commit_and_forget_what_was_not_committed():
    sink = CoverageSink(("price",))
    sink.open(None)
    sink.write([finished(LINES[0]), finished(LINES[1], LINES[2])])
    position = sink.flush()
    sink.write([finished(*LINES)])  # and killed
    again = CoverageSink(("price", "tags"))
    again.open(position)
    again.write([finished(LINES[3])])
    position = again.flush(last=True)
    assert counted(position, ["price"], 4).values == {"price": 2}
    assert counted(position, ["price", "tags"], 4) is None  # the first run did not count tags
    without = CoverageSink(("tags",))
    without.open(position)
    without.write([finished(LINES[3])])
    assert counted(without.flush(), ["price"], 5) is None


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".csv.gz", ".db", ".parquet"])
@pytest.mark.parametrize("rotate", [None, "2"])
def test_outputs_that_are_read_back_have_the_same_counts(tmp_path, ending, rotate):
    from crawler.core.setting_kinds import ROTATION

    if rotate and ending == ".db":
        return
    rotation = ROTATION.read(rotate, text=True) if rotate else None
    fields = ("url", "price", "tags", "offers", "text", "a", "a.b", "flag")
    config = CrawlConfig(output=(str(tmp_path / f"a{ending}"),), spider="m:f", rotate=rotation, fields=fields)
    (sink,) = sinks_for(config)
    sink.open(None)
    for line in LINES:
        sink.write([finished(line)])
    sink.flush(last=True)
    sink.committed()
    sink.close()
    coverage = coverage_of_outputs(config, tuple(EXPECTED), 4)
    assert (coverage.why_not, coverage.records, coverage.values) == ("", 4, EXPECTED)


def test_an_output_that_lacks_records_or_is_damaged_cannot_tell(tmp_path):
    output = tmp_path / "a.jsonl"
    config = CrawlConfig(job=tmp_path, output=(str(output),))
    output.write_bytes(b"".join(LINES))
    assert coverage_of_outputs(config, ("price",), 3).values == {"price": 1}  # the first three are committed
    assert "has 4 of the 9 records" in coverage_of_outputs(config, ("price",), 9).why_not
    output.write_bytes(LINES[0] + b'{"url"')
    assert "cannot be read" in coverage_of_outputs(config, ("price",), 4).why_not
    output.unlink()
    assert "cannot be read" in coverage_of_outputs(config, ("price",), 4).why_not
    assert (
        "no output that can be read"
        in coverage_of_outputs(CrawlConfig(job=tmp_path, output="-"), ("price",), 4).why_not
    )
