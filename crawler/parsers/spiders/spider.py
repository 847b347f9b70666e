"""Which function reads the pages: found by its name or taken as it is, checked, and brought to the parser processes.

A parser imports a function by its name where it can. What has no name that another process could import (functions of
the main file, of a notebook, lambdas, closures) travels as a value, by cloudpickle.
"""

import difflib
import importlib
import importlib.util
import inspect
import logging
import pickle
import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crawler.core.errors import ConfigError
from crawler.core.printable import printable
from crawler.parsers.spiders.by_value import as_value, importable, is_same_file
from crawler.parsers.spiders.known_modules import KnownModules, behind_known
from crawler.parsers.spiders.router import is_async

if TYPE_CHECKING:
    from crawler.page.page import Page

__all__ = ["Spider", "load_spider", "pack_spider", "title_of", "unpack_spider"]

_log = logging.getLogger(__name__)

Spider = Callable[["Page"], Any]
"""What reads a page: takes a `Page`; returns or yields records and what `page.follow` gives. `docs/spiders.md`."""

_REFERENCE = re.compile(r"(?P<place>.+):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)")
_SHOWN_CHARS = 300
_LATE_S = 10.0
# Held while the path of imports has one folder more.
_lock = threading.RLock()


class _Packed(Struct, frozen=True, array_like=True):
    """A spider on its way: `place` (module, or path of a file) and `name` in it, found from `folders`; or a value."""

    place: str
    name: str
    folders: tuple[str, ...]
    value: bytes = b""

    @property
    def module(self) -> str:
        """The module, or the package that holds it, that is looked for by its name; empty for a file."""
        return "" if _is_file(self.place) else self.place.partition(".")[0]

    @property
    def title(self) -> str:
        """What people know it by."""
        return "(a function of the main file)" if self.value else f"{self.place}:{self.name}"


def load_spider(spider: "Spider | str") -> Spider:
    """Return the function that `package.module:function` or `path/file.py:function` names, or that was given.

    Modules are looked for in the working directory too, and what a file imports in the file's folder. Raises
    `ConfigError` for what cannot be found or imported, naming the closest that can, and for what is not a spider: no
    function, an `async` one, one that takes anything but a page.
    """
    if not isinstance(spider, str):
        return _checked(spider, _title(spider) if callable(spider) else repr(spider))
    packed = _located(spider)
    with _lock, behind_known(packed.folders, packed.module), _told_when_late(packed.title):
        importlib.invalidate_caches()  # a file may have been written just now
        found = _found(packed, spider)
    return _checked(found, spider)


def pack_spider(spider: "Spider | str | None") -> bytes:
    """Return a spider as parsers get it, checked as by `load_spider`; empty for None.

    Raises `ConfigError` as well for a function that can go to another process neither by its name nor as a value.
    """
    if spider is None:
        return b""
    function = load_spider(spider)
    if isinstance(spider, str):
        packed = _located(spider)
    elif (place := importable(function)) is not None:
        packed = _Packed(*place, ())
    else:
        packed = _Packed("", "", (), as_value(function, _title(function)))
    try:
        return msgspec.msgpack.encode(packed)
    except UnicodeEncodeError:
        raise ConfigError(
            f"spider: the path of {printable(str(spider), _SHOWN_CHARS)}, or that of the working folder, is not UTF-8: "
            "move it, or rename the folder"
        ) from None


def unpack_spider(raw: bytes) -> Spider:
    """Return the spider that was packed; for a process of its own, whose path of imports gets the spider's folders."""
    packed = msgspec.msgpack.decode(raw, type=_Packed)
    if packed.value:
        function: Spider = pickle.loads(packed.value)  # noqa: S301 - our own process made it
        return function
    sys.meta_path.insert(0, KnownModules(sys.path, packed.module))
    sys.path[:0] = [folder for folder in packed.folders if folder not in sys.path]
    module = _module_of_file(Path(packed.place)) if _is_file(packed.place) else importlib.import_module(packed.place)
    found: Spider = attrgetter(packed.name)(module)
    return found


def title_of(raw: bytes) -> str:
    """Return what people know a packed spider by: where it stands, and its name there."""
    return printable(msgspec.msgpack.decode(raw, type=_Packed).title, _SHOWN_CHARS)


# From a reference to a function.


