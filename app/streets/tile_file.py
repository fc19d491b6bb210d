"""One file of tiles, open as long as it stays the same: `postrider map` may put another in its place at any time."""

import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

from app.streets.features import ATTRIBUTION

log = logging.getLogger(__name__)


class Version(NamedTuple):
    """Which file it is: another one, or a changed one, has another version."""

    inode: int
    modified_ns: int
    n_bytes: int

    def __str__(self) -> str:
        return f"{self.inode:x}-{self.modified_ns:x}-{self.n_bytes:x}"


class TileFile:
    """Tiles by zoom, column and row, as they lie in a .pmtiles file: gzipped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: Version | None = None
        self._reader: Any = None
        self._file: Any = None

    @property
    def version(self) -> Version | None:
        """Of what is there now; None: nothing that can be read."""
        try:
            found = self._path.stat()
        except OSError:
            found = None
        version = None if found is None else Version(found.st_ino, found.st_mtime_ns, found.st_size)
        if version != self._version:
            self._open(version)
        return self._version if self._reader is not None else None

    def header(self) -> dict[str, Any]:
        """What the file says of itself; empty without one."""
        return {} if self.version is None else dict(self._reader.header())

    @property
    def attribution(self) -> str:
        """What the map must say of the file: whose data it is."""
        if self.version is None:
            return ATTRIBUTION
        try:
            said = self._reader.metadata().get("attribution")
        except Exception:  # noqa: BLE001 - tiles by another program are drawn whatever it wrote beside them
            said = None
        return said if isinstance(said, str) and said else ATTRIBUTION

    def tile(self, zoom: int, column: int, row: int) -> bytes | None:
        """A tile, gzipped; None where there is none."""
        if self.version is None or not (0 <= column < 2**zoom and 0 <= row < 2**zoom):
            return None
        found: bytes | None = self._reader.get(zoom, column, row)
        return found

    def close(self) -> None:
        """Let the file go; it is opened anew for who asks again."""
        self._let_go()
        self._version = None

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._reader = None

    def _open(self, version: Version | None) -> None:
        self._let_go()
        self._version = version
        if version is None:
            return
        try:
            from pmtiles.reader import Reader  # noqa: PLC0415 - of the extra `map`

            self._file = self._path.open("rb")
            self._reader = Reader(self._bytes)  # type: ignore[no-untyped-call]
            self._reader.header()
        except Exception as exc:  # noqa: BLE001 - whatever is wrong with the file, the page has an outline of its own
            self._let_go()
            log.warning("map tiles unreadable", extra={"event": "map_tiles_unreadable", "why": repr(exc)})

    def _bytes(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)
