"""
Metrics of several processes that answer as one, whichever of them is asked.

Each process counts in files of its own in a folder that all share (the multiprocess mode of prometheus_client). What a
process that is gone has counted stays counted, in one file for all of the dead; what it said of its present (a gauge)
goes with it.

Nothing of prometheus_client is imported here before it is needed: it looks for the folder when it is imported.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
DEAD: Final = 0
"""In place of a process id in the name of a file."""


def share_metrics(folder: Path) -> None:
    """Let this process and its children count together, in files in `folder`; call it before metrics are imported."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.db"), *folder.glob("*.gone")]:
        old.unlink()
    os.environ[MULTIPROCESS] = str(folder)


def collected(folder: Path) -> bytes:
    """The metrics of all processes that share the folder, in Prometheus text format."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - see above

    with _alone(folder):
        _bury(folder)
        registry = CollectorRegistry()
        registry.register(_Files(folder))
        return generate_latest(registry)


class _Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Any]:
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - see above

        # A file of no size is one that a process is just making.
        files = [str(path) for path in self._folder.glob("*.db") if path.stat().st_size]
        merged: Iterable[Any] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two who are asked at once do not bury the same."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _bury(folder: Path) -> None:
    """Add what the dead counted to the file of all dead, so that there are not ever more files."""
    for path in folder.glob("*.db"):
        kind, _, rest = path.stem.partition("_")
        pid = int(rest.rpartition("_")[2])
        if pid == DEAD or _is_alive(pid):
            continue
        if kind == "gauge":
            path.unlink()
        else:
            gone = path.rename(path.with_suffix(".gone"))  # first: rather once too few than twice
            _add(gone, folder / f"{kind}_{DEAD}.db")
            gone.unlink()


def _add(path: Path, to: Path) -> None:
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415 - see above

    if not path.stat().st_size:
        return
    dead: Any = MmapedDict(str(to))  # type: ignore[no-untyped-call]
    for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
        dead.write_value(key, dead.read_value(key)[0] + value, timestamp)
    dead.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
