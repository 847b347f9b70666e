"""The kind of a setting that opens a port on this machine: a number, or a switch for the usual one."""

from typing import Any, Final

from crawler.core.setting_kinds import SWITCH, Kind, MistakeError

__all__ = ["PORT"]

_LAST: Final = 65_535


def _port(value: Any) -> bool | int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _port_or_switch(text: str) -> Any:
    """Return what text says: all numbers are ports, `0` and `1` too."""
    return int(text) if text.strip().isdecimal() else SWITCH.text(text)


def _check(value: bool | int) -> None:
    if not 0 <= value <= _LAST:
        raise MistakeError(f"expected a port from 0 to {_LAST}, not {value}")


PORT = Kind(
    expects="a port, true or false",
    metavar="[PORT]",
    value=_port,
    text=_port_or_switch,
    shown=SWITCH.shown,
    check=_check,
    bare="yes",
    is_value=str.isdecimal,
)
