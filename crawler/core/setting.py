"""One setting, and the table that the fields of a struct make: all that is known of a setting stands beside its field.

    depth: Annotated[int | None, Setting("Links followed from a seed.", CRAWLED, or_none(COUNT), least=0)] = None

From the table come the options with their help, the environment variables, the keys of a settings file, the keyword
arguments of `crawler.crawl`, the checks of single values, and what a job is held to.
"""

import math
from typing import Any, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import fields, replace

from crawler.core.errors import ConfigError
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.setting_kinds import Kind, MistakeError

__all__ = ["Setting", "settings_of", "variable_of"]


class Setting(Struct, frozen=True):
    """What is known of one setting beside its name, type and default, which are those of the field.

    `help` is shown by the command line, in docs/cli.md and by editors; `group` is the title that it stands under.
    `kind` says what values there are. `option` names the option and, with `_` or `-`, the key of a settings file; it is
    the field's name if left out. `short` is its one letter. `least` and `above` bound the value. `default_text` is
    shown instead of the default. `also` names the commands that have the option beside `crawl`. `matters` says that the
    setting decides which URLs are crawled or what records hold, so that a job is held to it. `only_in_files` says that
    there is neither an option nor a variable.

    Names that the setting once had are still taken: `was_option` of the option, the key and the variable, `was_keyword`
    of the keyword argument. `stored` is its name in the store of a job, which stays, if that is not the field's.

    `field` and `default` are set by `settings_of`.
    """

    help: str
    group: str
    kind: Kind
    option: str = ""
    short: str = ""
    least: float | None = None
    above: float | None = None
    default_text: str = ""
    also: tuple[str, ...] = ()
    matters: bool = False
    only_in_files: bool = False
    was_option: str = ""
    was_keyword: str = ""
    stored: str = ""
    field: str = ""
    default: Any = None

    @property
    def name(self) -> str:
        """Name of the option, without its dashes, and of the key in a settings file."""
        return self.option or self.field.replace("_", "-")

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the option, and the one that it once had."""
        return (self.name, self.was_option) if self.was_option else (self.name,)

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return variable_of(self.name)

    @property
    def stored_name(self) -> str:
        """Name in the store of a job."""
        return self.stored or self.field

    @property
    def shown_default(self) -> str:
        """The default as the help shows it; empty for none."""
        if self.default_text:
            return self.default_text
        return self.kind.nothing if self.default is None else self.kind.shown(self.default)

    def is_of(self, command: str) -> bool:
        """Whether a command has the setting."""
        return command in ("crawl", *self.also)

    def read(self, raw: object, where: str, *, text: bool) -> Any:
        """Return the field's value of a TOML value, or with `text` of text.

        Raises `ConfigError` that names `where` it stands, the value seen unless that may be secret, and what is
        expected there.
        """
        try:
            value = self.kind.read(raw, text=text)
        except MistakeError as error:
            raise ConfigError(f"{where}: {printable(str(error), 2 * SHOWN_CHARS)}") from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise self._mistake(raw, where) from error
        self.check(value, where)
        return value

    def _mistake(self, value: object, where: str) -> ConfigError:
        seen = "" if self.kind.secret else f", not {printable(repr(value), SHOWN_CHARS)}"
        return ConfigError(f"{where}: expected {self.kind.expects}{seen}")

    def check(self, value: Any, where: str) -> None:
        """Raise `ConfigError` for a field's value that is out of range or cannot be meant."""
        if value is None:
            return
        try:
            if self.least is not None and not value >= self.least:
                raise ConfigError(f"{where} must be at least {self.least}, not {value!r}")
            if self.above is not None and not self.above < value < math.inf:
                raise ConfigError(f"{where} must be more than {self.above}, not {value!r}")
            self.kind.check(value)
        except MistakeError as error:
            raise ConfigError(f"{where}: {printable(str(error), 2 * SHOWN_CHARS)}") from error
        except TypeError as error:
            raise self._mistake(value, where) from error


def variable_of(name: str) -> str:
    """Return the name of the environment variable of an option."""
    return "CRAWLER_" + name.replace("-", "_").upper()


def settings_of(struct: type[Struct]) -> tuple[Setting, ...]:
    """Return the settings that the fields of a struct carry, in their order, those that it inherits first."""
    annotations = get_type_hints(struct, include_extras=True)
    return tuple(
        replace(setting, field=field.name, default=field.default)
        for field in fields(struct)
        for setting in get_args(annotations[field.name])
        if isinstance(setting, Setting)
    )
