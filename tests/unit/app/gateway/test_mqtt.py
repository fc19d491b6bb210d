"""Where a broker of others is, and under which topics it is told."""

import pytest

from app.gateway.mqtt import Address


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mqtt://broker.example", ("broker.example", 1883, False, None, None, "postrider")),
        ("mqtts://us:p%40ss@[::1]/fleet/a/", ("::1", 8883, True, "us", "p@ss", "fleet/a")),
        ("mqtt://us@10.0.0.1:1884/", ("10.0.0.1", 1884, False, "us", None, "postrider")),
    ],
)
def test_an_address_says_where_a_broker_is_who_we_are_and_under_which_topic_we_speak(url, told):
    one = Address.of(url)
    assert (one.host, one.port, one.is_tls, one.user, one.password, one.topic) == told


def test_who_listens_may_choose_by_region_by_type_and_by_subject():
    address = Address.of("mqtt://broker.example")
    row = {"type": "postrider.courier.position", "region": "porto", "subject": "2e7b"}
    assert address.topic_of(row) == "postrider/porto/courier/position/2e7b"
    refused = {"type": "postrider.command.refused", "region": "", "subject": "2e7b"}
    assert address.topic_of(refused) == "postrider/-/command/refused/2e7b"
