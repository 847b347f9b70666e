"""What a person is told about a crawl: live display, log lines, summary. Knows nothing of the commands.

Owns: the last figures, to tell rates from.
Runs: `progress` in a thread of its own; the others in the main thread.
For others: `plan_text`, `what_if_text`, `progress`, `summary`, `ending`, `look` and `certificates`.
"""
