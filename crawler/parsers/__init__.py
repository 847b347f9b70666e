"""Processes that read pages: bytes in, records and links out.

Owns: the parser processes, their inboxes and pipes, the batches under way; what pages of each host cost.
Runs: `intake` in the event loop, `supervision` in one collector thread, `dispatch` in both; `worker` and `reading/` in
each parser, which begins in `beginning`; `inline` in this process.
For others: `chosen` (which kind reads), `pool`, `batch`, `spawning`, `memory`.
"""
