"""What the coordinator knows of the holder of a shard, from what it has heard since it began."""

import math

from crawler.shards.messages import Report

__all__ = ["Hold"]


class Hold:
    """How a process holds a shard, or that none does. The coordinator alone writes it; nothing of it is durable.

    `is_there`: a process was started, or may be from before this coordinator, and is not known to be gone. `node` is
    where. `started_at` and `heard_at` are times of the coordinator's clock, None for never. From `free_at` on surely
    nobody holds a lease of the shard. `own`: it was started to go on from its own folder, so that it holds the lock of
    that once it has opened it. `is_leased`: it was given a lease. `moving`: it was asked for its shard, which goes to
    another machine; `moved`: it has given it back for that. `report` is its last one, of this holder alone.

    `tries` counts how often in a row the shard could not start or ended, `not_before` is when it may start again, and
    `locked` how often its folder was locked.
    """

    def __init__(self, *, is_there: bool, free_at: float) -> None:
        self.is_there = is_there
        self.free_at = free_at
        self.node = ""
        self.started_at: float | None = None
        self.heard_at: float | None = None
        self.own = False
        self.is_leased = False
        self.moving = False
        self.moved = False
        self.report: Report | None = None
        self.tries = 0
        self.not_before = -math.inf
        self.locked = 0

    @property
    def is_open(self) -> bool:
        """Whether it has opened its folder, so that it can be sent something."""
        return self.is_there and self.report is not None and self.report.opened

    def start(self, node: str, now: float, *, own: bool) -> None:
        """Be a process that was just started on `node`."""
        self.is_there, self.node, self.own = True, node, own
        self.started_at, self.heard_at = now, None
        self.is_leased = self.moving = self.moved = False
        self.report = None

    def hear(self, report: Report, now: float) -> None:
        """Take its report."""
        self.node, self.report, self.heard_at = report.node, report, now

    def excuse(self, seconds: float) -> None:
        """Do not count so long as silence: nobody could be heard. A lease runs out all the same."""
        if self.started_at is not None:
            self.started_at += seconds
        if self.heard_at is not None:
            self.heard_at += seconds

    def lease(self, now: float, sure_s: float) -> None:
        """Give it a lease that surely ends `sure_s` from now."""
        if self.own and not self.is_leased and self.started_at is not None:
            self.free_at = now  # it has the lock of the folder, so whoever held a lease before it has ended
        self.is_leased = True
        self.free_at = max(self.free_at, now + sure_s)

    def may_have_lease(self, now: float) -> bool:
        """Whether it may be given a lease: nobody else can have one, since that ran out, or since it has the lock."""
        known = self.is_leased or self.started_at is None
        return self.is_open and (known or now >= self.free_at or self.own)

    def go(self, now: float, *, free_at: float | None = None, pause_s: float = 0.0) -> None:
        """Be gone. `free_at` is given if it surely holds no lease any more."""
        self.is_there = self.moving = False
        self.report = None
        if free_at is not None:
            self.free_at = free_at
        self.not_before = now + pause_s
