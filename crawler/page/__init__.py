"""What a page says, and what a spider sees of it.

Owns: the reading of HTML: character set, links, text, metadata, the three trees. Here alone the HTML parser is known.
Runs: in a parser (a process, or a thread with the strategies that have none).
For others: `page`, `raw_page` and `values`.
"""
