"""How an address of Sentinels is read."""

import pytest

from app.wiring.redis_client import open_client


def test_server_and_sentinels_have_passwords_and_patience_of_their_own():
    url = "redis+sentinel://me:p%40ss@first:26380,second/fleet/3?sentinel_password=theirs"
    pool = open_client(url, size=7).connection_pool
    assert (pool.service_name, pool.max_connections) == ("fleet", 7)
    server = {"username": "me", "password": "p@ss", "db": 3, "socket_timeout": 5.0, "socket_connect_timeout": 2.0}
    assert server.items() <= pool.connection_kwargs.items()
    assert "sentinel_password" not in pool.connection_kwargs
    asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [("first", 26380), ("second", 26379)]
    for one in asked:
        assert {"password": "theirs", "socket_timeout": 1.0, "socket_connect_timeout": 1.0}.items() <= one.items()
        assert one["username"] is None


def test_over_tls_the_sentinels_are_asked_by_the_same_certificates():
    pool = open_client("rediss+sentinel://first/fleet?ssl_ca_certs=/ca.pem", size=1).connection_pool
    assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"
    [sentinel] = pool.sentinel_manager.sentinels
    assert sentinel.connection_pool.connection_class.__name__ == "SslConnection"
    assert sentinel.connection_pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"


def test_sentinels_must_be_told_a_name():
    with pytest.raises(ValueError, match="expected the name of the primary"):
        open_client("redis+sentinel://first:26379", size=1)
