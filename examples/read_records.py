"""Read what a crawl wrote, as typed values: a line that is not a record is an error that says where.

    python examples/read_records.py output/example/pages.jsonl

A file written with --fields has fewer fields: read it with a class of your own that has only those.
"""

import sys
from collections import Counter
from pathlib import Path

import msgspec

from crawler import Record


def read_records(path):
    decoder = msgspec.json.Decoder(Record)
    with path.open("rb") as lines:  # one at a time: the file may be larger than memory
        for line in lines:
            yield decoder.decode(line)


statuses, linked = Counter(), Counter()
for record in read_records(Path(sys.argv[1])):
    statuses[record.status] += 1
    linked.update(record.links)
    print(record.status, record.url, record.title or "")
print("statuses:", dict(statuses))
print("linked most:", *(f"{count} x {url}" for url, count in linked.most_common(3)), sep="\n  ")
