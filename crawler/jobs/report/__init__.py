"""What a job tells of itself as a whole: tables, charts of them, and one page of HTML.

Owns: nothing; it reads a job and returns values.
Runs: where it is called; over a large job in two processes (`half`). matplotlib and jinja2 are imported when a page is
made.
For others: `report`, `table`, `charts`, `page` and `images`.
"""
