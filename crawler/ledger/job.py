"""A job: the folder that holds one crawl's state, its output and its summary.

<job>/state/        the store (`frontier.store_files` tells what may stand beside it)
<job>/pages.jsonl   the records, unless --output names another place
<job>/summary.json  counters at the end of the last run
<job>/lock          held by the process that runs the job
<job>/large/        a large page on its way to a parser
<job>/inbox/        what others want of the job (`ledger.inbox`)

The folder may hold what is not the job's, since people name any folder. So nothing is removed or written over there but
what a crawl has made: a name alone does not say that.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import CrawlerError, JobError, JobRunningError, StorageError
from crawler.core.file_lock import has_no_locks, holder, is_at, try_lock
from crawler.core.folders import make_folder, remove_folders
from crawler.core.large_body import remove_left_over
from crawler.core.page_fields import is_earlier_all
from crawler.core.printable import as_utf8, printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import open_unlinked, refuse_link
from crawler.frontier.store import Store
from crawler.frontier.store_files import StoreFiles, refuse_foreign
from crawler.ledger.added import has_added
from crawler.ledger.sinks.outputs import files_of, output_names

__all__ = ["JobFolder"]

_MATTER = tuple(setting for setting in CRAWL_SETTINGS if setting.matters)
"""Settings that decide which URLs are crawled and what their records hold: they stay as a job began.

