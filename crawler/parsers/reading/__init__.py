"""What a parser does with one page.

Owns: a parser's caches of links (`PageReader`), which change speed and never an outcome.
Runs: in a parser.
For others: `reader`, `settings`, `page_end` and `whole_body`.
"""
