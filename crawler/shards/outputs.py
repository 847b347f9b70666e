"""Where the records of a job of many shards become public: a folder of parts for each output."""

from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError
from crawler.ledger.sinks.outputs import part_endings
from crawler.shards.place import Place

__all__ = ["output_places", "refuse_filled"]

_RECORDS = "records"


def output_places(config: CrawlConfig, job: Place) -> tuple[Place, ...]:
    """Return the public folder of each output: `records` in the job, or what `--output` names.

    `-o s3://bucket/pages.jsonl` is a folder of that name, with parts that end `.jsonl`. Raises `ConfigError` for an
    output that has no parts, and for a URL that no driver knows.
    """
    part_endings(config)
    if config.output is None:
        return (job.at(_RECORDS),)
    return tuple(Place(output, called="--output") for output in config.outputs)


def refuse_filled(outputs: tuple[Place, ...]) -> None:
    """See that nothing is in the public folders of a job that begins. Raises `JobError`, and `StorageError`.

    A file in the place of a folder is refused too.
    """
    for output in outputs:
        if output.path is not None and output.path.exists() and not output.path.is_dir():
            raise JobError(
                f"{output.shown} is a file: a job of many shards writes a folder of parts: name another --output"
            )
        names = output.names()
        if names:
            raise JobError(
                f"{output.shown} is there already and this job did not write it (it has {names[0]}): "
                "choose another --output, or remove it"
            )
