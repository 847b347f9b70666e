"""Turns the stages: how a crawl begins, runs, drains and ends, and how a program takes its records.

Owns: the order of start and end; counters of the run.
Runs: in the event loop; `library` and `extract` start a thread with a loop of its own.
For others: `crawler`, `library`, `extract`, `extraction`, `archive`, `try_page`; `member` is for a ring that is one
shard of several; `steering` is for people who change a crawl; `bottleneck` and `who_holds` say what limits it;
`call_settings` and `keywords` are how functions are told settings, `temporary_folder` and `job_folder` where a job lies
that goes. The other files serve those.
"""
