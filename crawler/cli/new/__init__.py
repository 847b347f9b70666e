"""Files to start from: `crawler new spider`.

Owns: the templates beside it.
Runs: in the main thread.
For others: `spider`.
"""
