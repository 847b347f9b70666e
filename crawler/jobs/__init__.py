"""A job as others see it: what became of its URLs, and why; asked beside a running crawl, or when none runs.

Owns: the public class `Job`, which opens a job's folder for reading, and what it answers: one file for each question.
Runs: in whatever thread asks. A view of the store belongs to the thread that uses it.
For others: every file.
"""
