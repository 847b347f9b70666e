"""The layers of docs/design.md and CONTRIBUTING.md, read from the imports themselves.

A module imports only from lower layers. Inside a layer only what `SIDEWAYS` lists is allowed. An import inside a
function or under TYPE_CHECKING counts as well. A new module needs a place in `LAYERS`, else a test fails and says so.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "crawler"

# A name that ends in ".*" stands for a sub-package with its `__init__`.
LAYERS = (
    {
        "errors",
        "model",
        "config",
        "stats",
        "counters",
        "version",
    },
    {
        "urls",
        "suffixes",
        "dates",
        "traps",
        "scope",
        "redirect",
        "robots",
        "retry",
        "politeness",
        "host",
        "site",
        "credentials",
        "cookies",
        "sniff",
        "charset",
        "extract",
        "answer",
        "page",
        "page_values",
        "simhash",
        "router",
        "encode",
        "mishap",
        "fields.*",
        "arrow.*",
        "warc",
        "sitemap",
        "sitemap_body",
        "printable",
        "refusal",
        "extras",
    },
    {
        "seeds",
        "seed_lines",
        "store",
        "frontier",
        "window",
        "duplicates",
        "job",
        "limits",
        "memory_limit",
        "large_body",
        "lag",
        "event_loop",
        "failure_log",
        "one_thread",
        "spawning",
        "by_value",
        "archive",
        "transport.*",
        "sinks.*",
    },
    {
        "opening",
        "fetcher",
        "request",
        "robots_fetch",
        "verdict",
        "batch",
        "parsing",
        "parsers",
        "inline_parsers",
        "worker",
        "page_end",
        "parse",
        "spider",
        "spider_page",
        "new_links",
        "sitemap_page",
        "ledger",
        "record_stream",
    },
    {
        "crawler",
        "extract_archive",
    },
    {
        "__init__",
        "__main__",
        "cli.*",
        "library",
        "call_settings",
        "try_page",
        "new.*",
        "report.*",
        "demo.*",
        "compare.*",
    },
)

SIDEWAYS = {
    "config": {"errors", "model", "version"},
    "urls": {"printable"},
    "scope": {"suffixes", "urls"},
    "redirect": {"scope", "urls"},
    "site": {"retry", "robots"},
    "cookies": {"dates", "suffixes", "urls"},
    "retry": {"dates"},
    "extract": {"charset", "urls"},
    "answer": {"charset", "dates", "extract", "page_values", "sniff"},
    "page": {"answer", "extract", "page_values", "simhash", "urls"},
    "router": {"page"},
    "fields.*": {"dates", "extract", "fields.*", "page", "printable"},
    "arrow.*": {"arrow.*", "extras", "printable"},
    "warc": {"extras"},
    "sitemap": {"robots", "sitemap_body", "urls"},
    "host": {"politeness", "robots"},
    "seeds": {"seed_lines"},
    "frontier": {"duplicates", "store", "window"},
    "window": {"store"},
    "duplicates": {"store"},
    "job": {"large_body", "sinks.*", "store"},
    "archive": {"transport.*"},
    "transport.*": {"limits", "transport.*"},
    "sinks.*": {"sinks.*"},
    "fetcher": {"request", "robots_fetch", "verdict"},
    "parsers": {"batch", "parse", "worker"},
    "parsing": {"inline_parsers", "parsers"},
    "inline_parsers": {"page_end", "parse"},
    "worker": {"page_end", "parse"},
    "page_end": {"parse"},
    "parse": {"new_links", "sitemap_page", "spider", "spider_page"},
    "spider_page": {"new_links"},
    "report.*": {"report.*"},
    "demo.*": {"demo.*"},
    "compare.*": {"compare.*", "demo.*"},
    "cli.*": {"cli.*", "compare.*", "demo.*", "new.*", "report.*", "try_page"},
    "library": {"call_settings"},
    "__init__": {"library"},
    "__main__": {"cli.*"},
}

# A module of a user that wants to exit while `spider` imports it must not: it only catches that.
MAY_EXIT = {"cli.crawl", "cli.extract", "__main__", "worker", "demo.server", "spider"}
# Signals belong to the command line. A parser and the demo's server are processes of their own: Ctrl-C reaches them
# too, and they have to ignore it, because a crawl that drains still needs them.
MAY_SIGNAL = {"cli.signals", "worker", "demo.server"}
MAY_PARSE = {"answer", "charset", "extract", "page"}


def module_name(path: Path) -> str:
    """`crawler/transport/base.py` -> `transport.base`; a package's `__init__` is its own last part."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def group(module: str) -> str:
    """The name under which `LAYERS` knows a module."""
    return f"{module.partition('.')[0]}.*" if "." in module else module


def layer(module: str) -> int | None:
    return next((number for number, names in enumerate(LAYERS) if group(module) in names), None)


