"""
From bytes to fields: what a query, a form, a multipart form or JSON holds, whatever the content type says; no I/O.

Phones leave the content type out, or lie; so bodies are recognised by how they begin.
"""

import codecs
import json
from email import message_from_bytes, policy
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from tracking.intake.phones.heard import Unreadable

BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The longer ones first: UTF-32's little-endian mark begins with UTF-16's."""

Fields = dict[str, Any]
"""Names in lower case; an empty value is missing, but its name is there."""


def text_of_body(body: bytes) -> str:
    """A body as text: by its byte order mark, else UTF-8; what is neither is replaced, as a comment in cp1251 is."""
    encoding = next((name for mark, name in BOMS if body.startswith(mark)), "utf-8")
    return body.decode(encoding, errors="replace")


def is_json(text: str) -> bool:
    """Whether it looks like JSON."""
    return text[:64].lstrip()[:1] in {"{", "["}


def json_of(text: str | bytes) -> Any:
    """
    What a JSON document holds; NaN and Infinity, which many libraries write, as text, for they are no numbers.

    Raises Unreadable.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError) as exc:
        raise Unreadable("not JSON") from exc


def json_text(content: Any) -> bytes:
    """JSON for the quarantine."""
    try:
        return msgspec.json.encode(content)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return repr(content).encode()


def fields_of(text: str) -> Fields:
    """Fields of a query or a form."""
    return {name.strip().lower(): value for name, value in parse_qsl(text, keep_blank_values=True)}


def is_multipart(text: str) -> bool:
    """Whether it looks like `multipart/form-data`."""
    return text[:2] == "--" and "content-disposition" in text[:400].lower()


def parts_of(body: bytes) -> tuple[Fields, list[str]]:
    """
    Of a multipart body: its plain fields, and what its files hold, as text.

    Raises Unreadable when nothing can be found in it.
    """
    boundary = body.split(b"\n", 1)[0].strip()[2:].decode("latin-1").replace('"', "")
    head = f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode("latin-1")
    message = message_from_bytes(head + body, policy=policy.HTTP)
    fields: Fields = {}
    files: list[str] = []
    for part in message.iter_parts() if message.is_multipart() else ():
        content = part.get_payload(decode=True)
        text = text_of_body(content if isinstance(content, bytes) else b"")
        name = part.get_param("name", header="content-disposition")
        if is_json(text) or part.get_filename() is not None or not isinstance(name, str):
            files.append(text)
        else:
            fields[name.strip().lower()] = text.strip()
    if not fields and not files:
        raise Unreadable("a multipart body without parts")
    return fields, files
