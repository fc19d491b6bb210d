import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.auth import cookie_of


@pytest.mark.parametrize(
    "header",
    [
        "a=1; s=token",
        "a(b)=1; s=token",
        'g_state={"i_l":0}; s=token',
        's="token"',
        "s = token ;",
        "=; ;;s=token;\x00=\xff",
    ],
)
def test_the_session_is_found_beside_anything(header):
    assert cookie_of(header, "s") == "token"


@given(st.lists(st.text(st.characters(blacklist_characters=";"), max_size=20), max_size=5), st.integers(0, 5))
def test_cookies_of_others_never_matter(others, place):
    foreign = [pair for pair in others if pair.partition("=")[0].strip() != "s"]
    pairs = [*foreign[:place], "s=token", *foreign[place:]]
    assert cookie_of(";".join(pairs), "s") == "token"
    assert cookie_of(";".join(foreign), "s") is None
