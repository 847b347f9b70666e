"""Starting processes, and queues that outlive them: all that we take of `multiprocessing` that it does not promise.

`multiprocessing` lets each new process import the file that the program was started with, in case what the process
is to do stands there. A script without `if __name__ == "__main__":` would start its crawl again in each parser. Our
processes need nothing of it: what they do stands in this package, and functions of the main file come to them as
values (`spiders.spider`). And a queue has no public way to let go of a process that was killed while it read.

A new interpreter that is told what to do by `-c` looks for modules in the working directory first: a `signal.py` or
`types.py` there, whoever has put it, would run as a part of the crawl. So each is started with `-P`, and told to look
into the standard library before all else.

Private, as of Python 3.11 to 3.14, and no other file names them:

- `popen_spawn_posix.Popen._launch` starts the process, and asks `spawn.get_preparation_data` what it is to be told.
- `spawn.get_preparation_data` names the main file under keys that begin with `init_main_from`, and gives the path of
  imports as `sys_path`. The command is that of `spawn.get_command_line`.
- `_args_from_interpreter_flags` of `resource_tracker.util` gives the options of the process that tidies up.
- `SpawnProcess._Popen` is what `start` calls to make that `Popen`.
- `BaseProcess.start` asks `_current_process` whether this process may have children, and notes each in `_children`. A
  worker of `multiprocessing.Pool` or of Celery may have none, since they would outlive it; ours end with it. And what
  is noted there a process forked by the program would try to end and to join at its exit.
- `Queue._ignore_epipe`: whether a queue's thread keeps silent when nobody reads any more.
- `Queue._reader` and `Queue._writer` are the two ends of a queue's pipe.

`tests/parsers/test_spawning.py` looks whether each is still there, and does what we need of it.
"""

import errno
import sys
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from multiprocessing import get_context, popen_spawn_posix, resource_tracker, spawn
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from types import FunctionType, SimpleNamespace
from typing import Any

from crawler.core.errors import CrawlerError
from crawler.core.interpreter import standard_first

__all__ = ["Inbox", "Process", "check_queues", "context", "new_shared"]

_NOT_OF_SHM = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}

# Spawn, not forkserver: a SIGTERM to the whole process group would end the fork server, and with it the means to
# replace a parser while the crawl drains. Never fork: the pool has threads.
context = get_context("spawn")
"""What makes the queues, pipes and shared memory that a `Process` is given."""


def _start_resource_tracker() -> None:
    """Start the process with which `multiprocessing` tidies up, as the first queue does, unless it runs."""
    theirs = resource_tracker.util  # type: ignore[attr-defined]
    own = SimpleNamespace(
        **{**vars(theirs), "_args_from_interpreter_flags": lambda: [*theirs._args_from_interpreter_flags(), "-P"]}  # noqa: SLF001 - see above
    )
    # Another thread that starts it in this moment does so as we do, which is what it should.
    resource_tracker.util = own  # type: ignore[attr-defined]
    try:
        resource_tracker.ensure_running()
    finally:
        resource_tracker.util = theirs  # type: ignore[attr-defined]


def _safe_command_line(**told: Any) -> list[str]:
    """Return the command of a new process, which does not look for modules in the working directory first."""
    interpreter, *rest = spawn.get_command_line(**told)
    return [interpreter, *rest] if getattr(sys, "frozen", False) else [interpreter, "-P", *rest]


def _data_without_main(name: str) -> dict[str, Any]:
    """What a new process is told about this one, but for the file or module that it would import as its main one."""
    data = spawn.get_preparation_data(name)
    # Celery's own kind of process has a key of its own kind, which cannot be pickled here.
    data["authkey"] = bytes(data["authkey"])
    data["sys_path"] = standard_first(data["sys_path"])
    return {key: value for key, value in data.items() if not key.startswith("init_main_from")}


