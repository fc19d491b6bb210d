"""What a region asks for at the door, and what of it is there."""

import pytest

from dispatch.orders.proof import ATTEMPTS, Asked, ProofSettings, new_code, plain, proof_settings, wanted_of

ALL = ProofSettings(photo=True, signature=True, name=True, code="always")


def test_what_is_there_is_not_missing():
    asked = Asked(settings=ALL, code="1234")
    assert asked.missing({}) == ["photo", "signature", "name", "code"]
    assert asked.missing({"photo": "https://elsewhere/1", "name": " "}) == ["signature", "name", "code"]
    there = Asked(settings=ALL, code="1234", pictures=["photo", "signature"])
    assert there.missing({"name": "Rita", "code": "1"}) == []


def test_an_order_with_a_code_is_asked_for_it_wherever_it_is():
    assert wanted_of(ProofSettings(), has_code=False) == []
    assert Asked(settings=ProofSettings(), code=None).missing({}) == []
    assert Asked(settings=ProofSettings(), code="AB12").missing({}) == ["code"]


@pytest.mark.parametrize(
    ("said", "is_right"), [("ab 12", True), ("AB12", True), ("AB1", False), ("", False), ("ä", False)]
)
def test_codes_are_compared_as_people_write_them(said, is_right):
    assert Asked(settings=ProofSettings(), code="AB12").is_right(said) is is_right


def test_wrong_codes_are_counted():
    assert not Asked(settings=ProofSettings(), code="1", n_wrong=ATTEMPTS - 1).is_locked
    assert Asked(settings=ProofSettings(), code="1", n_wrong=ATTEMPTS).is_locked


def test_a_code_can_be_said_and_is_stored_as_it_is_compared():
    assert {(len(code), code.isdigit(), plain(code) == code) for code in (new_code() for _ in range(50))} == {
        (4, True, True)
    }


@pytest.mark.parametrize(
    "stored", [None, 7, "x", [], {"proof": 1}, {"proof": {"code": "never"}}, {"proof": {"photo": 3}}]
)
def test_settings_that_cannot_be_read_ask_for_nothing(stored):
    assert proof_settings(stored) == ProofSettings()
