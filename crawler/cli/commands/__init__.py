"""One file for each group of commands: options in, one call of the library, an exit code out.

Owns: no state.
Runs: in the main thread.
For others: nothing. The command line itself, above, calls them.
"""
