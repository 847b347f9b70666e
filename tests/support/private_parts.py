"""What a file leans on in a library that does not promise it: a table of parts, each checked with a sentence."""

import ast
import inspect
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Part(NamedTuple):
    """Something of a library by its full name, such as `aiohttp.connector.TCPConnector._release`.

    `takes` are the names of its parameters, if it is called, or overridden, by them; `given` is how it is called where
    it has many more.
    """

    name: str
    takes: str | None = None
    given: str = ""


def check(part: Part, file: str) -> None:
    """Say what has changed of `part`, which `file` leans on and names in its docstring."""
    advice = f"see {file}, which leans on it"
    library = f"{part.name.partition('.')[0]} {release(part.name)}"
    found = resolve(part.name)
    assert found is not None, f"{part.name} is gone from {library}: {advice}"
    if part.takes is not None:
        takes = " ".join(inspect.signature(found).parameters)
        assert takes == part.takes, f"{part.name} of {library} takes ({takes}), not ({part.takes}): {advice}"
    for name in part.given.split():
        known = inspect.signature(found).parameters
        assert name in known, f"{part.name} of {library} does not take {name!r} any more: {advice}"
    said = ast.get_docstring(ast.parse((ROOT / file).read_text("utf-8")))
    word = [name for name in part.name.split(".") if name != "__init__"][-1]
    assert f"{word}" in said, f"{part.name} is missing in the docstring of {file}"


def release(name: str) -> str:
    """The version of the library that `name` stands in, "of this Python" for one of its own."""
    library = name.partition(".")[0]
    return "of this Python" if library == "http" else version(library)


def resolve(name: str) -> object | None:
    """What a full name stands for, None if there is no such thing."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute, None)
            if found is None:
                return None
        return found
    return None


def importers(library: str, public: set[str]) -> set[str]:
    """The files of the package that import from `library` more than the modules that are `public`."""
    found = set()
    for path in sorted((ROOT / "crawler").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                # What is imported may be a module itself.
                submodules = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name for name in submodules if is_module(name)] or [node.module]
            if any(name.partition(".")[0] == library and name not in public for name in names):
                found.add(path.relative_to(ROOT).as_posix())
    return found


def is_module(name: str) -> bool:
    """Whether a full name is that of a module that can be imported."""
    try:
        import_module(name)
    except ImportError:
        return False
    return True