def _with_own_spawn(launch: Any) -> Any:
    """Return the method that starts a process as a function of its own, for which `spawn` is another module.

    There is no argument or hook for that, and replacing `spawn.get_preparation_data` itself would change it for all
    that other threads of the program start.
    """
    safe = {"get_preparation_data": _data_without_main, "get_command_line": _safe_command_line}
    own = SimpleNamespace(**{**vars(spawn), **safe})
    function = FunctionType(launch.__code__, {**launch.__globals__, "spawn": own}, launch.__name__)
    function.__kwdefaults__ = launch.__kwdefaults__
    return function


@contextmanager
def _advised() -> Iterator[None]:
    """Say what is missing where there are no semaphores, or no shared memory; raises `CrawlerError`."""
    try:
        yield
    except (OSError, ImportError) as error:
        if isinstance(error, OSError) and error.errno in _NOT_OF_SHM:
            raise
        why = error.strerror if isinstance(error, OSError) else error
        raise CrawlerError(
            f"parser processes need a /dev/shm that is there, writable and not full ({why}): mount one, as "
            "`docker run --shm-size 64m` does"
        ) from error


def check_queues(number: int) -> None:
    """Try whether there may be so many inboxes at once. Raises `CrawlerError`."""
    inboxes = []
    try:
        new_shared(number)
        for _ in range(number):
            inboxes.append(Inbox(1))  # noqa: PERF401 - those that there are must go when one cannot be
    finally:
        for inbox in inboxes:
            inbox.discard()


def new_shared(number: int) -> MutableSequence[float]:
    """Return so many zeros in memory that processes share. Raises `CrawlerError` if the system has none."""
    with _advised():
        shared: MutableSequence[float] = context.Array("d", number, lock=False)
    return shared


class _Popen(popen_spawn_posix.Popen):
    """What starts the process."""

    _launch = _with_own_spawn(popen_spawn_posix.Popen._launch)  # type: ignore[attr-defined]  # noqa: SLF001 - see above


class Process(SpawnProcess):
    """A `multiprocessing` process of start method `spawn` that leaves the main file of the program alone.

    A daemonic process may start it too.

    `target` and its arguments must be picklable and importable by their names.
    """

    def start(self) -> None:
        """Start it, in any process, and note it nowhere: whoever starts it ends it."""
        self.authkey = bytes(self.authkey)  # of the kind that it has here, as above
        start = SpawnProcess.start
        any_process = SimpleNamespace(_config={})
        own = {**start.__globals__, "_current_process": any_process, "_children": set()}
        FunctionType(start.__code__, own, start.__name__)(self)

    @staticmethod
    def _Popen(process_obj: Any) -> popen_spawn_posix.Popen:  # noqa: N802 - overrides multiprocessing's method
        return _Popen(process_obj)


class Inbox:
    """A bounded queue of bytes to one process, which may be killed at any time. State: that of the queue.

    `queue` is what the process is given; it takes `size` messages. Raises `CrawlerError` if the system has none.
    """

    def __init__(self, size: int) -> None:
        with _advised():
            _start_resource_tracker()
            self.queue: Queue[bytes | None] = context.Queue(size)
        # As concurrent.futures does: without it the queue's thread prints a traceback when its reader is gone.
        self.queue._ignore_epipe = True  # type: ignore[attr-defined]  # noqa: SLF001 - no public way

    def put(self, message: bytes | None) -> None:
        """Put a message in without waiting. Raises `queue.Full` if there is no room."""
        self.queue.put_nowait(message)

    def discard(self) -> None:
        """Close it when its process has ended, and wait for its thread.

        The process may have died with the queue locked, so no other can read it. The thread that feeds it may hang in a
        write that nobody reads; it goes on when no reader is left (newer Pythons: `Queue._terminate_broken`).
        """
        queue: Any = self.queue
        queue._reader.close()  # noqa: SLF001 - see above
        queue.close()
        queue.join_thread()
        queue._writer.close()  # noqa: SLF001 - the thread leaves it open when its write failed
