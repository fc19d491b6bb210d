"""What an identity provider's claims let somebody do: never more than they say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import SettingError, Settings
from app.web.auth import PEOPLE, Role
from app.web.claims import Claimed, ClaimsRefused, claimed
from app.web.oidc import Attempt

SETTINGS = Settings(oidc_issuer="https://id.example.org")
REGIONS = frozenset({"oslo", "porto"})
ANNA = {"sub": "1", "preferred_username": "anna", "roles": ["support"]}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["oslo", "acme", "admin", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def test_claims_become_a_person():
    found = claimed({**ANNA, "regions": "oslo mars", "partner": "acme"}, SETTINGS, REGIONS)
    assert found == Claimed(subject="1", name="anna", role=Role.SUPPORT, regions=("oslo",), partner="acme")
    assert claimed(ANNA, SETTINGS, REGIONS).regions == ()


def test_the_highest_role_counts_by_the_names_that_were_set():
    settings = replace(SETTINGS, oidc_role_claim="realm_access.roles", oidc_roles="staff=viewer boss=admin")
    told = {"sub": "1", "preferred_username": "anna", "realm_access": {"roles": ["staff", "boss", "admin"]}}
    assert claimed(told, settings, REGIONS).role is Role.ADMIN
    told["realm_access"]["roles"] = ["admin", "staff"]
    assert claimed(told, settings, REGIONS).role is Role.VIEWER, "a name of ours is none of theirs"


@pytest.mark.parametrize(
    "change",
    [
        {"sub": None},
        {"sub": 7},
        {"preferred_username": None},
        {"preferred_username": " "},
        {"preferred_username": "a" * 201},
        {"roles": None},
        {"roles": []},
        {"roles": "owner"},
        {"roles": {"admin": True}},
        {"regions": []},
        {"regions": ["mars"]},
        {"regions": {"oslo": True}},
        {"partner": ""},
        {"partner": ["acme"]},
    ],
)
def test_what_is_missing_or_unclear_lets_nobody_in(change):
    with pytest.raises(ClaimsRefused):
        claimed({**ANNA, **change}, SETTINGS, REGIONS)


@given(roles=anything, regions=anything, partner=anything)
def test_whatever_a_provider_says_nobody_gets_more_than_that(roles, regions, partner):
    try:
        found = claimed({**ANNA, "roles": roles, "regions": regions, "partner": partner}, SETTINGS, REGIONS)
    except ClaimsRefused:
        return
    assert found.role in PEOPLE
    assert found.role.value in str(roles)
    assert (found.regions == ()) == (regions is None)
    assert set(found.regions) <= REGIONS
    assert found.partner == (None if partner is None else partner.strip())


def test_roles_that_there_are_not_are_no_setting():
    with pytest.raises(SettingError, match="POSTRIDER_OIDC_ROLES"):
        Settings.from_env({"POSTRIDER_OIDC_ROLES": "boss=owner"})


def test_an_attempt_comes_back_from_its_cookie_and_proves_itself_as_the_standard_says():
    attempt = Attempt.new()
    assert Attempt.of_cookie(attempt.cookie) == attempt
    for text in (None, "", "a.b", "a.b.c.d", "..", "a..c"):
        assert Attempt.of_cookie(text) is None
    known = Attempt(state="s", nonce="n", verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert known.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "RFC 7636, appendix B"
