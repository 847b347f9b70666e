"""Processes that read pages: bytes in, records and links out.

Owns: the parser processes, their inboxes and pipes, the batches under way.
Runs: `pool` in the event loop and one collector thread; `worker` and `reading/` in each parser; `inline` in this one.
For others: `chosen` (which kind reads), `pool`, `batch`, `spawning`, `memory`.
"""