def _located(reference: str) -> _Packed:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        what = "names no function" if _is_file(reference) else "is not module:function or file.py:function"
        raise ConfigError(f"spider: {printable(reference, _SHOWN_CHARS)!r} {what}; try {_advised(reference)}")
    place, name = match["place"], match["name"]
    if not _is_file(place):
        return _Packed(place, name, (str(Path.cwd()),))
    path = Path(place).expanduser().absolute()
    return _Packed(str(path), name, (str(path.parent), str(Path.cwd())))


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _advised(reference: str) -> str:
    place = reference.partition(":")[0] or "shop"
    return f"{printable(place, _SHOWN_CHARS)}:parse"


@contextmanager
def _told_when_late(title: str) -> Iterator[None]:
    """Say what is waited for, if it takes long: nothing but a Ctrl-C can end an import in this process."""
    told = threading.Timer(
        _LATE_S,
        _log.warning,
        ("the import of the spider %s takes more than %g s, and nothing begins before", printable(title), _LATE_S),
    )
    told.daemon = True
    told.start()
    try:
        yield
    finally:
        told.cancel()


def _found(packed: _Packed, reference: str) -> Any:
    where = f"spider: {printable(reference, _SHOWN_CHARS)}"
    try:
        if _is_file(packed.place):
            module = _module_of_file(Path(packed.place))
        else:
            module = importlib.import_module(packed.place)
    except FileNotFoundError as error:
        if error.filename != packed.place:
            raise ConfigError(f"{where}: {_why_not_imported(error, packed)}") from error
        raise ConfigError(f"{where}: there is no file {printable(packed.place)}{_close_file(packed.place)}") from None
    except ModuleNotFoundError as error:
        if error.name is None or not f"{packed.place}.".startswith(f"{error.name}."):
            raise ConfigError(f"{where}: {_why_not_imported(error, packed)}") from error
        here = str(Path.cwd())
        near = _close(error.name, [module.name for module in pkgutil.iter_modules([here])])
        raise ConfigError(
            f"{where}: there is no module {error.name!r} in {printable(here)} or among the installed ones{near}"
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise SystemExit, or what a test runner raises to skip it
        raise ConfigError(f"{where}: {_why_not_imported(error, packed)}") from error
    try:
        return attrgetter(packed.name)(module)
    except AttributeError:
        near = _close(packed.name, [name for name, value in vars(module).items() if _may_be_spider(name, value)])
        raise ConfigError(f"{where}: {Path(packed.place).name} has no {packed.name!r}{near}") from None


def _module_of_file(path: Path) -> ModuleType:
    """Import a file, once. Its module has a name of its own: that of the file could hide another module."""
    name = re.sub(r"\W", "_", str(path))
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _why_not_imported(error: BaseException, packed: _Packed) -> str:
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    own = [frame for frame in frames if not is_same_file(__file__, Path(frame.filename))]
    place = f" ({Path(own[-1].filename).name} line {own[-1].lineno})" if own else ""
    text = printable(" ".join(str(error).split()), _SHOWN_CHARS)
    return f"importing {printable(Path(packed.place).name)} failed: {type(error).__name__}: {text}{place}"


def _may_be_spider(name: str, value: Any) -> bool:
    return callable(value) and not name.startswith("_") and not isinstance(value, type)


def _close(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(sorted(names)[:5])}" if names else ""


def _close_file(path: str) -> str:
    try:
        names = [one.name for one in Path(path).parent.glob("*.py")]
    except OSError:
        names = []
    near = difflib.get_close_matches(Path(path).name, names, 1)
    return f"; did you mean {printable(str(Path(path).with_name(near[0])))}?" if near else ""


def _checked(spider: Any, title: str) -> Spider:
    """Refuse what cannot be called with a page, before anything has started."""
    where = f"spider: {printable(title, _SHOWN_CHARS)}"
    if isinstance(spider, type) or not callable(spider):
        what = "a class" if isinstance(spider, type) else f"{type(spider).__name__}, no function"
        raise ConfigError(f"{where} is {what}; a spider is a function (or a Router) that takes a page")
    if is_async(spider):
        raise ConfigError(
            f"{where} is an async function; spiders are plain ones (def), since they run in parser processes, not in "
            "the event loop"
        )
    try:
        inspect.signature(spider, follow_wrapped=False).bind(None)
    except TypeError as error:
        raise ConfigError(f"{where} cannot be called with a page alone: {error}") from None
    except ValueError:
        pass  # a function of C, whose arguments nobody knows
    found: Spider = spider
    return found


def _title(spider: Any) -> str:
    return str(getattr(spider, "__qualname__", None) or type(spider).__qualname__)
