"""A new spider and its test, as files."""

import keyword
import sys
from importlib.resources import files
from pathlib import Path

from crawler.core.errors import ConfigError, StorageError

__all__ = ["new_spider"]

_TEMPLATES = {"spiders/{name}.py": "spider.py.txt", "tests/test_{name}.py": "test_spider.py.txt"}


def new_spider(name: str, folder: Path) -> tuple[Path, ...]:
    """Write a working spider and its test below `folder`: `spiders/NAME.py` and `tests/test_NAME.py`; return the paths.

    Raises `ConfigError` for a name that Python could not import, or that hides a module of Python or this package, and
    if one of the files is there already (then none is written); `StorageError` if the disk refuses.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise ConfigError(f"{name!r} is not a name for a spider: it takes letters, digits and _, such as shop")
    if name in sys.stdlib_module_names or name in {"crawler", "spiders", "tests"}:
        raise ConfigError(f"{name!r} is the name of another module, which the spider would hide; choose another one")
    texts = {
        folder / path.format(name=name): files(__package__).joinpath(template).read_text("utf-8").format(name=name)
        for path, template in _TEMPLATES.items()
    }
    for path in texts:
        if path.exists() or path.is_symlink():
            raise ConfigError(f"{path} is there already: remove it, or choose another name")
    try:
        for path, text in texts.items():
            path.parent.mkdir(exist_ok=True)
            with path.open("x", encoding="utf-8") as file:  # a link that was put there meanwhile is not followed
                file.write(text)
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return tuple(texts)
