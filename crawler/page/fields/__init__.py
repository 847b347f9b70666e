"""Fields found in a page by CSS selectors or XPath instead of code.

Owns: how a field is written down (`lines`), checked (`selectors`), found (`find`) and turned into a value (`values`).
Runs: `lines` where settings are read; the others in a parser.
For others: `lines` and `find`.
"""
