"""The command line. Only here are signals, the set-up of logging, the terminal and exit codes dealt with.

Owns: the terminal.
Runs: in the main thread of the main process.
For others: `entry`.

What is slow to import (rich, aiohttp, the store) is imported where it is needed: `crawler --help` needs none of it.
"""
