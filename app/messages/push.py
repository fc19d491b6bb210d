"""
Web Push: what is said reaches a browser that nobody looks at (RFC 8030, encrypted by RFC 8291, signed by RFC 8292).

The service that carries it was chosen by the browser, so its address is a stranger's: public ones only. The keys that
sign are derived from the installation's secret, and so are the same for ever.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import http_ece
import httpcore
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from app.gateway.outside import PublicOnly
from app.messages.services import Told

WITHIN_S: Final = 15.0
LIVES: Final = timedelta(hours=12)
"""Of a signature; a day is the most that services take."""
MOST_BYTES: Final = 3000
"""Of a text; services take 4096 bytes, encrypted."""
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256. Source: FIPS 186-4, D.1.2.3."""
GONE: Final = (404, 410)
"""The browser takes nothing any more."""


class Push:
    """One per process."""

    def __init__(self, *, allow_private: bool, contact: str) -> None:
        """`contact`: whom a service may write to, as an address that begins with `mailto:` or `https:`."""
        self._contact = contact
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=100, keepalive_expiry=30, network_backend=PublicOnly(allow_private=allow_private)
        )

    async def send(
        self, secret: bytes, subscription: Mapping[str, Any], said: Mapping[str, str], *, ttl_s: int, now: datetime
    ) -> Told:
        """One message, dropped by the service when the browser does not come within `ttl_s`."""
        try:
            endpoint = str(subscription["endpoint"])
            headers, body = sealed(secret, subscription, said, contact=self._contact, now=now)
        except (ValueError, KeyError, TypeError) as exc:
            return Told(is_sent=False, is_gone=True, error=f"cannot be encrypted: {type(exc).__name__}")
        headers |= {"TTL": str(ttl_s), "Urgency": "high", "Content-Length": str(len(body))}
        try:
            async with asyncio.timeout(WITHIN_S):
                answer = await self._pool.request("POST", endpoint, headers=list(headers.items()), content=body)
        except Exception as exc:  # noqa: BLE001 - whatever a stranger's address or server does is its failure
            return Told(is_sent=False, error=type(exc).__name__)
        is_sent = 200 <= answer.status < 300
        return Told(
            is_sent=is_sent, is_gone=answer.status in GONE, error=None if is_sent else f"answered {answer.status}"
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def key_of(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The installation's key."""
    digest = hmac.digest(secret, b"vapid", hashlib.sha512)
    return ec.derive_private_key(int.from_bytes(digest) % (ORDER - 1) + 1, ec.SECP256R1())


def public_key_of(secret: bytes) -> str:
    """What browsers are told when they subscribe: base64url, uncompressed."""
    return _text(_point(key_of(secret)))


def sealed(
    secret: bytes, subscription: Mapping[str, Any], said: Mapping[str, str], *, contact: str, now: datetime
) -> tuple[dict[str, str], bytes]:
    """Headers and body for one browser; raises ValueError, KeyError, TypeError for one that cannot be written to."""
    keys, parts = subscription["keys"], urlsplit(str(subscription["endpoint"]))
    claims = {
        "sub": contact,
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": str(int((now + LIVES).timestamp())),
    }
    body: bytes = http_ece.encrypt(
        msgspec.json.encode(said)[:MOST_BYTES],
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=_bytes(keys["p256dh"]),
        auth_secret=_bytes(keys["auth"]),
        version="aes128gcm",
    )
    headers: dict[str, str] = Vapid02(key_of(secret)).sign(claims)
    return headers | {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}, body


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
