"""What a machine gives to a crawl: files, disk, memory, processors, a clock, shared memory."""

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from crawler.cli.doctor.finding import Finding
from crawler.core.config import DEFAULT_PARSERS, CrawlConfig
from crawler.core.file_lock import try_lock
from crawler.core.quantity import size
from crawler.fetcher.transport.descriptors import affordable_concurrency

__all__ = ["MACHINE", "disk"]

_GB: Final = 10**9
_LEAST_DISK: Final = 100_000_000
_LITTLE_DISK: Final = 5 * _GB
_FEW_FILES: Final = 1_000
_SLOW_SYNC_MS: Final = 50.0
_SYNCS: Final = 15
_LEAST_MEMORY: Final = 256_000_000
_LITTLE_MEMORY: Final = _GB
_LITTLE_SHM: Final = 1_000_000
_NETWORKED: Final = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre"}
T = TypeVar("T")
_SHM: Final = Path("/dev/shm")  # noqa: S108 - where the system keeps semaphores
_CGROUP: Final = Path("/sys/fs/cgroup")


def open_files() -> Finding:
    """Whether as many connections may be open as a crawl with its defaults wants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = f"{_limit(soft)}, which the command raises up to {_limit(hard)}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        wanted = CrawlConfig().concurrency
        affordable = affordable_concurrency(wanted, DEFAULT_PARSERS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if affordable < wanted:
        then = "raise the hard limit: `ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of Docker"
        return Finding("open files", "warning", f"{shown}: {affordable} requests at once", then)
    return Finding("open files", "ok", shown)


def disk(folder: Path) -> Finding:
    """Whether a job can lie in a folder: room, the kind of file system, locks, and how long it takes to sync.

    A folder that is not there yet stands for the nearest one above it that is.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    kind = _file_system(place)
    room, files = shutil.disk_usage(place).free, os.statvfs(place)
    seen = f"{place}: {kind}, {size(room)} free"
    try:
        sync_ms, locks = _tried(place)
    except OSError as error:
        return Finding("disk", "problem", f"{seen}, {error.strerror}", "name a --job on a disk that can be written")
    seen += f", a sync takes {sync_ms:.1f} ms"
    if not locks:
        return Finding("disk", "problem", f"{seen}, no locks", "name a --job on a local disk: jobs need locks")
    if room < _LEAST_DISK or (files.f_files and files.f_favail < _FEW_FILES):
        return Finding("disk", "problem", f"{seen}, {files.f_favail:,} files free", "make room")
    then = _worry(kind, room, sync_ms)
    return Finding("disk", "warning" if then else "ok", seen, then)


def memory() -> Finding:
    """What this process may take: of the machine, and of its control group."""
    total, available = _meminfo("MemTotal"), _meminfo("MemAvailable")
    group = _of_group("memory.max", "memory/memory.limit_in_bytes", int)
    most = min(total, group or total)
    seen = f"{size(available)} of {size(total)} available"
    if group is not None and group < total:
        seen += f", this control group may have {size(group)}"
    if most and min(most, available) < _LEAST_MEMORY:
        return Finding("memory", "problem", seen, f"a crawl needs {size(_LEAST_MEMORY)} and more")
    if most and min(most, available) < _LITTLE_MEMORY:
        return Finding("memory", "warning", seen, "take fewer --parsers, and --bytes-in-flight 16MB")
    return Finding("memory", "ok", seen)


def processors() -> Finding:
    """How many cores there are for this process."""
    count = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    quota = _of_group("cpu.max", "cpu/cpu.cfs_quota_us", _cores)
    seen = f"{count} cores" + (f", {usable} of them for this process" if usable < count else "")
    if quota is not None:
        seen += f", this control group may use {quota:g}"
    cores = min(usable, quota or usable)
    if cores < DEFAULT_PARSERS:
        then = f"--parsers {max(1, int(cores))} fits; the default is {DEFAULT_PARSERS}"
        return Finding("processors", "warning", seen, then)
    return Finding("processors", "ok", seen)


