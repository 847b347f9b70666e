"""Functions that another process cannot import, as values: those of the main file, of a notebook, lambdas, closures."""

import io
import os
import sys
import threading
from inspect import get_annotations
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec._core import Factory  # type: ignore[import-not-found]  # in C, and nowhere else

from crawler.core.errors import ConfigError
from crawler.core.printable import printable

__all__ = ["as_value", "importable", "is_same_file"]

_MAINS = frozenset({"__main__", "__mp_main__"})
_SHOWN_CHARS = 300
# What a class of msgspec has of itself, and gets anew where it is defined again.
_GIVEN = frozenset(
    {"__module__", "__doc__", "__slots__", "__annotations__", "__post_init__", "__dict__", "__weakref__"}
)
_CONFIG = tuple(name for name in dir(msgspec.structs.StructConfig) if not name.startswith("_"))
# Held while cloudpickle is told of a module.
_lock = threading.Lock()


def importable(thing: Any) -> tuple[str, str] | None:
    """Return module and name by which another process would import this function or class; None if it would not."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module is None or name is None or module in _MAINS or "<" in name:
        return None
    try:
        same = attrgetter(name)(sys.modules[module]) is thing
    except (AttributeError, KeyError):
        return None
    return (module, name) if same and _is_found(module) else None


def as_value(function: Any, title: str) -> bytes:
    """Return a function with all that it needs of its module, as bytes that `pickle.loads` makes a function again.

    What it imports must be importable where that is done. Raises `ConfigError`, with the `title` of the function, if it
    uses something that cannot go to another process, such as an open file.
    """
    # Imported here, as in the class below: only what has no name needs it.
    import cloudpickle  # noqa: PLC0415 - few spiders need it

    # Else it would go by the name of its module, which another process does not find.
    module = sys.modules.get(getattr(function, "__module__", None) or "__main__")
    with _lock:
        hidden = (
            module is not None
            and module.__name__ not in {*_MAINS, *cloudpickle.list_registry_pickle_by_value()}
            and not _is_found(module.__name__)
        )
        if hidden:
            cloudpickle.register_pickle_by_value(module)
        try:
            return _pickled(function)
        except Exception as error:
            raise ConfigError(
                f"spider: {printable(title, _SHOWN_CHARS)} uses something that cannot go to a parser process "
                f"({printable(' '.join(str(error).split()), _SHOWN_CHARS)}); make that inside of the function, or put "
                "the function into a module of its own"
            ) from error
        finally:
            if hidden:
                cloudpickle.unregister_pickle_by_value(module)


def is_same_file(file: str | None, path: Path) -> bool:
    """Whether two paths, the first one of a module if it has any, are of one file."""
    return file is not None and os.path.realpath(file) == os.path.realpath(path)


def _is_found(module: str) -> bool:
    """Whether an import in another process would find the module that is loaded here under this name."""
    top = module.partition(".")[0]
    loaded = getattr(sys.modules.get(top), "__file__", None)
    for finder in sys.meta_path:
        # Not `importlib.util.find_spec`, which believes what is loaded.
        spec = finder.find_spec(top, None) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return loaded is None or is_same_file(spec.origin, Path(loaded))
    return False


def _pickled(function: Any) -> bytes:
    from cloudpickle import Pickler  # noqa: PLC0415 - see `as_value`

    class WithStructs(Pickler):  # type: ignore[misc]  # cloudpickle has no types
        """Takes classes of msgspec apart, which cloudpickle would copy into something broken."""

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, type(Struct)) and thing is not Struct and importable(thing) is None:
                return _parts(thing)
            return super().reducer_override(thing)

    buffer = io.BytesIO()
    WithStructs(buffer).dump(function)
    return buffer.getvalue()


def _parts(struct: Any) -> tuple[Any, ...]:
    """What `pickle` makes a class of msgspec from: a call that defines it, and what it gets afterwards.

    Methods and annotations come afterwards, since they may name the class itself. `__post_init__` cannot.
    """
    annotations = get_annotations(struct)
    names = struct.__struct_fields__
    encoded = dict(zip(names, struct.__struct_encode_fields__, strict=True))
    # Not `msgspec.structs.fields`, which looks up the types: one of them may be known in a function alone.
    defaults = dict(zip(reversed(names), reversed(struct.__struct_defaults__), strict=False))
    own = [name for name in names if name in annotations]
    how = {name: getattr(struct.__struct_config__, name) for name in _CONFIG}
    how |= {
        "bases": struct.__bases__,
        "module": struct.__module__,
        "namespace": {name: struct.__dict__[name] for name in ("__doc__", "__post_init__") if name in struct.__dict__},
        "rename": {name: encoded[name] for name in own},
        # Of one class all fields are, or none.
        "kw_only": any(name not in struct.__match_args__ for name in own),
    }
    later = {
        name: value
        for name, value in struct.__dict__.items()
        if name not in _GIVEN and name not in names and not name.startswith("_abc_")
    } | {"__annotations__": annotations}
    fields = [(name, _plain_default(defaults.get(name, msgspec.NODEFAULT))) for name in own]
    return _defined, (struct.__name__, fields, how), later, None, None, _completed


def _plain_default(default: Any) -> tuple[Any, Any]:
    """Return a default and what makes one, as `msgspec.field` takes them."""
    if isinstance(default, Factory):
        return msgspec.NODEFAULT, default.factory
    return default, msgspec.NODEFAULT


def _defined(name: str, fields: list[tuple[str, tuple[Any, Any]]], how: dict[str, Any]) -> Any:
    field: Any = msgspec.field
    described = [(one, Any, field(default=value, default_factory=factory)) for one, (value, factory) in fields]
    return msgspec.defstruct(name, described, **how)


def _completed(struct: Any, later: dict[str, Any]) -> None:
    for name, value in later.items():
        setattr(struct, name, value)
