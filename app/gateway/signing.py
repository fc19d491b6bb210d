"""
Signatures by which a receiver knows that an event is ours; no I/O.

Source: Standard Webhooks, specification 1.0 (symmetric signatures): HMAC-SHA256 of `id.timestamp.body`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
BYTES: Final = 32


def new_secret() -> str:
    """`whsec_` and 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def signed(keys: Sequence[str], event_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a request; a signature by each key, so that a receiver may still know only the older one."""
    content = f"{event_id}.{at_s}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), content, hashlib.sha256)).decode()
        for key in keys
    ]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
