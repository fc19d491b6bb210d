"""nginx as deploy/nginx.conf sets it up, with a certificate and addresses that are there."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.waiting import PATIENCE_S, wait_until

CONFIGURATION: Final = Path(__file__).parents[1] / "deploy" / "nginx.conf"
UPSTREAMS: Final = re.compile(r"(?:^\s*server \w+:8080.*;\n)+", re.MULTILINE)
"""The APIs behind it, by their names in compose.yaml."""
HERE: Final = "127.0.0.1"


def configured(
    folder: Path, apis: Sequence[int | str], *, https: int = 8443, http: int = 8081, host: str = HERE
) -> Path:
    """The configuration in a folder, for APIs at ports of this machine, or `host:port`; its log is there, too."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={host}", "-keyout", folder / "key", "-out", folder / "certificate"),
        ],
        check=True,
        capture_output=True,
    )
    text = CONFIGURATION.read_text()
    addresses = [api if isinstance(api, str) else f"{HERE}:{api}" for api in apis]
    text, n_lists = UPSTREAMS.subn(
        lambda found: "".join(re.sub(r"\w+:8080", one, found[0].splitlines(keepends=True)[0]) for one in addresses),
        text,
    )
    assert n_lists == 1
    for there, here in {
        "listen 8443": f"listen {host}:{https}",
        "listen 8081": f"listen {host}:{http}",
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
def running(folder: Path, apis: Sequence[int | str], *, https: int, http: int, host: str = HERE) -> Iterator[str]:
    """The address that nginx answers, for as long as the context lasts."""
    url = f"https://{host}:{https}"
    command = ["nginx", "-g", "daemon off;", "-c", str(configured(folder, apis, https=https, http=http, host=host))]
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
