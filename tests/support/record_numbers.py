"""Whether the rows of a job's store know their records: the numbers in them, and the lines of an output."""

import json
from pathlib import Path

from crawler.frontier.store import Store

__all__ = ["check_record_numbers"]


def check_record_numbers(job: Path, output: Path, *, apart: bool = True) -> None:
    """Fail unless each URL of an ended job finds its records by its row.

    `apart`: no URL was asked for again after it had records, so that those of each stand together.
    """
    lines = [json.loads(line)["url"] for line in output.read_bytes().splitlines()]
    told: list[int] = []
    with Store(job / "state", read_only=True) as store:
        for _, row in store.all_urls():
            assert (row.record < 0) == (row.records == 0), row
            mine = range(row.record, row.record + row.records if apart else row.record + 1) if row.records else ()
            told += mine
            if row.outcome != "redirected":  # the rows of its seeds have records of where it led
                assert [lines[number] for number in mine] == [row.url] * len(mine), row
    assert len(set(told)) == len(told), "one record is that of two URLs"
    if apart:
        assert sorted(told) == list(range(len(lines)))
