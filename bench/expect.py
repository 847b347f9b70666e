"""What it costs the ledger to count fields of records: microseconds a record, by its size and the fields asked for.

    python -m bench.expect

Processor time, the best of five rounds. The rest of the ledger takes about 100 µs a page.
"""

import time

from crawler.core.json_line import json_line
from crawler.ledger.sinks.coverage import FieldCounter

ROUNDS = 5
RECORDS = 2_000
SIZES = (500, 5_000, 30_000)
ASKED = {
    "one field": ("title",),
    "five fields": ("title", "text", "language", "links", "canonical"),
    "nested": ("seed.city",),
}


def record(size: int) -> bytes:
    return json_line(
        {
            "url": "https://example.com/a/page",
            "status": 200,
            "title": "A page",
            "language": "en",
            "canonical": None,
            "text": "word " * (size // 10),
            "links": [f"https://example.com/{number:06}" for number in range(size // 64)],
            "seed": {"city": "Bern"},
        }
    )


def main() -> None:
    print("| record | " + " | ".join(ASKED) + " |\n| --- |" + " --- |" * len(ASKED))
    for size in SIZES:
        line = record(size)
        cells = []
        for paths in ASKED.values():
            best = float("inf")
            for _ in range(ROUNDS):
                counter = FieldCounter(paths)
                before = time.process_time()
                for _ in range(RECORDS):
                    counter.add_line(line)
                best = min(best, time.process_time() - before)
            cells.append(f"{1e6 * best / RECORDS:.1f} µs")
        print(f"| {len(line):,} bytes | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
