import pytest

from app.machine.in_force import masked


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("database_url", "postgresql://me:secret@a:1,b:2/x", "postgresql://me:***@a:1,b:2/x"),
        ("redis_url", "redis+sentinel://:one@a:1,b:2/fleet", "redis+sentinel://:***@a:1,b:2/fleet"),
        (
            "redis_url",
            "redis+sentinel://:one@a/fleet?sentinel_username=u&sentinel_password=two&ssl_ca_certs=c",
            "redis+sentinel://:***@a/fleet?sentinel_username=u&sentinel_password=***&ssl_ca_certs=c",
        ),
        ("mqtt_url", "mqtt://me:one:t@wo@a:1883", "mqtt://me:***@a:1883"),
        ("mqtt_url", "mqtt://a:1883", "mqtt://a:1883"),
        ("database_url", "postgresql://a/x?user=me&password=secret", "postgresql://a/x?user=me&password=***"),
    ],
)
def test_no_password_of_an_address_is_shown(field, value, shown):
    assert masked(field, value) == shown
