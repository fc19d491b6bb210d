"""What the system tells of running processes, any of which may end in the middle of the question."""

from pathlib import Path

_PROC = Path("/proc")


def is_alive(pid: int) -> bool:
    """False also for a zombie, whose parent has not looked after it yet."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def parent_of(pid: int) -> int:
    """0 where there is no such process."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def command_of(pid: int) -> bytes:
    """The words of its command line, each ended by NUL; empty where there is no such process."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def children_of(pid: int) -> set[int]:
    return {child for child in (int(folder.name) for folder in _PROC.glob("[0-9]*")) if parent_of(child) == pid}


def descendants_of(pid: int) -> set[int]:
    children = children_of(pid)
    return children.union(*map(descendants_of, children))


def _stat(pid: int) -> list[str]:
    """State, parent and so on. A process that goes while the file is open answers ESRCH, not ENOENT."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
