"""
Secrets stay at the door: what is kept of a payload holds no token and no password, wherever somebody put one; no I/O.

A phone's user types the token into any field; apps add headers and credentials of their own to what they send.
"""

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

REMOVED: Final = "[removed]"

_NAMES: Final = (
    r"(?:access|auth|bearer|device|fcm|id|notification|push|refresh|session)?[_-]?token"
    r"|api[_-]?key|authorization|auth|cookie|credentials?|pass|passwd|password|pwd|secret|session"
)
_name: Final = re.compile(_NAMES, re.IGNORECASE)
_SECRETS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Our own tokens (`app.web.auth.new_token`), however much of one is left.
        (rb"pr_[a-z]_[\w-]+", rb"[removed]"),
        (rb"\b(bearer|basic)(\s+|%20|\+)[\w.~+/=-]+", rb"\1 [removed]"),
        (rb"(://)[^/@\s\"]*@", rb"\1[removed]@"),
        # name=value of queries and forms, "name": "value" of broken JSON, name: value of headers
        (
            rb"(?<![\w-])(" + _NAMES.encode() + rb")(\"?\s*[=:]\s*)(\"(?:[^\"\\]|\\.)*\"?|[^&;\s,}\"]+)",
            rb"\1\2[removed]",
        ),
    )
)
_ours: Final = b"pr_"
_escape: Final = re.compile(rb"\\u00([0-9a-f]{2})", re.IGNORECASE)


def redacted(payload: bytes) -> bytes:
    """A payload without secrets: JSON value by value, anything else as text, also where it is escaped or in UTF-16."""
    if payload[:64].lstrip()[:1] in {b"{", b"["}:
        try:
            content = msgspec.json.decode(payload)
            without = _without(content)
            if without != content:
                return msgspec.json.encode(without)
            if _ours not in payload:  # else in a member that another of the same name hides
                return payload
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # cut off, or not JSON at all
    for reading in (_plain, unquote_to_bytes, _unescaped, _narrow):
        seen = reading(payload)
        masked = _masked(seen)
        if masked != seen:
            payload = masked
    return payload


def _masked(text: bytes) -> bytes:
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _plain(text: bytes) -> bytes:
    return text


def _unescaped(text: bytes) -> bytes:
    return _escape.sub(lambda found: bytes([int(found[1], 16)]), text)


def _narrow(text: bytes) -> bytes:
    return text.replace(b"\0", b"")


def _without(content: Any) -> Any:
    match content:
        case dict():
            return {
                _text(name): REMOVED if value is not None and _name.fullmatch(name.strip()) else _without(value)
                for name, value in content.items()
            }
        case list():
            return [_without(value) for value in content]
        case str():
            return _text(content)
        case _:
            return content


def _text(text: str) -> str:
    written = text.encode(errors="surrogatepass")
    masked = _masked(written)
    return text if masked == written else masked.decode(errors="replace")
