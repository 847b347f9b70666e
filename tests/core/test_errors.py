"""Every exception that the package defines or raises is in the tree that core/errors.py prints, or told there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.core import errors

PACKAGE = Path(errors.__file__).parents[1]
SOURCES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
TOLD = set(re.findall(r"[\w.]*\w", errors.__doc__ or ""))
KINDS = ("Error", "Exception")


def raised(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of what each `raise` raises; none for one that passes on what a variable holds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            name = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            is_class = name.rpartition(".")[2].lstrip("_")[:1].isupper()
            if is_class or isinstance(node.exc, ast.Call):
                yield node.lineno, name


MAKERS: dict[str, set[str]] = {}
"""What functions are annotated to return, of those that return an error: `raise refusal(…)` raises that."""
for _tree in SOURCES.values():
    for _node in ast.walk(_tree):
        _returns = ast.unparse(_node.returns) if isinstance(_node, ast.FunctionDef) and _node.returns else ""
        if _returns.endswith(KINDS):
            MAKERS.setdefault(_node.name, set()).add(_returns)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_is_raised_is_told(path):
    for line, name in raised(SOURCES[path]):
        function = name.rpartition(".")[2]
        names = MAKERS.get(function, set()) if function.lstrip("_")[:1].islower() else {name}
        assert names, f"{path.name}:{line} raises what {name} makes, which is not annotated"
        assert names <= TOLD, f"{path.name}:{line} raises {sorted(names - TOLD)}: put it into crawler/core/errors.py"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_is_defined_is_told(path):
    for node in ast.walk(SOURCES[path]):
        if isinstance(node, ast.ClassDef) and any(
            name.endswith(KINDS) for name in (node.name, *map(ast.unparse, node.bases))
        ):
            assert node.name in TOLD, f"{path.name}:{node.lineno}: put {node.name} into crawler/core/errors.py"


def test_the_tree_is_the_one_of_the_classes():
    """Each line of the tree is below its base class."""
    above: list[str] = []
    for match in re.finditer(r"^    ((?:│   |    )*)(?:[├└]── )?(\w+Error)(?: |$)", errors.__doc__ or "", re.MULTILINE):
        line = match[0]
        depth = (line.index(match[2]) - 4) // 4
        kind = getattr(errors, match[2], None)
        if kind is None:
            break  # behind the tree
        above[depth:] = [match[2]]
        if depth:
            assert issubclass(kind, getattr(errors, above[depth - 1])), match[2]
            assert kind.__bases__[0].__name__ == above[depth - 1], match[2]
    named = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    tree = (errors.__doc__ or "").partition("Outside of the tree")[0]
    assert named == set(re.findall(r"\w+Error", tree))


def test_what_is_told_is_there():
    """A name of ours that is told and no longer defined is taken out."""
    ours = {node.name for tree in SOURCES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    used = {name for tree in SOURCES.values() for _, name in raised(tree)} | {"BrokenPipeError"}
    told = {name for name in TOLD if name.endswith(KINDS)}
    assert told <= ours | used, f"no longer there: {sorted(told - ours - used)}"
