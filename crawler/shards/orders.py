"""Orders to a job of many shards: what people want of it waits at its place, and each shard takes what is for it.

    <job>/inbox/003/<time>-<process>-<random>.jsonl    seeds for shard 3, or an order (.json), named as in an inbox
    <job>/inbox/003/<the same>.answer                  what came of it
    <job>/inbox/job/<…>.json                           an order to the whole crawl: to stop

The holder of a shard copies each into the inbox of its own folder, under the same name, and its ring takes it from
there. What was taken is removed from the place when a checkpoint that holds it counts: if the disk is lost before, it
is taken once more from the place. Nothing is done twice by that, since a seed that is known changes nothing, and all
orders say how things are to be.
"""

import os
import re
import secrets
import time
from collections.abc import Iterable
from typing import Final

import msgspec

from crawler.ledger.inbox import Answer, Inbox, Order
from crawler.shards.place import Place

__all__ = ["OrderBox", "TakenOver"]

_NAME: Final = re.compile(r"\d{19}-\d{1,10}-[0-9a-f]{8}\.jsonl?")
_ANSWER: Final = ".answer"
_STALE_S: Final = 86_400
"""Seconds after which nobody waits for an answer any more."""


class OrderBox:
    """The orders to one shard, at the place of its job. Has no state. Raises `StorageError` when that refuses.

    Who asks calls `put_seeds` or `put_order`, and then waits until it is `answered`. Who holds the shard calls the
    others.
    """

    def __init__(self, place: Place, shard: int | None) -> None:
        """`place` is that of the job; without a `shard` these are orders to the whole crawl."""
        self._place = place.at("inbox/job" if shard is None else f"inbox/{shard:03}")

    def put_seeds(self, lines: Iterable[bytes]) -> str:
        """Put a file of seeds there, given as lines of JSON; return its name."""
        return self._put(".jsonl", b"".join(lines))

    def put_order(self, order: Order) -> str:
        """Put an order there; return the name of its file."""
        return self._put(".json", msgspec.json.encode(order))

    def answered(self, name: str) -> Answer | None:
        """Return what came of a file; None as long as nothing has."""
        content = self._place.read(name + _ANSWER)
        return None if content is None else msgspec.json.decode(content, type=Answer)

    def waiting(self) -> tuple[list[str], set[str]]:
        """Return the files that are there, in their order, and which of them have an answer."""
        names = self._place.names()
        answered = {name.removesuffix(_ANSWER) for name in names if name.endswith(_ANSWER)}
        self._forget_old(answered)
        return [name for name in names if _NAME.fullmatch(name)], answered

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None if it has gone."""
        return self._place.read(name)

    def order(self, name: str) -> Order:
        """Return an order. Raises `msgspec.MsgspecError` for a file that holds none."""
        return msgspec.json.decode(self._place.read(name) or b"", type=Order)

    def answer(self, name: str, answer: Answer) -> None:
        """Say what came of a file."""
        self._place.write(name + _ANSWER, msgspec.json.encode(answer))

    def remove(self, name: str) -> None:
        """Remove a file: a checkpoint holds what came of it. Its answer stays for a day."""
        self._place.remove(name)

    def _put(self, ending: str, content: bytes) -> str:
        name = f"{time.time_ns():019d}-{os.getpid()}-{secrets.token_hex(4)}{ending}"
        self._place.write(name, content)
        return name

    def _forget_old(self, answered: Iterable[str]) -> None:
        for name in answered:
            if _NAME.fullmatch(name) and time.time() - int(name[:19]) / 1e9 > _STALE_S:
                self._place.remove(name + _ANSWER)


class TakenOver:
    """The holder's side: moves orders into the inbox of the shard's folder, and answers back. One thread uses it.

    State: the files that lie in the shard's inbox, those that were taken, and those that the next checkpoint holds.
    """

    def __init__(self, orders: OrderBox, inbox: Inbox) -> None:
        self._orders = orders
        self._inbox = inbox
        self._given: set[str] = set()
        self._taken: set[str] = set()
        self._cut: set[str] = set()

    def look(self) -> None:
        """Give the ring what is new, and those who asked what came of it. Raises `StorageError`, OSError."""
        names, answered = self._orders.waiting()
        for name in names:
            if name in self._given or name in self._taken:
                continue
            if not self._inbox.is_there(name):
                content = self._orders.read(name)
                if content is None:
                    continue
                self._inbox.put_as(name, content)
            self._given.add(name)
        for name in sorted(self._given):
            if not self._inbox.is_there(name):
                answer = self._inbox.answered(name)
                if name not in answered or answer is not None:
                    self._orders.answer(name, answer or Answer())
                self._given.remove(name)
                self._taken.add(name)

    def cut(self) -> None:
        """Learn that a checkpoint is made: call it before, so that it holds all that was taken until now."""
        self._cut = set(self._taken)

    def safe(self) -> None:
        """Learn that the checkpoint of the last `cut` counts."""
        for name in sorted(self._cut):
            self._orders.remove(name)
        self._taken -= self._cut
        self._cut = set()
