"""What all tests share: object storage on this machine, and the order in which files are begun."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from cambrian.sweep.bucket import Bucket

LONGEST = (
    "test_study.py",
    "test_execute_ray.py",
    "test_wandb_online.py",
    "test_llava_export.py",
    "test_faults.py",
    "test_scale_paper.py",
)
"""Files that take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: of several processes none is left alone with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def object_storage() -> Iterator[str]:
    """The address of a server on loopback that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(object_storage: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, with the environment that lets any client find it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_storage)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"studies-{secrets.token_hex(4)}"
    fsspec.filesystem("s3").mkdir(name)
    return Bucket(f"s3://{name}/fig6")
