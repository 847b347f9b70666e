"""Places of a job: folders, and a real S3 server."""

from collections.abc import Iterator

import pytest

from tests.support.s3 import new_bucket
from tests.support.s3 import s3_server as running_server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A real S3 server on loopback."""
    with running_server() as url:
        yield url


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a folder in a new bucket."""
    return f"{new_bucket(s3_server, monkeypatch)}/job"


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.thorough)])
def address(request: pytest.FixtureRequest, tmp_path) -> str:
    """Where a job is: in a folder, in S3."""
    return str(tmp_path / "job") if request.param == "folder" else request.getfixturevalue("s3")
