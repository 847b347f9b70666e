"""Tells a browser, or a monitoring system on this machine, how a crawl goes.

Owns: the local HTTP servers of a run and what stands on their pages. It is given what it shows, and imports no stage.
Runs: in the event loop, beside the fetcher.
For others: `dashboard`, `metrics`, `otlp`, `recent` and `watched`.
"""
