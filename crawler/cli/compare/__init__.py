"""The strategies compared on one crawl: `crawler compare`.

Owns: the measurements, in output/compare.
Runs: `run` in the main process; each measurement (`child`) in a process of its own.
For others: `plan`, `run`, `results` and `charts`.
"""
