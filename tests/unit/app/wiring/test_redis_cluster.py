"""How an address of a cluster is read."""

import pytest

from app.wiring.redis_client import open_client
from tracking.cluster import Cluster


def test_servers_have_one_user_and_the_limits_of_all_clients():
    cluster = open_client("redis+cluster://me:p%40ss@first:7000,second/", size=7)
    assert isinstance(cluster, Cluster)
    assert list(cluster._nodes.startup_nodes) == ["first:7000", "second:6379"]
    wanted = {"username": "me", "password": "p@ss", "socket_timeout": 5.0, "socket_connect_timeout": 2.0}
    assert wanted.items() <= cluster._nodes.connection_kwargs.items()
    pool = cluster._connect("third", 7001).connection_pool
    assert (pool.max_connections, pool.connection_class.__name__) == (7, "Connection")
    assert {**wanted, "host": "third", "port": 7001, "db": 0}.items() <= pool.connection_kwargs.items()


def test_over_tls_the_finder_and_the_clients_have_the_same_certificates():
    cluster = open_client("rediss+cluster://first/?ssl_ca_certs=/ca.pem", size=1)
    pool = cluster._connect("::1", 7001).connection_pool
    assert pool.connection_class.__name__ == "SslConnection"
    assert (pool.connection_kwargs["host"], pool.connection_kwargs["ssl_ca_certs"]) == ("::1", "/ca.pem")
    assert cluster._nodes.connection_kwargs["ssl_ca_certs"] == "/ca.pem"


def test_a_cluster_has_no_other_database():
    with pytest.raises(ValueError, match="database 0 only"):
        open_client("redis+cluster://first:7000/3", size=1)