def clock() -> Finding:
    """Whether the time can be right: not before this program was installed; and whether time passes."""
    now, first = time.time(), time.monotonic()
    installed = Path(__file__).stat().st_mtime
    time.sleep(0.01)
    seen = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    then = "set it (timedatectl set-ntp true): certificates, Retry-After and fetched_at go by it"
    if time.monotonic() <= first:
        return Finding("clock", "problem", f"{seen}, and the monotonic clock stands still", then)
    if now < installed - 86_400:
        at = time.strftime("%Y-%m-%d", time.gmtime(installed))
        return Finding("clock", "problem", f"{seen}, before this program was installed ({at})", then)
    return Finding("clock", "ok", seen)


def shared_memory() -> Finding:
    """Whether parser processes can have semaphores, which lie in /dev/shm on Linux."""
    name, instead = "shared memory", "or use --strategy async"
    if not _SHM.is_dir():
        if sys.platform == "linux":
            return Finding(name, "problem", f"{_SHM} is not there", f"mount it, {instead}")
        return Finding(name, "ok", "this system has no folder for it")
    room = shutil.disk_usage(_SHM).free
    if not os.access(_SHM, os.W_OK):
        return Finding(name, "problem", f"{_SHM} cannot be written", f"make it writable, {instead}")
    if room < _LITTLE_SHM:
        return Finding(name, "problem", f"{_SHM}: {size(room)} free", f"make room, --shm-size of Docker, {instead}")
    return Finding(name, "ok", f"{_SHM}: {size(room)} free")


MACHINE: Final[dict[str, Callable[[], Finding]]] = {
    "open files": open_files,
    "memory": memory,
    "processors": processors,
    "clock": clock,
    "shared memory": shared_memory,
}
"""All looks but the one at a disk, which wants to know where."""


def _worry(kind: str, room: int, sync_ms: float) -> str:
    """Say what to do about a disk that can be used and could be better; empty for a good one."""
    if kind in _NETWORKED:
        return "name a --job on a local disk; outputs may lie here"
    if kind in {"tmpfs", "ramfs"}:
        return "this is memory: what lies here is gone after a restart"
    if room < _LITTLE_DISK:
        return "a million pages with their text take about 5 GB: make room"
    if sync_ms > _SLOW_SYNC_MS:
        return "a commit waits for it four times a second: a faster disk helps"
    return ""


def _limit(number: int) -> str:
    return "no limit" if number == resource.RLIM_INFINITY else f"{number:,}"


def _tried(folder: Path) -> tuple[float, bool]:
    """Write, sync and lock a file there; return the median time of a sync and whether it could be locked."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            before = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1_000 * (time.perf_counter() - before))
        try:
            locks = try_lock(file.fileno())
        except OSError:
            locks = False
    return statistics.median(times), locks


def _file_system(folder: Path) -> str:
    """Return the type of the file system, as the kernel names it; the mount with the longest path that leads there."""
    found, longest = "unknown", -1
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return found
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= longest:
            found, longest = kind, len(point)
    return found


def _meminfo(name: str) -> int:
    """Return a line of /proc/meminfo in bytes, 0 where there is none."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _of_group(new: str, old: str, read: Callable[[str], T]) -> T | None:
    """Return a limit of the control group (version 2, else 1) that this process is in, None without one."""
    try:
        own = Path("/proc/self/cgroup").read_text("ascii", "replace").strip().rpartition(":")[2].strip("/")
    except OSError:
        own = ""
    for path in (_CGROUP / own / new, _CGROUP / new, _CGROUP / old):
        try:
            return read(path.read_text("ascii").strip())
        except (OSError, ValueError):  # not there, or `max`
            continue
    return None


def _cores(text: str) -> float:
    """Return the cores that a quota is: `cpu.max` has it with its period, version 1 for 100 ms. Raises ValueError."""
    quota, period = map(float, [*text.split(), "100000"][:2])
    if quota <= 0:
        raise ValueError
    return quota / period
