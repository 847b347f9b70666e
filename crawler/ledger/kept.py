"""What a job's store keeps of how it was begun, so that a later run can go on without being told again.

All settings of the run before that are not at their defaults, but for what may be secret: of headers that may hold a
secret, and of outputs with a password in their URL, only that there were some.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.page_fields import is_earlier_all
from crawler.core.printable import printable
from crawler.frontier.seeds import STDIN
from crawler.frontier.store import Store
from crawler.ledger.sinks.outputs import STDOUT, is_remote
from crawler.web.credentials import anywhere, confidential

__all__ = ["Kept", "as_begun", "begun_with", "keep", "kept_again", "kept_of", "kept_settings", "settings_in"]

_NAME = "settings"
_ELSEWHERE = {"job", "seeds", "output", "headers", "follow"}
"""Not kept, or in another form. What is to be done once is not done again by a run that is told nothing."""
_LEFT_OUT = _ELSEWHERE | {"retry_failed"}
"""Settings that are not kept, or not with the others: the last one is the wish of one run."""
_IN_THE_JOB = ["in the job"]


class Kept(Struct, frozen=True):
    """`settings`: fields of `CrawlConfig`. `headers`: names of those without a value here. `output`: those masked."""

    settings: Mapping[str, Any]
    headers: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


def keep(store: Store, config: CrawlConfig) -> None:
    """Put the settings of a run into the open batch."""
    store.put_meta(_NAME, kept_of(config))


def kept_of(config: CrawlConfig) -> dict[str, Any]:
    """Return what is kept of the settings of a run, as plain values."""
    settings = {
        setting.field: value
        for setting in CRAWL_SETTINGS
        if setting.field not in _LEFT_OUT and (value := getattr(config, setting.field)) != setting.default
    }
    if config.ca_bundle is not None:
        settings["ca_bundle"] = config.ca_bundle.resolve()
    if config.follow is not None and config.follow != STDIN:
        settings["follow"] = str(Path(config.follow).resolve())
    if harmless := anywhere(config.headers):
        settings["headers"] = harmless
    outputs = () if config.output is None else config.outputs
    masked = tuple(printable(one) for one in outputs if is_remote(one) and printable(one) != one)
    if config.output is not None and not masked:
        settings["output"] = tuple(
            one if one == STDOUT or is_remote(one) else str(Path(one).resolve()) for one in outputs
        )
    kept = Kept(settings, tuple(name for name, _ in confidential(config.headers)), masked)
    plain: dict[str, Any] = _storable(msgspec.to_builtins(kept, enc_hook=str))
    return plain


def kept_again(plain: Mapping[str, Any]) -> Kept:
    """Return what `kept_of` was given, as far as this version knows it."""
    return _checked(msgspec.convert(_restored(plain), Kept))


def kept_settings(folder: Path) -> Kept | None:
    """Return what the job in a folder was last run with, None if there is no job.

    Raises `StorageError` and `JobError` for a store that cannot be read.
    """
    if not (folder / "state" / "CURRENT").exists():
        return None
    with Store(folder / "state", read_only=True) as store:
        return settings_in(store)


def settings_in(store: Store) -> Kept | None:
    """Return what the job in a store was last run with, None if it never began."""
    job = store.meta("job")
    if job is None:
        return None
    plain = store.meta(_NAME)
    return _checked(Kept(_of_older(job))) if plain is None else kept_again(plain)


def _checked(kept: Kept) -> Kept:
    """Return the settings among what was kept that there are, each of its type."""
    known = {setting.field for setting in CRAWL_SETTINGS}
    named = {name: value for name, value in kept.settings.items() if name in known}
    config = msgspec.convert(named, CrawlConfig, dec_hook=lambda kind, value: kind(value))
    return msgspec.structs.replace(kept, settings={name: getattr(config, name) for name in named})


def as_begun(store: Store, config: CrawlConfig) -> CrawlConfig:
    """Return the settings by which a job goes that an earlier version began: all fields of that time; no record of a
    seed without a page.
    """
    begun = store.meta("job")
    if is_earlier_all(begun.get("fields"), config.fields):
        config = msgspec.structs.replace(config, fields=tuple(begun["fields"]))
    if "record_per_seed" in begun:
        return config
    fields = ("url",) if config.select and config.fields is None else config.fields
    return msgspec.structs.replace(config, record_per_seed=False, fields=fields)


def begun_with(folder: Path) -> str | None:
    """Return the fingerprint of the seeds that the job in a folder was begun with, None if that cannot be told."""
    try:
        if not (folder / "state" / "CURRENT").exists():
            return None
        with Store(folder / "state", read_only=True) as store:
            return (store.meta("job") or {}).get("seeds")
    except CrawlerError:
        return None


def _storable(value: Any) -> Any:
    """Return a plain value as msgpack holds it: a path that is not UTF-8 as its bytes."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return os.fsencode(value)
        case dict():
            return {name: _storable(one) for name, one in value.items()}
        case list() | tuple():
            return [_storable(one) for one in value]
    return value


def _restored(value: Any) -> Any:
    """Return what `_storable` was given."""
    match value:
        case bytes():
            return os.fsdecode(value)
        case dict():
            return {name: _restored(one) for name, one in value.items()}
        case list():
            return [_restored(one) for one in value]
    return value


def _of_older(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what earlier versions kept: the settings that a job is held to."""
    held_to = [setting for setting in CRAWL_SETTINGS if setting.stored_name in job and setting.field != "seeds"]
    settings = {setting.field: job[setting.stored_name] for setting in held_to}
    output = settings.pop("output", _IN_THE_JOB)
    return settings if output == _IN_THE_JOB else {**settings, "output": output}
