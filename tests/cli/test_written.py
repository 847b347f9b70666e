"""What is written from the table of settings is up to date; CRAWLER_WRITE_DOCS=1 writes it all again."""

import inspect
import re
import textwrap
import types
import typing
from pathlib import Path

import click

import crawler
from crawler.cli.entry import cli
from crawler.cli.settings import GROUPS, SETTINGS
from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from tests.support.written import check_or_write

ROOT = Path(__file__).parents[2]

KEYWORDS = '''"""Types of the keyword arguments of `crawler.crawl` and `crawler.extract`, for editors.

Written from the table of settings in `core.config` by tests/cli/test_written.py; do not edit. To write it again:

    CRAWLER_WRITE_DOCS=1 .venv/bin/python -m pytest tests/cli/test_written.py
"""

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from crawler.core.model import Rotation

__all__ = ["ExtractSettings", "PathLike", "Settings"]

PathLike = str | os.PathLike[str]


class Settings(TypedDict, total=False):
    """Keyword arguments of `crawler.crawl`. Times are seconds, sizes bytes, None means "no limit"."""

'''


EXTRACT_KEYWORDS = '''

class ExtractSettings(TypedDict, total=False):
    """Keyword arguments of `crawler.extract`. Times are seconds, sizes bytes, None means "no limit"."""

'''


def option_tables():
    """Return the tables of all options, made from the definitions of the commands."""
    groups = {setting.name: title for title, group in GROUPS.items() for setting in group}
    parts = []
    shared = {option.name for option in cli.commands["crawl"].params}  # a plan takes all of them
    for name, command in cli.commands.items():
        sections = {title: [] for title in GROUPS} if name == "crawl" else {}
        for option in command.params:
            if (
                isinstance(option, click.Option)
                and not option.hidden
                and not (name == "plan" and option.name in shared)
            ):
                title = groups.get(option.name.replace("_", "-"), "More") if name == "crawl" else ""
                sections.setdefault(title, []).append(option_row(option))
        parts.append(f"### `crawler {name}`\n\n{command.help.splitlines()[0]}\n")
        for title, rows in sections.items():
            heading = f"**{title}**\n\n" if title else ""
            parts.append(heading + "| option | default | what it does |\n| --- | --- | --- |\n" + "".join(rows))
    return "\n".join(parts)


def option_row(option):
    text, _, default = option.help.partition("  [")
    metavar = f" {option.metavar}" if option.metavar and not option.is_flag else ""
    names = f"{', '.join(option.opts)}{metavar}".replace("|", "\\|")
    return f"| `{names}` | {'`' + default.rstrip(']') + '`' if default else ''} | {text} |\n"


def keyword(setting):
    """Return the lines of a keyword argument: its type, and its help as what editors show."""
    kind = setting.kind.argument or written(typing.get_type_hints(CrawlConfig)[setting.field])
    default = repr(setting.default)
    if setting.default is None and setting.shown_default not in ("none", ""):
        default = f"None, {setting.shown_default}"
    elif setting.default_text:
        default = setting.default_text
    said = textwrap.wrap(f'"""{setting.help} Default: {default}.', 112, break_on_hyphens=False)
    last = f'{said[-1]}"""'
    return "\n".join(f"    {line}" for line in (f"{setting.field}: {kind}", *said[:-1], last))


def written(kind):
    """Return a type as it is written."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " | ".join(map(written, typing.get_args(kind)))
    if typing.get_origin(kind) is typing.Literal:
        return "Literal[" + ", ".join(f'"{name}"' for name in typing.get_args(kind)) + "]"
    return "None" if kind is type(None) else kind.__name__


def test_the_options_in_the_documentation_are_those_of_the_program():
    path = ROOT / "docs/cli.md"
    parts = re.fullmatch(
        r"(.*<!-- Begin of the part .*?-->\n)(.*)(<!-- End of that part\. -->\n.*)", path.read_text("utf-8"), re.DOTALL
    )
    assert parts
    check_or_write(path, f"{parts[1]}\n{option_tables()}\n{parts[3]}")


def test_editors_know_all_keyword_arguments_of_crawl_and_extract_and_their_types():
    own = inspect.signature(crawler.crawl).parameters
    keywords = [keyword(setting) for setting in CRAWL_SETTINGS if setting.field not in {*own, "spider"}]
    own = inspect.signature(crawler.extract).parameters
    extract = [keyword(setting) for setting in CRAWL_SETTINGS if setting.is_of("extract") and setting.field not in own]
    text = KEYWORDS + "\n".join(keywords) + "\n" + EXTRACT_KEYWORDS + "\n".join(extract) + "\n"
    check_or_write(ROOT / "crawler/ring/keywords.py", text)


def test_every_setting_has_one_option_of_its_own():
    assert len({setting.name for setting in SETTINGS}) == len({setting.field for setting in SETTINGS}) == len(SETTINGS)
