"""The transport of `requests`, in threads: for its plug-ins, and to compare with.

Owns: a session and its threads. Leans on private parts of urllib3, all of them in `connections` and `response`.
Runs: in threads of its own; its callers are in the event loop.
For others: `transport`.
"""
