"""What `crawler doctor` looks at: whether this machine lets a crawl do what it has to.

Owns: no state. Changes nothing but a file of its own in the folder that it looks at, which it removes.
Runs: in the main thread of that command.
For others: `finding`, `machine` and `program`.
"""
