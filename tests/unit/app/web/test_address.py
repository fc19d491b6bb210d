"""Where a request comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import SettingError, Settings
from app.web.address import Proxies, address_of

OURS = Proxies("10.0.0.1 10.0.0.2 fd00::/8 172.16.0.0/12")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("1.1.1.1", [], "1.1.1.1"),
        ("1.1.1.1", ["6.6.6.6"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 2.2.2.2"], "2.2.2.2"),
        ("10.0.0.1", ["6.6.6.6, 2.2.2.2, 10.0.0.2"], "2.2.2.2"),
        ("10.0.0.1", ["6.6.6.6", "2.2.2.2", "10.0.0.2"], "2.2.2.2"),
        ("172.20.3.4", ["2.2.2.2"], "2.2.2.2"),
        ("fd00::1", ["2001:DB8::1"], "2001:db8::1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6, unknown"], "10.0.0.1"),
        ("10.0.0.3", ["2.2.2.2"], "10.0.0.3"),
        ("", ["2.2.2.2"], ""),
    ],
)
def test_only_our_proxies_say_whom_they_speak_for(peer, forwarded_for, address):
    assert address_of(peer, forwarded_for, OURS) == address


@given(st.lists(st.text()))
def test_no_header_of_a_stranger_is_believed(headers):
    assert address_of("1.1.1.1", headers, OURS) == "1.1.1.1"


@given(st.lists(st.text()))
def test_whatever_a_proxy_passes_on_an_address_comes_of_it(headers):
    assert address_of("10.0.0.1", headers, OURS)


def test_a_setting_that_names_no_address_is_refused():
    with pytest.raises(SettingError, match="POSTRIDER_TRUSTED_PROXIES"):
        Settings.from_env({"POSTRIDER_TRUSTED_PROXIES": "10.0.0.1 proxy.example"})
