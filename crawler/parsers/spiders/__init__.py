"""Users' functions that read pages: found by name, sent to another process, called, and encoded.

Owns: no state.
Runs: `spider` and `by_value` in the main process and in each parser; the others in a parser.
For others: `spider`, `router`, `encode` and `mishap`.
"""
