"""Outputs in object storage: files are written here, closed at a commit, and sent after it.

Owns: the files that wait to be sent.
Runs: in the ledger's thread.
For others: `remote`, `object_storage`.
"""
