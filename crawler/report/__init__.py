"""What a person is told about a crawl: live display, log lines, summary."""

from crawler.report.progress import Progress, ProgressMode
from crawler.report.summary import Summary, print_summary, write_summary

__all__ = ["Progress", "ProgressMode", "Summary", "print_summary", "write_summary"]
