"""`postrider pay check`: rules of pay looked at before they are put in force."""

from pathlib import Path

from dispatch.pay.source import LARGEST, Unusable, read


def check_file(path: Path) -> list[str]:
    """What cannot be used, a line each, with file, line and column as editors know them; nothing: it is good."""
    with path.open("rb") as file:
        raw = file.read(4 * LARGEST + 1)  # no character of UTF-8 takes more bytes
    try:
        read(raw.decode())
    except UnicodeDecodeError as exc:
        return [f"{path}:1:1: expected UTF-8: {exc.reason}"]
    except Unusable as exc:
        return [f"{path}:{fault.line}:{fault.column}: {fault.words}" for fault in exc.faults]
    return []
