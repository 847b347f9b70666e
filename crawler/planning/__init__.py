"""Says before a crawl what it will be, and of a job what other settings would have done to it.

Owns: the estimates, and the temporary job of the sample from which they are made.
Runs: the sample in the event loop, as any crawl; what is read of its store, in a thread; `library` in the caller's.
For others: `library`, `planner`, `plan` and `pages`; `what_if`.
"""
