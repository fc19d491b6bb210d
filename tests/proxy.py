"""nginx as deploy/nginx.conf sets it up, on the loopback, with a certificate and addresses that are there."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.waiting import PATIENCE_S, wait_until

CONFIGURATION: Final = Path(__file__).parents[1] / "deploy" / "nginx.conf"
UPSTREAM: Final = re.compile(r"^\s*server \w+:8080", re.MULTILINE)
"""An API behind it, by its name in compose.yaml."""


def configured(folder: Path, apis: Sequence[int], *, https: int = 8443, http: int = 8081) -> Path:
    """The configuration in a folder, for APIs on these ports of this machine; its log is `nginx.log` there."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=127.0.0.1", "-keyout", folder / "key", "-out", folder / "certificate"),
        ],
        check=True,
        capture_output=True,
    )
    text = CONFIGURATION.read_text()
    ports = iter(apis)
    text = UPSTREAM.sub(lambda _: f"server 127.0.0.1:{next(ports)}", text)
    for there, here in {
        "listen 8443": f"listen 127.0.0.1:{https}",
        "listen 8081": f"listen 127.0.0.1:{http}",
        "/run/secrets/tls_certificate": folder / "certificate",
        "/run/secrets/tls_key": folder / "key",
        "/tmp/nginx.pid": folder / "nginx.pid",
        "/dev/stdout": folder / "nginx.log",
    }.items():
        assert there in text, there
        text = text.replace(there, str(here))
    (folder / "nginx.conf").write_text(text)
    return folder / "nginx.conf"


@contextmanager
def running(folder: Path, apis: Sequence[int], *, https: int, http: int) -> Iterator[str]:
    """The address that nginx answers, for as long as the context lasts."""
    url = f"https://127.0.0.1:{https}"
    command = ["nginx", "-g", "daemon off;", "-c", str(configured(folder, apis, https=https, http=http))]
    with (folder / "nginx.errors").open("w") as errors, subprocess.Popen(command, stderr=errors) as process:
        try:
            wait_until(lambda: _listens(url))
            yield url
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def _listens(url: str) -> bool:
    try:
        return httpx.get(f"{url}/metrics", verify=False, timeout=PATIENCE_S).status_code == httpx.codes.NOT_FOUND
    except httpx.HTTPError:
        return False
