"""The house: which folder may import which, read from the imports themselves; docs/design.md prints the same.

A folder imports from folders below it and from itself. An import inside a function or under TYPE_CHECKING counts as
well. What a folder's `__init__` says is `For others` is all that other folders may use of it.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "crawler"
DESIGN = ROOT / "docs" / "design.md"

STAGES = (
    "core",
    "web",
    "page",
    "frontier",
    "fetcher",
    "parsers",
    "ledger",
    "shards",
    "jobs",
    "serve",
    "ring",
    "planning",
    "cluster",
)
MAY_IMPORT = {
    "core": (),
    "web": ("core",),
    "page": ("core", "web"),
    "frontier": ("core", "web"),
    "fetcher": ("core", "web"),
    "parsers": ("core", "web", "page"),
    "ledger": ("core", "web", "frontier"),
    "shards": ("core", "frontier", "ledger"),
    "jobs": ("core", "web", "frontier", "ledger", "shards"),
    "serve": ("core",),
    "ring": ("core", "web", "page", "frontier", "fetcher", "parsers", "ledger", "jobs", "serve"),
    "planning": ("core", "web", "frontier", "parsers", "ledger", "jobs", "ring"),
    "cluster": ("core", "web", "frontier", "parsers", "ledger", "shards", "ring"),
    # The ring starts what serves, for programs too.
    "cli": tuple(stage for stage in STAGES if stage not in ("serve", "shards")),
    "": (*STAGES, "cli"),  # __init__ and __main__
}
"""For each folder the other ones that it may import. Those inside it may import the same."""

INSIDE = {
    "page/fields": ("page",),
    "jobs": ("jobs/clustered",),
    "jobs/clustered": ("jobs",),
    "jobs/report": ("jobs",),
    "fetcher": ("fetcher/transport",),
    "fetcher/transport": ("fetcher/transport/aiohttp", "fetcher/transport/requests"),
    "fetcher/transport/aiohttp": ("fetcher/transport",),
    "fetcher/transport/requests": ("fetcher/transport",),
    "parsers": ("parsers/reading",),
    "parsers/reading": ("parsers/spiders",),
    "ledger": ("ledger/sinks",),
    "ledger/sinks": ("ledger/sinks/files", "ledger/sinks/remote"),
    "ledger/sinks/files": ("ledger/sinks", "ledger/tables"),
    "ledger/sinks/remote": ("ledger/sinks",),
    "cli": ("cli/commands",),
    "cli/commands": ("cli", "cli/compare", "cli/demo", "cli/doctor", "cli/new", "cli/report"),
    "cli/compare": ("cli/demo",),
    "cli/doctor": ("cli",),
}
"""For each folder those that it may import under the same roof."""

# A module of a user that wants to exit while `spider` imports it must not: it only catches that.
MAY_EXIT = {
    "cli/commands/plan",
    *("cli/watched", "cli/commands/extract", "cli/demo/server", "__main__"),
    "cluster/shard_actor",
    *("parsers/worker", "parsers/spiders/spider"),
}
# Signals belong to the command line. A parser and the demo's server are processes of their own: Ctrl-C reaches them
# too, and they have to ignore it, because a crawl that drains still needs them: from the first moment, so that whoever
# starts one blocks signals meanwhile.
MAY_SIGNAL = {"cli/signals", "cli/demo/server", "parsers/signs", "parsers/process", "parsers/worker"}
MAY_PARSE = {
    *("page/charset", "page/html", "page/main_part", "page/microdata", "page/page", "page/raw_page"),
    *("page/shadow_roots", "page/tables"),
}
MOST_AT_THE_TOP = 17
MOST_LINES_OF_A_FILE = 500
MOST_LINES_OF_A_CLASS = 265
MOST_METHODS = 20
VALUES = {"property", "cached_property", "once"}

MODULES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
"""Every module by its path below the package, such as `fetcher/transport/base`."""

FOLDERS = sorted(
    {module.rpartition("/")[0] for module in MODULES},
    key=lambda where: (["", *STAGES, "cli"].index(where.partition("/")[0]), where),
)


def folder(module: str) -> str:
    return module.rpartition("/")[0]


def top(module: str) -> str:
    return module.partition("/")[0] if "/" in module else ""


def is_above(one: str, other: str) -> bool:
    """Whether a folder is the other one or holds it. The package itself, with `__init__`, holds only its face."""
    return one == other or (one != "" and other.startswith(f"{one}/"))


def imports(source: str, module: str) -> Iterator[str]:
    """Every dotted name that `source` imports, wherever in the file, as absolute names."""
    package = ["crawler", *module.split("/")[:-1]]
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


def target(dotted: str, modules: "set[str] | dict[str, Path]") -> str | None:
    """The module of this package that `dotted` names or stands in, or None for another package."""
    first, *rest = dotted.split(".")
    if first != "crawler":
        return None
    for attributes in (0, 1):  # the last part may be a name inside the module
        if len(rest) < attributes:
            continue
        name = "/".join(rest[: len(rest) - attributes])
        if name in modules:
            return name
        init = f"{name}/__init__".lstrip("/")
        if init in modules:
            return init
    raise AssertionError(f"{dotted}: no such module")


@cache
def targets(module: str) -> set[str]:
    found = {target(name, MODULES) for name in imports(MODULES[module].read_text("utf-8"), module)}
    return {to for to in found if to is not None} - {module}


def violation(module: str, to: str) -> str | None:
    """What is wrong with `module` importing `to`, or None."""
    if top(module) != top(to):
        if top(to) == "" or top(to) not in MAY_IMPORT[top(module)]:
            return f"{module} imports {to}: {top(module) or 'the face'} may not import {top(to) or 'the face'}"
    elif folder(to) not in (folder(module), *INSIDE.get(folder(module), ())):
        return f"{module} imports {to}: {folder(module)}/ may not import {folder(to)}/"
    return None


def for_others(where: str) -> set[str] | None:
    """The files of a folder that others may use, as its `__init__` names them; None for all."""
    text = ast.get_docstring(ast.parse((PACKAGE / where / "__init__.py").read_text("utf-8"))) or ""
    said = re.search(r"^For others: (.*?)\.(?:\s|$)", text, re.MULTILINE | re.DOTALL)
    assert said, f"{where}/__init__.py does not say what of it is for others"
    return None if said[1].startswith("every file") else set(re.findall(r"`(\w+)[/.`]", said[1]))


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


def test_a_folder_imports_only_what_its_row_allows():
    wrong = [violation(module, to) for module in MODULES for to in sorted(targets(module))]
    assert not [text for text in wrong if text]


def test_every_row_is_of_a_folder_and_every_import_that_it_allows_is_made():
    made = {(folder(module), folder(to)) for module in MODULES for to in targets(module)}
    assert {name for name in MAY_IMPORT if name} == {top(module) for module in MODULES} - {""}
    assert {(of, to) for of, names in INSIDE.items() for to in names} <= made
    tops = {(of.partition("/")[0], to.partition("/")[0]) for of, to in made}
    assert {(of, to) for of, names in MAY_IMPORT.items() for to in names if of} <= tops


def test_no_row_allows_a_stage_to_import_one_above_it():
    order = [*STAGES, "cli", ""]
    assert not [
        (of, to) for of, names in MAY_IMPORT.items() for to in names if order.index(to) >= order.index(of)
    ]  # fmt: skip


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: targets(module) for module in MODULES}
    while graph:
        leaves = {module for module, to in graph.items() if not to & graph.keys()}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {module: to for module, to in graph.items() if module not in leaves}


def test_the_init_of_a_folder_is_a_docstring_that_says_what_it_owns_where_it_runs_and_what_is_for_others():
    for where in FOLDERS:
        if where:
            tree = ast.parse((PACKAGE / where / "__init__.py").read_text("utf-8"))
            assert len(tree.body) == 1, f"{where}/__init__.py holds code"
            text = ast.get_docstring(tree) or ""
            assert re.findall(r"^(Owns|Runs|For others): ", text, re.MULTILINE) == ["Owns", "Runs", "For others"], where


def test_other_folders_use_only_the_files_that_are_for_others():
    """Where one folder lies in the other, its row says enough."""
    open_to_all = {where: for_others(where) for where in FOLDERS if where}
    wrong = {
        f"{module} imports {to}, which {folder(to)}/__init__.py does not offer"
        for module in MODULES
        for to in targets(module)
        if not is_above(folder(module), folder(to)) and not is_above(folder(to), folder(module))
        if (names := open_to_all[folder(to)]) is not None and to.rpartition("/")[2] not in names
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_what_an_init_offers_is_there():
    for where in FOLDERS:
        for name in for_others(where) or () if where else ():
            assert f"{where}/{name}" in MODULES or f"{where}/{name}" in FOLDERS, f"{where}/__init__.py: `{name}`"


def tree() -> str:
    """The package as docs/design.md prints it: a line for each folder, with its files and the folders in it."""
    lines = [f"{'crawler/':<20} __init__ __main__"]
    for where in FOLDERS:
        files = [m.rpartition("/")[2] for m in MODULES if folder(m) == where and not m.endswith("__init__")]
        if where:
            name = "    " * (where.count("/") + 1) + f"{where.rpartition('/')[2]}/"
            lines.append(f"{name:<20} {' '.join(files)}".rstrip())
    return "\n".join(lines)


def test_the_design_prints_the_tree_that_is_there():
    assert tree() in DESIGN.read_text("utf-8"), f"docs/design.md must print:\n{tree()}"


@pytest.mark.parametrize("table", [MAY_IMPORT, INSIDE], ids=["between folders", "inside folders"])
def test_the_design_prints_the_rows_of_allowed_imports(table: dict[str, tuple[str, ...]]):
    text = DESIGN.read_text("utf-8")
    for of, names in table.items():
        if of:
            row = f"| `{of}/` | {' '.join(f'`{name}/`' for name in names) or 'nothing'} |"
            if of == "cli":
                row = f"| `{of}/` | all of the above but `shards/` `serve/` |"
            assert row in text, f"docs/design.md must hold: {row}"


def test_the_house_is_of_a_size_that_can_be_seen_at_once():
    entries = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MOST_AT_THE_TOP, sorted(entries)
    long = {
        module: lines
        for module, path in MODULES.items()
        if (lines := path.read_text("utf-8").count("\n")) > MOST_LINES_OF_A_FILE
    }
    assert not long, "does it hold more than one noun?"


def is_a_value(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method is read like an attribute: a property, or one that is made once."""
    return any(ast.unparse(one).rpartition(".")[2] in VALUES for one in method.decorator_list)


