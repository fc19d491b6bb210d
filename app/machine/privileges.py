"""
Dropping root for child processes, without touching the system's users or anybody's permissions.

PostgreSQL refuses to run as root. As root we start it as `nobody`, in folders that are made for it. What lies under a
folder that only root can enter (a clone in /root, say) cannot be used by it: such files get a place of their own
below STATE_FOLDER.
"""

import ctypes
import os
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

NOBODY = 65534
"""The unprivileged user and group on Linux; needs no entry in the user database."""

STATE_FOLDER = Path("/var/lib/postrider")
"""Where root keeps what `nobody` must reach."""

_PR_SET_PDEATHSIG = 1


class Credentials(TypedDict, total=False):
    """Keyword arguments of subprocess.Popen."""

    user: int
    group: int
    extra_groups: list[int]
    preexec_fn: Callable[[], None]


def as_root() -> bool:
    """Whether children must be started as somebody else."""
    return os.geteuid() == 0


def unprivileged(stop_signal: signal.Signals | None = None, *, drop: bool = True) -> Credentials:
    """
    How to start a child: as nobody when we are root, unless `drop` is false.

    With `stop_signal` the child gets that signal when we die, even by kill -9 (Linux, and only when started from the
    main thread: the kernel ties it to the thread that forked).
    """
    drop = drop and as_root()
    credentials = Credentials(user=NOBODY, group=NOBODY, extra_groups=[]) if drop else Credentials()
    if stop_signal and sys.platform == "linux" and threading.current_thread() is threading.main_thread():
        prctl, number = ctypes.CDLL(None).prctl, int(stop_signal)
        credentials["preexec_fn"] = lambda: prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    return credentials


def reachable(path: Path) -> bool:
    """Whether `nobody` can enter every folder above `path`, and `path` itself where it exists."""
    path = path.resolve()
    return all(_may_enter(folder) for folder in [*path.parents, path] if folder.exists())


def _may_enter(path: Path) -> bool:
    status = path.stat()
    if status.st_uid == NOBODY:
        return bool(status.st_mode & stat.S_IXUSR) or not stat.S_ISDIR(status.st_mode)
    return bool(status.st_mode & stat.S_IXOTH) or not stat.S_ISDIR(status.st_mode)


def own_folder(folder: Path) -> Path:
    """
    Make `folder` for a server's files and return where it really lies.

    As root, and below a folder that nobody cannot enter, it is a symbolic link to a folder of STATE_FOLDER.
    Raises OSError when that cannot be written.
    """
    if not as_root():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    if folder.is_symlink():
        place = folder.resolve()
    elif folder.exists() or reachable(folder.parent):
        place = folder
    else:
        digest = sha256(str(folder.parent.resolve()).encode()).hexdigest()[:12]
        place = STATE_FOLDER / f"{digest}-{folder.name}"
        STATE_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(place)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(place, NOBODY, NOBODY)
    return place


def own_file(path: Path, text: str) -> None:
    """Write a file that only the servers' user (and we) can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if as_root():
        os.chown(path, NOBODY, NOBODY)


def readable_copy(source: Path, name: str, *, ignore: tuple[str, ...] = ()) -> Path:
    """
    `source` itself, or a copy below STATE_FOLDER when we are root and nobody cannot reach it.

    `name` says what it is and which version, so that a copy is made once per version.
    """
    if not as_root() or reachable(source):
        return source
    target = STATE_FOLDER / name
    if not target.exists():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(source, draft, symlinks=True, ignore=shutil.ignore_patterns(*ignore))
        try:
            draft.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return target
