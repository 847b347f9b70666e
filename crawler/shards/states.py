"""The state of a job of many shards, in numbered files: each change makes the next one, and the last one is the truth.

    <job>/states/0000000007.json     {"writer": "5f…", "number": 7, "state": {…}}

A file is created only if it is not there. So of two coordinators that go on from one state one gets the next number,
and the other learns that it was replaced. A few of the last files are kept, for people; older ones go. One that slept
meanwhile might find its number free again: so whoever made a file looks whether there are later ones.
"""

import re
import secrets
from typing import Final

import msgspec
from msgspec import Raw, Struct

from crawler.core.errors import ReplacedError, StorageError
from crawler.shards.place import Place

__all__ = ["States"]

_NAME: Final = re.compile(r"\.?(\d{10})\.json(\.[0-9a-f]+\.tmp)?")
"""Of a state, or of one that was being written when its writer was killed."""


class _Written(Struct):
    writer: str
    number: int
    state: Raw


class States:
    """The numbered states in `place`, a folder of their own, of which the last `kept` stay. One thread uses it.

    Has no state but a name, that of this writer, by which its files are told from those of others.
    """

    def __init__(self, place: Place, kept: int = 5) -> None:
        self._place = place
        self._kept = kept
        self._writer = secrets.token_hex(8)

    def latest(self) -> tuple[int, bytes] | None:
        """Return the last state and its number; None for a job that has none.

        Raises `StorageError` if it cannot be read, or is damaged.
        """
        while True:
            there = _files(self._place.names())
            number = max((number for name, number in there.items() if not name.startswith(".")), default=0)
            if not number:
                return None
            content = self._place.read(_name(number))
            if content is not None:
                return number, bytes(self._decoded(number, content).state)
            # It was removed meanwhile, since there are later ones.

    def put(self, number: int, state: bytes) -> None:
        """Write the state, JSON, that follows the one before; the first has the number 1.

        Raises `ReplacedError` if somebody else has written that number, or a later one. After a `StorageError` nobody
        knows whether it is there: put the same again.
        """
        content = msgspec.json.encode(_Written(writer=self._writer, number=number, state=Raw(state))) + b"\n"
        if not self._place.create(_name(number), content) and self._place.read(_name(number)) != content:
            raise self._replaced(number)
        there = _files(self._place.names())
        if any(other > number and not name.startswith(".") for name, other in there.items()):
            raise self._replaced(number)
        for name, other in there.items():
            if other <= number - self._kept:
                self._place.remove(name)

    def _decoded(self, number: int, content: bytes) -> _Written:
        try:
            return msgspec.json.decode(content, type=_Written)
        except msgspec.MsgspecError as error:
            raise StorageError(
                f"{self._place.shown}/{_name(number)} is damaged ({error}): "
                "put it back as it was, or begin anew with another --job"
            ) from None

    def _replaced(self, number: int) -> ReplacedError:
        return ReplacedError(
            f"{self._place.shown}: another process has written state {number}, or a later one: "
            "it coordinates this job, and this process must not"
        )


def _name(number: int) -> str:
    return f"{number:010}.json"


def _files(names: list[str]) -> dict[str, int]:
    """The files of states among names, with their numbers; those that were not finished begin with a dot."""
    return {name: int(match[1]) for name in names if (match := _NAME.fullmatch(name))}