def test_no_class_does_too_much():
    """Docstrings count. What is read like an attribute does not: a page has one of those for each fact."""
    large = {}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
                methods = [one for one in methods if not is_a_value(one)]
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_OF_A_CLASS or len(methods) > MOST_METHODS:
                    large[f"{module}: {node.name}"] = (lines, len(methods))
    assert not large, "does it do one thing?"


def test_only_the_fronts_of_processes_handle_signals():
    assert importers("signal") <= MAY_SIGNAL


def test_only_the_fronts_of_processes_end_them():
    ending = {module for module, path in MODULES.items() if list(exits(path.read_text("utf-8")))}
    assert ending <= MAY_EXIT


def test_only_page_knows_the_html_parser():
    assert importers("turbohtml") <= MAY_PARSE


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("web/scope", "from crawler.web.urls import authority", None),
        ("web/scope", "from crawler.web import urls", None),
        ("ring/crawler", "import crawler.fetcher.transport.base", None),
        ("web/urls", "from crawler import __version__", "may not import the face"),
        ("web/urls", "import os", None),
        ("web/urls", "from crawler.page.page import Page", "web may not import page"),
        ("fetcher/retry", "def f():\n    from crawler.ring.crawler import Crawler", "may not import ring"),
        ("fetcher/retry", "if TYPE_CHECKING:\n    import crawler.cli.report.screen", "may not import cli"),
        ("fetcher/retry", "from crawler.parsers import pool", "may not import parsers"),
        ("fetcher/retry", "from crawler import Crawler", "may not import the face"),
        ("fetcher/transport/base", "from ..fetcher import Fetcher", "may not import fetcher/"),
        ("fetcher/transport/base", "from . import body", None),
        ("ledger/sinks/base", "from crawler.ledger.ledger import Ledger", "may not import ledger/"),
        ("page/page", "from crawler.page.fields.lines import read_fields", "may not import page/fields/"),
        ("web/urls", "importlib.import_module('crawler.ring.crawler')", "may not import ring"),
    ],
)
def test_the_check_sees_every_form_of_import(module: str, source: str, wrong: str | None):
    to = [found for name in imports(source, module) if (found := target(name, MODULES))]
    found = [text for one in to if (text := violation(module, one))]
    assert (wrong is None) == (not found)
    assert all(str(wrong) in text for text in found)


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
