"""A bucket of S3 on loopback, by moto."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from khmer_aligned.stores import as_path, list_store


@pytest.fixture
def bucket(monkeypatch, tmp_path) -> Iterator[str]:
    """The URL of an empty bucket, to which this process and those it starts have credentials."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    import boto3
    from s3fs import S3FileSystem

    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # of another server
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    boto3.client("s3").create_bucket(Bucket="voices")
    yield "s3://voices"
    S3FileSystem.clear_instance_cache()
    server.stop()


def upload(folder: Path, url: str) -> str:
    """Put the files of a folder below a URL, which is returned."""
    target = as_path(url)
    for path in folder.rglob("*"):
        if path.is_file():
            (target / path.relative_to(folder).as_posix()).write_bytes(path.read_bytes())
    return url


def contents(url: str) -> dict[str, bytes]:
    """All objects below a URL that are published."""
    folder = as_path(url)
    names = [name for name in list_store(folder) if not name.startswith(".build/")]
    return {name: (folder / name).read_bytes() for name in names}
