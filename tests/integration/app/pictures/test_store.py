"""A folder and a bucket keep pictures in the same way; the bucket on a server that speaks as S3 does."""

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from obstore.exceptions import PermissionDeniedError

from app.pictures.store import PictureStore
from app.settings import Settings
from tests.waiting import PATIENCE_S, wait_until

KEYS = {"accessKey": "postrider", "secretKey": "secret-of-the-test"}


def free_ports(n):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


@pytest.fixture
def bucket(tmp_path):
    """The settings of a bucket that is there."""
    allowed = {"identities": [{"name": "a", "credentials": [KEYS], "actions": ["Admin", "Read", "Write", "List"]}]}
    (tmp_path / "s3.json").write_text(json.dumps(allowed))
    ports = free_ports(8)
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
    (tmp_path / "data").mkdir()
    told = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        [
            *(Path(sys.executable).with_name("weed"), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-dir={tmp_path / 'data'}", "-s3", f"-s3.port={ports[6]}", f"-s3.config={tmp_path / 's3.json'}"),
            *(f"-{name}={port}" for name, port in zip(names, ports, strict=False)),
            f"-s3.port.grpc={ports[7]}",
            *(
                "-s3.iam=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.volumeSizeLimitMB=64",
                "-volume.max=4",
            ),
        ],
        stdout=told,
        stderr=subprocess.STDOUT,
    )
    endpoint = f"http://127.0.0.1:{ports[6]}"
    try:
        settings = Settings(
            pictures="s3://pictures/of/porto",
            s3_endpoint=endpoint,
            s3_region="us-east-1",
            s3_key=KEYS["accessKey"],
            s3_secret=KEYS["secretKey"],
        )

        def answers():
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                return httpx.get(endpoint, timeout=PATIENCE_S).status_code < 500
            except httpx.HTTPError:
                return False

        wait_until(answers)
        yield settings
    finally:
        server.kill()
        server.wait()
        told.close()


async def keeps(store):
    assert await store.get("a") is None
    await store.put("a", b"first")
    await store.put("a", b"picture")
    assert await store.get("a") == b"picture"
    await store.delete("a")
    await store.delete("a")
    assert await store.get("a") is None


async def test_a_folder_keeps_pictures(tmp_path):
    await keeps(PictureStore.of(Settings(pictures=str(tmp_path / "new" / "folder"))))


async def test_a_bucket_keeps_pictures_and_who_has_no_key_gets_nowhere(bucket, tmp_path):
    store = PictureStore.of(bucket)
    await keeps(store)
    with pytest.raises(PermissionDeniedError):
        await PictureStore.of(replace(bucket, s3_secret="another")).put("a", b"x")
