"""A world in which processes run by the word of one scheduler: time jumps to what comes next, and each run is the same.

A process has an event loop of its own, whose clock is that of its node, and threads that run only while the scheduler
waits for them. So what runs in a process is the crawler's own code, asyncio and threads included, and nothing of it
ever waits for anything but the word of the scheduler. `time.time`, `time.monotonic` and `time.clock_gettime` are those
of the process that runs, as long as a world is entered.

Sets of bytes have an order that Python draws for each of its processes, unless PYTHONHASHSEED says which: who wants
the same run again must set it.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent, greenlet

__all__ = ["Killed", "Loop", "Node", "Process", "Thread", "World", "keep"]

EPOCH = 1_800_000_000.0
"""Unix time at which a world begins."""
TICK_S = 1e-6
"""A process has its turn so much after the time that it waits for: never before it, whatever was rounded."""
_MOST_TURNS = 100_000
_MOST_CANCELLED = 10
_FOREVER = float("inf")


class Killed(BaseException):
    """Ends a thread of a process that was killed, wherever it is."""


class World:
    """The scheduler. State: the time, what happens when, which process runs now, and what broke."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"world {seed}")
        self.now = 0.0
        self.running: Process | None = None
        self.error: BaseException | None = None
        self.measures = False
        self.trace: Callable[[str], None] | None = None
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, at: float, what: Callable[[], None]) -> None:
        """Have something happen at a time of the world, after all that was told before for that time."""
        heapq.heappush(self._events, (max(at, self.now), next(self._numbers), what))

    def after(self, wait_s: float, what: Callable[[], None]) -> None:
        """Have something happen after so many seconds."""
        self.at(self.now + wait_s, what)

    def tell(self, line: str) -> None:
        """Tell the trace, if anybody reads one."""
        if self.trace is not None:
            self.trace(f"{self.now:10.3f}  {line}")

    def run(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Go on until something is so; False if it is not after so many seconds of the world, or nothing is left."""
        while not until():
            if not self._events or self._events[0][0] > limit_s:
                return False
            self.now, _, what = heapq.heappop(self._events)
            what()
            if self.error is not None:
                raise self.error
        return True

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the clocks of Python be those of the process that runs."""
        names = ("sleep", "time", "monotonic", "clock_gettime", "time_ns", "monotonic_ns")
        real = {name: getattr(time, name) for name in names}

        def of(node: Callable[[Node], float], name: str) -> Callable[[], float]:
            return lambda: real[name]() if self.running is None else node(self.running.node)

        def clock_gettime(which: int) -> float:
            if self.running is None:
                return float(real["clock_gettime"](which))
            node = self.running.node
            return {time.CLOCK_MONOTONIC: node.monotonic, time.CLOCK_REALTIME: node.unix}.get(which, node.boottime)()

        def sleep(wait_s: float) -> None:
            if self.running is None:
                real["sleep"](wait_s)
            else:
                self.running.pause(wait_s)

        replaced = {
            "sleep": sleep,
            "time": of(Node.unix, "time"),
            "monotonic": of(Node.monotonic, "monotonic"),
            "clock_gettime": clock_gettime,
            "time_ns": of(lambda node: int(node.unix() * 1e9), "time_ns"),
            "monotonic_ns": of(lambda node: int(node.monotonic() * 1e9), "monotonic_ns"),
        }
        try:
            for name, function in replaced.items():
                setattr(time, name, function)
            yield
        finally:
            for name, function in real.items():
                setattr(time, name, function)


class Node:
    """A machine: its clocks, and whether it is up.

    `rate` is how fast its clock goes (1.01: a percent too fast), `skew_s` how far its unix time is off. While it is
    suspended, `monotonic` stands still and the others go on.
    """

    def __init__(self, world: World, name: str, rate: float = 1.0, skew_s: float = 0.0) -> None:
        self.world = world
        self.name = name
        self.rate = rate
        self.skew_s = skew_s
        self.is_up = True
        self._booted_at = world.now
        self._suspended_s = 0.0
        self._suspended_at: float | None = None

    def boottime(self) -> float:
        """Seconds since it started, suspensions included, as its clock counts them."""
        return 1_000.0 + (self.world.now - self._booted_at) * self.rate

    def monotonic(self) -> float:
        """Seconds since it started, as its clock counts them."""
        until = self.world.now if self._suspended_at is None else self._suspended_at
        return 1_000.0 + (until - self._booted_at - self._suspended_s) * self.rate

    def unix(self) -> float:
        """Unix time, which the network keeps right but for the skew."""
        return EPOCH + self.world.now + self.skew_s

    def when(self, monotonic: float) -> float:
        """Return the time of the world at which its clock will show a time, if it is not suspended before."""
        return self._booted_at + self._suspended_s + (monotonic - 1_000.0) / self.rate

    def suspend(self) -> None:
        """Close the lid: nothing runs until `resume`."""
        self._suspended_at = self._suspended_at if self._suspended_at is not None else self.world.now

    def resume(self) -> None:
        """Go on."""
        if self._suspended_at is not None:
            self._suspended_s += self.world.now - self._suspended_at
            self._suspended_at = None

    @property
    def is_suspended(self) -> bool:
        """Whether its lid is closed."""
        return self._suspended_at is not None


class Loop(asyncio.BaseEventLoop):
    """An event loop without sockets, whose time is that of its process' node."""

    def __init__(self, process: "Process") -> None:
        super().__init__()
        self.process = process
        self._node = process.node
        self._selector = _Nothing()
        self._clock_resolution = 0.0
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self._node.monotonic()

    def next_at(self) -> float:
        """When it has something to do, by its own clock."""
        if self._ready:
            return -_FOREVER
        return self._scheduled[0].when() if self._scheduled else _FOREVER

    def turn(self) -> None:
        """Do what is to be done now."""
        self._run_once()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # noqa: ARG002
        """Call a function in a thread of the process, whatever the executor."""
        future = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is raised where the future is awaited
                self.call_soon(lambda error=error: future.done() or future.set_exception(error))
            else:
                self.call_soon(lambda: future.done() or future.set_result(result))

        self.process.thread(work)
        return future

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class _Nothing:
    """A selector that knows no sockets."""

    def select(self, _timeout: float | None = None) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def keep(task: "asyncio.Future[Any]") -> None:
    """Hold a task until it ends: a loop alone would let go of it. What it raises breaks the world."""
    _tasks.add(task)
    task.add_done_callback(_let_go)


_tasks: set["asyncio.Future[Any]"] = set()


def _let_go(task: "asyncio.Future[Any]") -> None:
    _tasks.discard(task)
    loop = task.get_loop()
    error = None if task.cancelled() else task.exception()
    if error is not None and isinstance(loop, Loop) and loop.process.is_alive:
        loop.process.world.error = error


class Thread:
    """What is a thread elsewhere: a greenlet, which runs while the scheduler lets it. `work()` is what it does.

    State: when it goes on, by its node's clock; whether it has ended, and by which error.
    """

    def __init__(self, process: "Process", work: Callable[[], None]) -> None:
        self._process = process
        self._work = work
        self._greenlet = greenlet(self._run)
        self.wake_at = -_FOREVER
        self.error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return bool(self._greenlet.dead)

    @property
    def runs_now(self) -> bool:
        """Whether it is this one that asks."""
        return getcurrent() is self._greenlet

    def _run(self) -> None:
        try:
            self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - the scheduler raises it
            self.error = error
        self.wake_at = _FOREVER

    def turn(self) -> None:
        """Let it go on until it waits, or ends."""
        self.wake_at = _FOREVER
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()

    def wait(self, wait_s: float | None) -> None:
        """Wait so many seconds, None: until `notify`. For the thread itself."""
        assert self.runs_now, "a thread waits that is none: it would wait for ever"
        self.wake_at = _FOREVER if wait_s is None else self._process.node.monotonic() + wait_s
        self._greenlet.parent.switch()

    def notify(self) -> None:
        """Have it go on at once."""
        if not self.ended:
            self.wake_at = -_FOREVER
            self._process.wake()

    def end(self) -> None:
        """Kill it."""
        if self._greenlet and not self.ended:
            self._greenlet.parent = getcurrent()
            self._greenlet.throw(Killed)


class Process:
    """A process of a node. `start()` is called in its loop's thread; what it leaves there goes on from then.

    State: its loop and threads, whether it lives, and whether it is stopped (SIGSTOP).
    """

    def __init__(self, node: Node, name: str, start: Callable[["Process"], None]) -> None:
        self.world = node.world
        self.node = node
        self.name = name
        self.is_alive = True
        self.is_stopped = False
        self.loop = Loop(self)
        self.threads: list[Thread] = []
        self.on_end: Callable[[], None] | None = None
        self.holder: Any = None  # whom it was started for
        self.cpu_s = 0.0
        self._wake_at = _FOREVER
        self._dies = False
        self.loop.call_soon(start, self)
        self.wake()

    def thread(self, work: Callable[[], None]) -> Thread:
        """Start a thread."""
        thread = Thread(self, work)
        self.threads.append(thread)
        self.wake()
        return thread

    def pause(self, wait_s: float) -> None:
        """Let a thread of the process take its time, if it is one that asks."""
        thread = self.thread_now
        if thread is not None:
            thread.wait(wait_s)

    @property
    def thread_now(self) -> Thread | None:
        """Its thread that asks; None if it is none."""
        return next((thread for thread in self.threads if thread.runs_now), None)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have its loop call a function as soon as it runs. Nothing happens if it is dead."""
        if self.is_alive:
            self.loop.call_soon(function, *arguments)
            self.wake()

    def wake(self) -> None:
        """Give it a turn at this instant of the world."""
        if self.world.running is not self:
            self._wake(self.world.now)

    def _wake(self, at: float) -> None:
        if at < self._wake_at or self._wake_at < self.world.now:
            self._wake_at = at
            self.world.at(at, lambda: self._turn(at))

    def _turn(self, at: float) -> None:
        if at != self._wake_at or not self.is_alive:
            return  # it was woken earlier meanwhile
        self._wake_at = _FOREVER
        if self.is_stopped or self.node.is_suspended:
            return
        if self.world.measures:
            started = time.process_time()
            self._run()
            self.cpu_s += time.process_time() - started
        else:
            self._run()
        if self._dies:
            self.kill()
            return
        if len(self.threads) > 1:
            self.threads = [thread for thread in self.threads if not thread.ended]
        next_at = min(self.loop.next_at(), *(thread.wake_at for thread in self.threads), _FOREVER)
        if next_at < _FOREVER:
            self._wake(max(self.world.now, self.node.when(next_at) + TICK_S))

    def _run(self) -> None:
        """Do all that there is to do at this instant."""
        before, self.world.running = self.world.running, self
        asyncio._set_running_loop(self.loop)  # noqa: SLF001 - what a loop's own `run_forever` does
        try:
            for _ in range(_MOST_TURNS):
                now = self.node.monotonic()
                has_calls = self.loop.next_at() < now
                if has_calls:
                    self.loop.turn()
                for thread in tuple(self.threads):
                    if thread.wake_at <= now and not self._dies:
                        has_calls = True
                        thread.turn()
                        if thread.error is not None:
                            raise thread.error
                if self._dies or not has_calls:
                    return
            raise AssertionError(f"{self.name} turns for ever at one instant")
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001 - as above
            self.world.running = before

    def die(self) -> None:
        """End as by kill -9, from within: what runs now is the last that runs."""
        self._dies = True

    def kill(self) -> None:
        """End it as kill -9 does. What it still does while its coroutines are closed reaches nobody."""
        if not self.is_alive:
            return
        self.is_alive = False
        if self.on_end is not None:
            self.on_end()
        before, self.world.running = self.world.running, self
        asyncio._set_running_loop(self.loop)  # noqa: SLF001 - as above
        try:
            for thread in self.threads:
                thread.end()
            for _ in range(_MOST_CANCELLED):  # some wait again when they are cancelled
                tasks = asyncio.all_tasks(self.loop)
                for task in tasks:
                    task.cancel()
                for _ in range(100):
                    if not self.loop._ready:  # noqa: SLF001 - as above
                        break
                    self.loop.turn()
                for thread in self.threads:
                    thread.end()
                if not tasks:
                    break
            self.loop.close()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001 - as above
            self.world.running = before

    def stop(self) -> None:
        """Stop it as SIGSTOP does."""
        self.is_stopped = True

    def go_on(self) -> None:
        """Let it go on as SIGCONT does, or as its node does when it is no longer suspended."""
        self.is_stopped = False
        self.wake()
