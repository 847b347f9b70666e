"""Values and small tools that every other folder may use, and that know nothing of the web.

Owns: errors, the settings of a crawl, the messages that travel round the ring, counters; dates, text, threads.
Runs: wherever it is called. Nothing here keeps state but `threads.OneThread`, which is its caller's.
For others: every file.
"""
