"""Downloads what is due, politely.

Owns: hosts' clocks, their robots.txt, cookies, the requests under way.
Runs: in the event loop.
For others: `fetcher`; `host`, for what it has remembered; the network seam, `transport/`.
"""
