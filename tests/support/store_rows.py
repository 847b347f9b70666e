"""What a store holds, row by row, as another program would read it."""

from collections.abc import Iterator
from pathlib import Path

import rocksdict

__all__ = ["store_rows"]


def store_rows(state: Path) -> Iterator[bytes]:
    """Give every key and value of the store at `state`. Its files hold them too, but compressed, so in pieces."""
    families = rocksdict.Rdict.list_cf(str(state))
    options = {name: rocksdict.Options(raw_mode=True) for name in families}
    access = rocksdict.AccessType.read_only(False)
    db = rocksdict.Rdict(str(state), rocksdict.Options(raw_mode=True), column_families=options, access_type=access)
    for name in families:
        for key, value in db.get_column_family(name).items():
            yield name.encode() + b": " + key + b" " + value
    db.close()