The store keeps them. None may hold a secret, as `headers` may.
"""
_NAMES = {setting.stored_name: setting.field for setting in _MATTER}
_RAISABLE = {"depth", "max_chain", "max_pages_per_host", "max_pages_per_domain", "max_repeats"}
_ADVICE = "choose another --job, or make it writable"
_ELSEWHERE = "choose another --job, or move it away"
_MADE = ("lock", "large", "inbox", "summary.json", "summary.json.tmp")
_STATE = re.compile(r"\d{10}\.json")
"""Of a job of many shards: see `shards.states`."""
_PROCESS = re.compile(rb"\s*\d{0,20}\s*")


class JobFolder:
    """The folder of a job, locked for this process until `close`.

    State, of the ledger's thread: what the job gets more of, which `settle` finds out; the lock, and since when it is
    held (unix time); and what this run has made, which goes if the job cannot begin.
    """

    def __init__(self, config: CrawlConfig) -> None:
        """Make the folder if needed and lock it.

        Raises `JobError` if another process runs the job or the folder holds what is not a job's, `StorageError` if it
        cannot be written.
        """
        self._config = config
        self.path = config.folder
        self.state_path = self.path / "state"
        self._files = StoreFiles(self.state_path)
        self._made_folders: list[Path] = []
        self._had_state_folder = False
        self._starts_over = False
        self._lock = -1
        self._made_lock = False
        self._noted = b""
        self.locked_at_ns = 0
        self.has_other_seeds = False
        self._widened: dict[str, Any] = {}
        with self._refused(f"write the job folder {self.path}"):
            self._made_folders = make_folder(self.path)
        try:
            self._refuse_links()
            self._take_lock()
            with self._refused(f"read the state in {self.state_path}"):
                self._files.recover()
                refuse_foreign(self.state_path)
                self._refuse_shards()
                self._had_state_folder = self.state_path.is_dir()
        except CrawlerError:
            self._leave()
            raise

    @property
    def exists(self) -> bool:
        """True if the job has state from an earlier run."""
        with self._refused(f"read the state in {self.state_path}"):
            return (self.state_path / "CURRENT").exists()

    def start_over(self) -> None:
        """Put the state of earlier runs aside; close the store first.

        `begun` forgets it, with the summary; `bring_back` has it again. The records of earlier runs stay until the
        sinks have new ones.
        """
        self._check_summary()
        self._starts_over = True
        with self._refused(f"start over in {self.path}"):
            self._files.put_aside()

    def bring_back(self) -> None:
        """Have the state again that was put aside for one that could not begin; close the store first."""
        with self._refused(f"bring back the state in {self.path}"):
            self._files.bring_back()

    def begun(self) -> None:
        """Learn that the job has begun or goes on: what only earlier runs needed may go."""
        with self._refused(f"start over in {self.path}"):
            self._files.forget_earlier()
            if self._starts_over:
                (self.path / "summary.json").unlink(missing_ok=True)
        remove_left_over(self.path)

    def discard(self) -> None:
        """Leave nothing behind of a job that could not begin; close the store first."""
        with self._refused(f"remove {self.state_path}"):
            self._files.remove(keep_folder=self._had_state_folder)
        self._leave()

    def settle(self, store: Store, seeds: str, *, shard: bool = False) -> bool:
        """Note in a new store what the job is. False if it was begun with other settings but has no record yet:
        nothing is lost when it starts over.

        `shard`: it has what others have sent, so it never starts over, and others write parts where its own are.
        `seeds` is the fingerprint of the seeds, empty when a job is resumed without naming them. Raises `JobError` for
        a store with records that was made for something else, and for an output with records of somebody else. More of
        what a job can have more of is no other setting: see `has_other_seeds` and `widen`.
        """
        config = self._config
        now: dict[str, Any] = {setting.stored_name: getattr(config, setting.field) for setting in _MATTER}
        now |= {"output": output_names(config), "seeds": seeds}
        now = _plain(now)
        then = store.meta("job")
        if then is None:
            self._check_summary()
            if not (self._starts_over or shard):
                self._check_output()
            store.put_meta("job", now)
            store.commit()
            return True
        # A setting that there was not yet when the job began had its default.
        then = _plain({setting.stored_name: setting.default for setting in _MATTER}) | then
        if not seeds:
            now["seeds"] = then["seeds"]
        if is_earlier_all(then["fields"], now["fields"]):
            now["fields"] = then["fields"]
        has_pages = shard or _has_pages(store) or has_added(store)
        more = {name for name, value in now.items() if name == "seeds" or _is_more(name, then.get(name), value)}
        self.has_other_seeds = has_pages and now["seeds"] != then["seeds"]
        self._widened = {name: now[name] for name in more if then.get(name) != now[name]} if has_pages else {}
        changed = [
            f"{_NAMES.get(name, name)} was {then.get(name)!r} and is now {value!r}"
            for name, value in now.items()
            if then.get(name) != value and not (has_pages and name in more)
        ]
        if changed and (has_pages or not seeds):
            raise self.refused("; ".join(changed))
        if not shard and any(then.get(name) != now[name] for name in ("output", "rotate")):
            self._check_output()
        return not changed

    def refused(self, changed: str) -> JobError:
        """Return the error for a job that cannot go on since something was changed, with the choices that there are."""
        return JobError(
            f"job {self.path} was begun with other settings ({changed}): repeat the earlier command "
            "to resume it, choose another --job for a new crawl, or start this one over with --fresh"
        )

    def widen(self, store: Store) -> bool:
        """Put into the open batch what the job has more of than before, if anything: seeds, a larger depth."""
        if self._widened:
            store.put_meta("job", store.meta("job") | self._widened)
        return bool(self._widened)

    def _check_output(self) -> None:
        """Refuse to overwrite files that the job did not write."""
        for output in files_of(self._config):
            if output.stat().st_size > 0:
                raise JobError(
                    f"{output} is there already and job {self.path} did not write it, or has lost its state: "
                    "use another --output, or --fresh to overwrite it"
                )

    def _check_summary(self) -> None:
        """Refuse to overwrite a file that has the summary's name and is none."""
        path = self.path / "summary.json"
        try:
            if not path.is_symlink() and (not path.exists() or _is_summary(path.read_bytes())):
                return
        except OSError as error:
            raise refusal(f"read {path}", error, _ADVICE) from error
        raise JobError(f"{printable(str(path))} is there and is no summary of a crawl: {_ELSEWHERE}")

    def close(self) -> None:
        """Release the lock. Safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _refuse_links(self) -> None:
        """Refuse links in the place of what the job makes: they may have been planted. What was named may be one."""
        names = [*_MADE, "pages.jsonl"] if self._config.output is None else _MADE
        with self._refused(f"write the job folder {self.path}"):
            for name in names:
                refuse_link(self.path / name)
            self._files.refuse_links()

    def _refuse_shards(self) -> None:
        """Refuse a job that several rings have begun, each in a folder of its own below this one."""
        if any(_STATE.fullmatch(path.name) for path in (self.path / "states").glob("*.json")):
            raise JobError(
                f"job {printable(str(self.path))} was begun with --cluster, and has several shards: give --cluster, "
                "too, or choose another --job"
            )

    # The lock

    def _take_lock(self) -> None:
        path = self.path / "lock"
        with self._refused(f"write the job folder {self.path}"):
            while True:
                self._open_lock(path)
                self._lock_it()
                if is_at(self._lock, path):
                    break
                self.close()  # whoever held it has removed it
            self._noted = os.pread(self._lock, 100, 0)
        if _PROCESS.fullmatch(self._noted) is None:
            self.close()
            raise JobError(f"{printable(str(path))} is there and is no lock of a crawl: {_ELSEWHERE}")
        self._note(str(os.getpid()).encode())
        self.locked_at_ns = time.time_ns()

    def _open_lock(self, path: Path) -> None:
        try:
            self._lock = open_unlinked(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            self._made_lock = True
        except FileExistsError:
            self._lock = open_unlinked(path, os.O_RDWR | os.O_CREAT)
            self._made_lock = False

    def _lock_it(self) -> None:
        try:
            if try_lock(self._lock):
                return
        except OSError as error:
            if not has_no_locks(error):
                raise
            raise StorageError(
                f"cannot lock the job folder {self.path}: its file system has no locks ({error.strerror}), and without "
                "one two runs could spoil the job: choose a --job on a local disk; outputs may stay where they are"
            ) from error
        noted = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
        owner = f"process {noted or holder(self._lock) or 'unknown'}"
        self._made_lock = False
        self.close()
        raise JobRunningError(f"job {self.path} is being run by {owner}: wait for it, or use another --job")

    def _note(self, text: bytes) -> None:
        """Note who runs the job: good to know, no more, so a full disk may refuse it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, text, 0)

    def _leave(self) -> None:
        """Leave the folder as it was found, and remove it if this run has made it."""
        if self._lock >= 0:
            if self._made_lock:
                with contextlib.suppress(OSError):
                    (self.path / "lock").unlink(missing_ok=True)
            else:
                self._note(self._noted)
            self.close()
        # What else is in the folder was put there by somebody else: then it stays.
        remove_folders(self._made_folders)

    @contextlib.contextmanager
    def _refused(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refusal(what, error, _ADVICE) from error


def _is_summary(content: bytes) -> bool:
    """Whether a file is a summary that a crawl has written; an empty one is nobody's loss."""
    try:
        return not content or "crawler_version" in msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.MsgspecError:
        return False


def _is_more(name: str, then: Any, now: Any) -> bool:
    """Whether a setting is a limit that was raised: what was cut off by it opens again (`frontier.second_look`)."""
    return name in _RAISABLE and then is not None and (now is None or now > then)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they come back from the store: without tuples."""
    settings = {name: as_utf8(value) if isinstance(value, str) else value for name, value in settings.items()}
    plain: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(settings))
    return plain


def _has_pages(store: Store) -> bool:
    """Whether something would be lost if the job began anew: a page, or a record of a seed that came to none."""
    counters = store.meta("counters") or {}
    of_seeds = counters.get("rows", 0) - counters.get("open_rows", 0) - counters.get("owed", 0)
    return bool(counters.get("pages")) or of_seeds > 0
