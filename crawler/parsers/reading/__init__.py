"""What a parser does with one page.

Owns: a parser's caches of links (`ParserState`), which change speed and never an outcome.
Runs: in a parser.
For others: `parse` and `page_end`.
"""
