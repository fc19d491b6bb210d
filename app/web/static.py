"""
The built console, read once and served from memory.

Litestar's own static files know no conditional requests and no precompressed answers. What Vite has put a hash into the
name of never changes, so browsers may keep it for ever; the page itself is asked for again every time, which costs 304.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
A_DAY: Final = "public, max-age=86400"
"""A picture without a hash in its name: browsers ask for the page's sign at every change of its address."""
WORTH_COMPRESSING: Final = ("text/", "application/json", "application/javascript", "image/svg+xml")
SMALLEST_COMPRESSED_BYTES: Final = 1000
BROTLI: Final = ".br"
"""Beside a file: the same, compressed by the build of the console."""

mimetypes.add_type("text/javascript", ".js")  # some systems register text/plain, which browsers refuse as a module
mimetypes.add_type("application/manifest+json", ".webmanifest")


@dataclass(frozen=True)
class Asset:
    """One file of the console."""

    body: bytes
    media_type: str
    cache_control: str
    brotli: bytes | None = None
    """The same, compressed when the console was built; None: it was not."""

    @cached_property
    def etag(self) -> str:
        """Changes with the content."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @cached_property
    def compressed(self) -> bytes | None:
        """gzip, made at the first request that takes it; None where it would not help."""
        if len(self.body) < SMALLEST_COMPRESSED_BYTES or not self.media_type.startswith(WORTH_COMPRESSING):
            return None
        return gzip.compress(self.body, 8, mtime=0)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes


def load(folder: Path) -> dict[str, Asset]:
    """Every file of the folder by its path in it; empty when the folder is missing."""
    if not folder.is_dir():
        return {}
    assets = {}
    for file in folder.rglob("*"):
        if not file.is_file() or file.suffix == BROTLI:
            continue
        name = file.relative_to(folder).as_posix()
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        is_hashed = name.startswith("assets/")
        tight = file.with_name(file.name + BROTLI)
        assets[name] = Asset(
            body=file.read_bytes(),
            media_type=media_type,
            cache_control=FOR_EVER if is_hashed else A_DAY if media_type.startswith("image/") else ASK_AGAIN,
            brotli=tight.read_bytes() if tight.is_file() else None,
        )
    return assets


def answer(asset: Asset, request_headers: Mapping[str, str]) -> Answer:
    """
    The asset, compressed as the caller takes it; 304 without a body when the caller has it already.

    `request_headers` have lower-case names.
    """
    headers = {"etag": asset.etag, "cache-control": asset.cache_control, "vary": "accept-encoding"}
    if _matches(request_headers.get("if-none-match", ""), asset.etag):
        return Answer(304, headers, b"")
    headers |= {"content-type": asset.media_type, "x-content-type-options": "nosniff"}
    accepted = request_headers.get("accept-encoding", "")
    if asset.brotli is not None and _takes("br", accepted):
        return Answer(200, {**headers, "content-encoding": "br"}, asset.brotli)
    if takes_gzip(accepted) and asset.compressed is not None:
        return Answer(200, {**headers, "content-encoding": "gzip"}, asset.compressed)
    return Answer(200, headers, asset.body)


def _matches(if_none_match: str, etag: str) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag in known


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a caller that says so reads gzip."""
    return _takes("gzip", accept_encoding)


def _takes(wanted: str, accept_encoding: str) -> bool:
    for part in accept_encoding.split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip().lower() in {wanted, "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
