"""A real S3 server on loopback, and new buckets of it, which drivers find by the environment."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

__all__ = ["SECRET", "new_bucket", "s3_server"]

SECRET = "not-to-be-shown+/="
"""The password of all buckets: it must stand nowhere."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server; give its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    one = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    one.start()
    host, port = one.get_host_and_port()
    yield f"http://{host}:{port}"
    one.stop()


def new_bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a new bucket, and let the environment say how to get in."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-access-key-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"bucket-{uuid.uuid4()}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"