def imports(source: str, module: str) -> Iterator[str]:
    """Every dotted name that `source` imports, wherever in the file, as absolute names."""
    package = ["crawler", *module.split(".")[:-1]]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=base, names=names, level=level):
                start = package[: len(package) - level + 1] if level else []
                parts = [*start, *([base] if base else [])]
                yield from (".".join([*parts, alias.name]) for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def target(dotted: str, modules: set[str]) -> str | None:
    """The module of this package that `dotted` names or stands in, or None for another package."""
    first, *rest = dotted.split(".")
    if first != "crawler":
        return None
    for attributes in (0, 1):  # the last part may be a name inside the module
        name = ".".join(rest[: len(rest) - attributes])
        if len(rest) < attributes:
            continue
        if name in modules:
            return name
        init = f"{name}.__init__".lstrip(".")
        if init in modules:
            return init
    raise AssertionError(f"{dotted}: no such module")


def violation(module: str, dotted: str, modules: set[str]) -> str | None:
    """What is wrong with `module` importing `dotted`, or None."""
    to = target(dotted, modules)
    if to is None or to == module:
        return None
    mine, its = layer(module), layer(to)
    assert mine is not None
    assert its is not None
    if its > mine:
        return f"{module} (layer {mine}) imports {to} (layer {its}): upwards"
    if its == mine and group(to) not in SIDEWAYS.get(group(module), set()):
        return f"{module} imports {to} in the same layer {mine}, which SIDEWAYS does not list"
    return None


def exits(source: str) -> Iterator[int]:
    """Line numbers at which `source` ends the process."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Attribute(value=ast.Name(id="sys"), attr="exit")
                | ast.Attribute(value=ast.Name(id="os"), attr="_exit")
            ):
                yield node.lineno
            case ast.ImportFrom(module="sys" | "os", names=names) if {"exit", "_exit"} & {n.name for n in names}:
                yield node.lineno
            case ast.Name(id="SystemExit", ctx=ast.Load()):
                yield node.lineno
            case ast.Call(func=ast.Name(id="exit" | "quit")):
                yield node.lineno


def importers(package: str) -> set[str]:
    """Modules that import `package` or something in it."""
    return {
        module
        for module, path in MODULES.items()
        if any(name.partition(".")[0] == package for name in imports(path.read_text("utf-8"), module))
    }


def test_every_module_has_a_place_in_the_layers():
    homeless = [module for module in MODULES if layer(module) is None]
    assert not homeless, f"assign to a layer in {Path(__file__).name}: {homeless}"


@pytest.mark.parametrize("page", ["docs/design.md", "CONTRIBUTING.md"])
def test_the_pages_that_show_the_layers_show_these(page: str):
    lines = re.findall(r"^    L\d [a-z]+ +(.+)$", (PACKAGE.parent / page).read_text("utf-8"), re.MULTILINE)
    assert tuple({name.replace("/", ".*") for name in line.split()} for line in lines) == LAYERS


def test_every_import_that_is_allowed_inside_a_layer_is_made():
    made = {
        (group(module), group(to))
        for module, path in MODULES.items()
        for name in imports(path.read_text("utf-8"), module)
        if (to := target(name, set(MODULES))) not in (None, module)
    }
    assert not {(of, to) for of, names in SIDEWAYS.items() for to in names} - made


def test_no_name_stands_in_two_layers():
    names = [name for names in LAYERS for name in names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", [module for module in MODULES if layer(module) is not None])
def test_a_module_imports_only_from_lower_layers(module: str):
    modules = {name for name in MODULES if layer(name) is not None}
    source = MODULES[module].read_text("utf-8")
    found = [violation(module, name, modules) for name in imports(source, module)]
    assert not [text for text in found if text]


def test_no_modules_import_each_other_in_a_circle():
    graph = {
        module: {
            to
            for name in imports(path.read_text("utf-8"), module)
            if (to := target(name, set(MODULES))) not in (None, module)
        }
        for module, path in MODULES.items()
    }
    while graph:
        leaves = {module for module, to in graph.items() if not to & graph.keys()}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {module: to for module, to in graph.items() if module not in leaves}


def test_only_the_fronts_of_processes_handle_signals():
    assert importers("signal") <= MAY_SIGNAL


def test_only_the_fronts_of_processes_end_them():
    ending = {module for module, path in MODULES.items() if list(exits(path.read_text("utf-8")))}
    assert ending <= MAY_EXIT


def test_only_extract_knows_the_html_parser():
    assert importers("turbohtml") <= MAY_PARSE


KNOWN = {"__init__", "crawler", "urls", "scope", "retry", "transport.__init__", "transport.base", "report.screen"}


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("scope", "from crawler.urls import authority", None),
        ("scope", "from crawler import urls", None),
        ("crawler", "import crawler.transport.base", None),
        ("urls", "from crawler import __version__", "upwards"),
        ("urls", "import os", None),
        ("urls", "from crawler.scope import Scope", "same layer"),
        ("urls", "from crawler import retry", "same layer"),
        ("retry", "def f():\n    from crawler.crawler import Crawler", "upwards"),
        ("retry", "if TYPE_CHECKING:\n    import crawler.report.screen", "upwards"),
        ("retry", "from crawler import Crawler", "upwards"),
        ("transport.base", "from ..crawler import Crawler", "upwards"),
        ("transport.base", "from . import base", None),
        ("urls", "importlib.import_module('crawler.crawler')", "upwards"),
    ],
)
def test_the_check_sees_every_form_of_import(module: str, source: str, wrong: str | None):
    found = [text for name in imports(source, module) if (text := violation(module, name, KNOWN))]
    assert (wrong is None) == (not found)
    assert all(wrong in text for text in found)


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.exit(1)",
        "from os import _exit",
        "raise SystemExit(2)",
        "exit()",
        "import os\ndef f():\n    os._exit(1)",
    ],
)
def test_the_check_sees_every_way_to_end_a_process(source: str):
    assert list(exits(source))
