"""Downloads what is due, politely.

Owns: hosts' clocks, their robots.txt, cookies, the requests under way.
Runs: in the event loop.
For others: `fetcher`; `request`, `robots_fetch` and `verdict` for `crawler try`; the network seam, `transport/`.
"""
