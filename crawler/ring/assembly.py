"""How the stages of a ring are made: the last one first, each given the way to the one behind it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, BinaryIO

from crawler.core.errors import LeaseLostError
from crawler.core.host_rows import Remembered
from crawler.core.model import Finished, Task
from crawler.core.sample import Sample
from crawler.core.stats import Ended
from crawler.core.steered import Change
from crawler.core.threads import OneThread, call_in, settle_from_thread
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.base import Transport
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.chosen import transport_class
from crawler.fetcher.transport.leased import LeasedTransport
from crawler.frontier.seed_lines import OnBad
from crawler.frontier.storing import storing
from crawler.ledger.job import JobFolder
from crawler.ledger.ledger import Ledger
from crawler.parsers.chosen import Parsers, chosen_parsers
from crawler.ring.breakdown import Breakdown
from crawler.ring.inlets import followed_stream, inlets
from crawler.ring.member import Member, advice_on_damage
from crawler.ring.opening import Opened

__all__ = ["Assembly"]


class Assembly:
    """Makes the stages for what was opened. `thread` is the ledger's; `broken` is told of what breaks a stage, and
    `cleanup` ends what was begun. `member`: the ring is a shard. Has no state. Runs in the event loop.
    """

    def __init__(
        self,
        opened: Opened,
        thread: OneThread,
        broken: Breakdown,
        cleanup: AsyncExitStack,
        *,
        member: Member | None = None,
    ) -> None:
        self._opened = opened
        self._config = opened.config
        self._thread = thread
        self._broken = broken
        self._cleanup = cleanup
        self._member = member

    async def ledger(
        self,
        job: JobFolder,
        feed: Callable[[list[Task], list[Remembered]], None],
        *,
        ended: Callable[[Ended], None],
        look: Callable[[int, bool], Sample],
        told: Callable[[Sequence[Finished]], None] | None,
        stdin: BinaryIO | None,
        steer: Callable[[Change], None],
        on_bad_seed: OnBad,
    ) -> Ledger:
        """Make the ledger. `feed` takes what is due, `ended` learns why nothing is left, both in the event loop."""
        loop = asyncio.get_running_loop()
        opened = self._opened
        ledger = Ledger(
            opened.store,
            opened.frontier,
            opened.sinks,
            deliver=partial(call_in, loop, feed),
            ended=partial(call_in, loop, ended),
            look=look,
            told=told,
            exchange=opened.exchange,
        )
        if opened.exchange is not None:
            lost = LeaseLostError("the lease of this shard is lost: another process may have it now")
            opened.exchange.on_lost = partial(self._broken.tell_from_thread, lost)
        stream = followed_stream(self._config, stdin, lambda: ledger.intake.wake(()))
        if stream is not None:
            self._cleanup.callback(stream.close)
        take = (opened, job, stream, steer, on_bad_seed)
        advice = advice_on_damage(self._member, job.path)
        ledger.changes.incoming = await self._thread.call(storing, advice, inlets, *take)
        return ledger

    def join(self) -> None:
        """Tell the cluster, if there is one, that the stages stand."""
        if self._member is not None and self._opened.exchange is not None:
            self._member.joined(self._opened.exchange)

    async def parsers(self, ledger: Ledger, spider: bytes, budget: ByteBudget) -> Parsers:
        """Make and start the parsers; `spider` is packed."""
        parsers = chosen_parsers(
            self._config,
            ledger.intake.put_records,
            on_failure=self._broken.tell_from_thread,
            spider=spider,
            hash_seed=self._opened.store.keys.seed,
            keep=budget.keep,
        )
        # In the thread: processes take their time to start and to end, and the loop may have others to serve.
        self._cleanup.push_async_callback(self._thread.call, parsers.close)
        await self._thread.call(parsers.start)
        return parsers

    async def fetcher(
        self, parsers: Parsers, ledger: Ledger, transport: Transport | None, budget: ByteBudget
    ) -> Fetcher:
        """Make the fetcher, on the `transport` that was given or on the one that the settings name."""
        if transport is None:
            transport = (await self._thread.call(transport_class, self._config))(self._config, budget)
            self._cleanup.push_async_callback(transport.close)

        def recall(host: str, parts: tuple[bytes, ...]) -> "asyncio.Future[Sequence[bytes | None]]":
            rows: asyncio.Future[Sequence[bytes | None]] = asyncio.get_running_loop().create_future()
            ledger.hosts.recall(host, parts, partial(settle_from_thread, rows))
            return rows

        lease: dict[str, Any] = {}
        if self._member is not None:
            transport = LeasedTransport(transport, self._member.may_ask)
            lease = {"may_ask": self._member.may_ask, "begun": self._opened.begun}
        fetcher = Fetcher(
            self._config,
            transport,
            budget,
            submit=parsers.submit,
            report=ledger.intake.put,
            remember=ledger.hosts.remember,
            recall=recall,
            wake=ledger.intake.wake,
            fail=self._broken.tell,
            load=parsers,
            **lease,
        )
        parsers.tell(fetcher.charge)
        return fetcher
