"""What is pushed is for one browser, signed by a key that stays the same."""

import base64
import json
from datetime import UTC, datetime

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from app.messages import push

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SECRET = b"s" * 32


def text(value):
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def browser(endpoint="https://push.example.com/abc"):
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    auth = b"0123456789abcdef"
    return key, auth, {"endpoint": endpoint, "keys": {"p256dh": text(point), "auth": text(auth)}}


def test_a_browser_reads_what_was_meant_for_it_and_its_service_knows_who_sent_it():
    key, auth, subscription = browser()
    said = {"title": "New order", "body": "", "open": "/courier"}
    headers, body = push.sealed(SECRET, subscription, said, contact="mailto:a@example.com", now=NOW)
    assert b"New order" not in body
    assert json.loads(http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm")) == said
    assert Vapid02.verify(headers["Authorization"])
    assert headers["Authorization"].endswith(f"k={push.public_key_of(SECRET)}")
    claims = json.loads(base64.urlsafe_b64decode(headers["Authorization"].split(".")[1] + "=="))
    assert claims == {"aud": "https://push.example.com", "sub": "mailto:a@example.com", "exp": "1795824000"}


def test_the_key_is_the_installations_for_ever():
    assert push.public_key_of(SECRET) == push.public_key_of(SECRET)
    assert push.public_key_of(SECRET) != push.public_key_of(b"t" * 32)


@pytest.mark.parametrize("keys", [{"p256dh": "AAAA", "auth": "AAAA"}, {"p256dh": 7, "auth": "x"}, {}, None])
async def test_who_cannot_be_written_to_is_gone_and_nothing_is_raised(keys):
    made = push.Push(allow_private=True, contact="mailto:a@example.com")
    told = await made.send(SECRET, {"endpoint": "http://127.0.0.1:1", "keys": keys}, {}, ttl_s=1, now=NOW)
    assert (told.is_sent, told.is_gone) == (False, True)


async def test_a_service_inside_is_not_called():
    _, _, subscription = browser("http://127.0.0.1:9/x")
    made = push.Push(allow_private=False, contact="mailto:a@example.com")
    told = await made.send(SECRET, subscription, {}, ttl_s=1, now=NOW)
    assert (told.is_sent, told.is_gone, told.error) == (False, False, "ConnectError")
