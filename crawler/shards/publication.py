"""How the records of a shard become public: parts wait beside their output until the checkpoint with their URLs counts.

    records/_staged/00000005-003-00000012-00041.jsonl     a part of shard 3, brought with its checkpoint 12
    records/part-003-00041.jsonl                           the same, once the coordinator has accepted that

Readers of a folder leave out names that begin with `_`. What an accepted checkpoint names has one content for good. So
whoever gives it its public name, at whatever time, and however often, does the same: a holder of the shard that slept
cannot change what is public, nor add to it. The public folder holds what accepted checkpoints hold, and nothing else.
"""

import logging
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from crawler.core.errors import StorageError
from crawler.core.printable import printable
from crawler.ledger.sinks.base import ClosedPart
from crawler.shards.checkpoint import OutputTotal, Part, part_name
from crawler.shards.patience import Patience
from crawler.shards.place import Place

__all__ = ["Publication"]

_log = logging.getLogger(__name__)
_STAGED: Final = re.compile(r"\.?(\d{8})-(\d{3,})-.+")


class Publication:
    """The outputs of one shard. `epoch` is that of the lease of whoever uses it, in one thread. Has no other state."""

    def __init__(self, outputs: Sequence[Place], shard: int, epoch: int, patience: Patience) -> None:
        self._outputs = outputs
        self._shard = shard
        self._epoch = epoch
        self._patience = patience

    def stage(self, number: int, closed: Sequence[ClosedPart], before: Sequence[OutputTotal]) -> tuple[Part, ...]:
        """Bring the parts that checkpoint `number` makes public: those that follow the ones that are so `before`.

        Raises `StorageError` if one between them is missing.
        """
        last = [total.parts for total in before]
        parts: list[Part] = []
        for one in closed:
            if one.number <= last[one.output]:
                continue
            if one.number != last[one.output] + 1:
                raise StorageError(
                    f"part {last[one.output] + 1} of output {one.output + 1} is gone, and was not made public: "
                    f"put it back beside {printable(one.path)}"
                )
            last[one.output] += 1
            staged = f"_staged/{self._epoch:08}-{self._shard:03}-{number:08}-{one.number:05}{one.ending}"
            put = partial(self._outputs[one.output].put, Path(one.path), staged)
            self._patience.until_done(put)
            parts.append(Part(one.output, one.number, one.ending, staged, one.records, one.bytes))
        return tuple(parts)

    def publish(self, parts: Sequence[Part]) -> None:
        """Give parts of an accepted checkpoint their public names; those that have them keep them."""
        for part in parts:
            output = self._outputs[part.output]
            name = part_name(self._shard, part.number, part.ending)
            if self._patience.until_done(partial(output.rename, part.staged_as, name)):
                continue
            if self._patience.until_done(partial(output.size, name)) != part.bytes:
                _log.warning("%s/%s was taken away, or changed, since it was made public", output.shown, name)

    def begin(self) -> None:
        """Remove what holders of earlier leases have brought that did not become public; publish what counts first."""
        for output in self._outputs:
            for name in self._patience.until_done(partial(output.names, "_staged")):
                match = _STAGED.fullmatch(name)
                if match and int(match[1]) < self._epoch and int(match[2]) == self._shard:
                    self._patience.until_done(partial(output.remove, f"_staged/{name}"))
