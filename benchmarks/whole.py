"""A whole Postrider in a temporary folder, for benchmarks that look at the system from outside."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.machine.servers import free_port

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A Postrider that serves."""

    url: str
    token: str
    """The administrator's."""
    pid: int
    """Of `postrider up`."""
    folder: Path
    """Its data."""


@contextmanager
def postrider_up(environ: Mapping[str, str] | None = None, log: Path | None = None) -> Iterator[Whole]:
    """`postrider up` with embedded servers; ended, and its folder removed, at the end. `log`: where its log goes."""
    with (
        tempfile.TemporaryDirectory(prefix="postrider-bench-", ignore_cleanup_errors=True) as folder,
        ExitStack() as files,
    ):
        Path(folder).chmod(0o755)
        data_dir, url = Path(folder) / "data", f"http://127.0.0.1:{(port := free_port())}"
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "up", "--port", str(port), "--data-dir", str(data_dir)],
            cwd=ROOT,
            env=os.environ | {"POSTRIDER_LOG_LEVEL": "ERROR"} | dict(environ or {}),
            stdout=subprocess.PIPE,
            stderr=None if log is None else files.enter_context(log.open("wb")),
            text=True,
        )
        try:
            assert process.stdout is not None
            if not any("postrider ready" in line for line in process.stdout):
                raise SystemExit("postrider did not start")
            yield Whole(url=url, token=(data_dir / "admin.token").read_text().strip(), pid=process.pid, folder=data_dir)
        finally:
            process.terminate()
            process.wait(120)
