"""A Redis Cluster of three primaries with a replica each, on the loopback."""

from contextlib import ExitStack
from itertools import count
from pathlib import Path

import redis
from redis.crc import key_slot

from app.machine import privileges
from app.machine.servers import RedisServer, free_port
from tests.waiting import wait_until

SLOTS = 16_384
TIMEOUT_MS = 6_000
"""A server that is silent for so long is taken for dead: a busy machine may keep one waiting for a second or two."""


class Node(RedisServer):
    """A server of a cluster."""

    def __init__(self, folder: Path, password: str) -> None:
        super().__init__(folder)
        self.bus = free_port()
        privileges.own_file(self.folder / "password", password + "\n")

    def _prepare(self) -> None:
        super()._prepare()
        lines = (
            f"masterauth {self._password()}",
            "cluster-enabled yes",
            f"cluster-port {self.bus}",
            f"cluster-node-timeout {TIMEOUT_MS}",
            "cluster-require-full-coverage no",
            "cluster-replica-validity-factor 0",
        )
        path = self.folder / "redis.conf"
        privileges.own_file(path, path.read_text() + "\n".join(lines) + "\n")

    def client(self) -> redis.Redis:
        """Of this server alone."""
        return redis.Redis.from_url(self.url)

    def info(self, section: str) -> dict[str, int | str]:
        """What INFO says."""
        with self.client() as client:
            return client.info(section)

    def cluster(self, *words: str | int) -> object:
        """Do a CLUSTER command."""
        with self.client() as client:
            return client.execute_command("CLUSTER", *words)


class Cluster:
    """Three primaries, each with a replica at the same place of `replicas`."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        nodes = [Node(folder / f"node{i}", "secret") for i in range(6)]
        for node in nodes:
            node.start()
            stack.callback(node.stop)
        self.primaries, self.replicas = nodes[:3], nodes[3:]
        for i, node in enumerate(self.primaries):
            node.cluster("ADDSLOTSRANGE", SLOTS * i // 3, SLOTS * (i + 1) // 3 - 1)
            node.cluster("SET-CONFIG-EPOCH", i + 1)
        for node in nodes[1:]:
            node.cluster("MEET", "127.0.0.1", nodes[0].port, nodes[0].bus)
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            name = primary.cluster("MYID").decode()
            wait_until(lambda replica=replica, name=name: name in str(replica.cluster("NODES")))
            replica.cluster("REPLICATE", name)
        wait_until(lambda: all(self._is_whole(node) for node in nodes))

    @property
    def url(self) -> str:
        """As the program is told of it; of the last two servers it hears from the others."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in (*self.primaries, *self.replicas)[:4])
        return f"redis+cluster://:secret@{hosts}"

    def names(self) -> list[str]:
        """A name of a region for each primary."""
        found: dict[int, str] = {}
        for n in count():
            found.setdefault(self.place_of(f"{{city-{n}}}"), f"city-{n}")
            if len(found) == 3:
                return [found[i] for i in range(3)]
        raise AssertionError

    def place_of(self, key: str) -> int:
        """Which primary has a key."""
        slot = key_slot(key.encode())
        return max(i for i in range(3) if slot >= SLOTS * i // 3)

    def is_taken_over(self, place: int) -> bool:
        """Whether the replica there is the primary now."""
        return self.replicas[place].info("replication")["role"] == "master"

    def flush(self) -> None:
        """Empty all."""
        for node in self.primaries:
            with node.client() as client:
                client.flushall()

    def _is_whole(self, node: Node) -> bool:
        told = node.cluster("INFO").decode()
        nodes = node.cluster("NODES").decode()
        is_linked = node in self.primaries or node.info("replication")["master_link_status"] == "up"
        return "cluster_state:ok" in told and nodes.count("slave ") == 3 and "handshake" not in nodes and is_linked
