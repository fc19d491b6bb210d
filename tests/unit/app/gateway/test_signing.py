"""Signatures as the specification has them."""

import base64

from app.gateway.signing import new_secret, signed


def test_the_example_of_the_specification():
    """Source: Standard Webhooks, specification 1.0, the example in its reference libraries."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signed([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_two_keys_sign_both():
    old, new = new_secret(), new_secret()
    alone = [signed([key], "a", 1, b"x")["webhook-signature"] for key in (new, old)]
    assert signed([new, old], "a", 1, b"x")["webhook-signature"].split() == alone


def test_a_secret_has_256_random_bits():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in made} == {32}
