"""Commands of a cluster, sent to servers that are made up."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import (
    ClusterCrossSlotError,
    ConnectionError,  # noqa: A004 - redis-py's
    DataError,
    MovedError,
)

from tests.one_slot import across
from tests.waiting import until
from tracking.cluster import Cluster, key_of, lane_of, name_of_server, pools_of, servers_of
from tracking.script import Script

A, B = "pr:{a}:log", "pr:{b}:log"


class Node:
    """As redis-py's finder tells of a server."""

    def __init__(self, port, server_type="primary"):
        self.host, self.port, self.name, self.server_type = "host", port, f"host:{port}", server_type

    async def disconnect(self):
        pass


class Nodes:
    """Who has what: at first the server 1 has all."""

    def __init__(self):
        self.startup_nodes = {}
        self.slots_cache = {}
        self.nodes_cache = {}
        self.owner_of = {}
        self.n_looks = 0
        self.failure = None

    async def initialize(self):
        self.n_looks += 1
        if self.failure is not None:
            raise self.failure
        self.nodes_cache = {node.name: node for node in (Node(1), Node(2), Node(3, "replica"))}
        self.slots_cache = {slot: [self.nodes_cache["host:1"]] for slot in range(16_384)}
        for key, port in self.owner_of.items():
            self.slots_cache[key_slot(key.encode())] = [self.nodes_cache[f"host:{port}"]]

    async def move_slot(self, exc):
        self.slots_cache[exc.slot_id] = [self.nodes_cache[f"host:{exc.port}"]]


class Server(Redis):
    """Notes what it is sent; `answer` says what it answers, or raises it."""

    def __init__(self, port, sent, answer):
        super().__init__()
        self.port, self.sent, self.answer = port, sent, answer

    async def execute_command(self, *args, **options):
        self.sent.append((self.port, args))
        found = self.answer(self.port, args)
        if isinstance(found, Exception):
            raise found
        return found

    def pipeline(self, transaction=True, shard_hint=None):
        return Sent(self, transaction)


class Sent(Pipeline):
    def __init__(self, server, transaction):
        super().__init__(server.connection_pool, {}, transaction, None)
        self.server = server

    async def execute(self, raise_on_error=True):
        stack, self.command_stack = self.command_stack, []
        self.server.sent.append((self.server.port, *(args for args, _ in stack)))
        answers = [self.server.answer(self.server.port, args) for args, _ in stack]
        if isinstance(answers[0], ConnectionError):
            raise answers[0]
        return answers


class World:
    def __init__(self):
        self.nodes, self.sent = Nodes(), []
        self.answers = {}
        self.cluster = Cluster(self.nodes, lambda _, port: Server(port, self.sent, self.answer))

    def answer(self, port, args):
        return self.answers.get((port, key_of(args)), port)

    def moves(self, key, to, *, of=1):
        self.answers[of, key] = MovedError(f"{key_slot(key.encode())} host:{to}")


@pytest.fixture
async def world():
    made = World()
    yield made
    await made.cluster.aclose()


def test_the_key_of_each_kind_of_command():
    assert key_of(("SET", "a", 1)) == "a"
    assert key_of(("XGROUP CREATE", "a", "g")) == "a"
    assert key_of(("EVALSHA", "digest", 2, "a", "b", "argument")) == "a"
    assert key_of(("XREAD", b"BLOCK", "500", b"STREAMS", "a", "b", "0", "0")) == "a"
    assert key_of(("XREADGROUP", b"GROUP", "g", "c", b"STREAMS", "a", ">")) == "a"
    for keyless in (("WAIT", 1, 100), ("PING",), ("EVAL", "return 1", 0)):
        assert key_of(keyless) is None


async def test_a_command_goes_to_the_server_of_its_key_and_after_a_move_to_the_next(world):
    world.nodes.owner_of = {B: 2}
    assert [await world.cluster.get(A), await world.cluster.get(B)] == [1, 2]
    world.moves(A, to=2)
    assert await world.cluster.get(A) == 2
    with pytest.raises(DataError, match="no key"):
        await world.cluster.time()
    assert world.nodes.n_looks == 1


async def test_what_moves_for_ever_is_given_up(world):
    world.moves(A, to=2)
    world.moves(A, to=1, of=2)
    with pytest.raises(MovedError):
        await world.cluster.get(A)


async def test_a_pipeline_is_parted_by_server_and_answered_in_order(world):
    world.nodes.owner_of = {B: 2}
    async with world.cluster.pipeline(transaction=False) as pipe:
        for key in (A, B, A):
            pipe.get(key)
        assert await pipe.execute() == [1, 2, 1]
    assert sorted(world.sent) == [(1, ("GET", A), ("GET", A)), (2, ("GET", B))]


async def test_what_one_server_fails_was_done_by_the_others_and_is_told(world):
    world.nodes.owner_of = {B: 2}
    world.answers[1, A] = ConnectionError("away")
    async with world.cluster.pipeline(transaction=False) as pipe:
        pipe.incr(A)
        pipe.incr(B)
        with pytest.raises(ConnectionError, match="away"):
            await pipe.execute()
    assert sorted(world.sent) == [(1, ("INCRBY", A, 1)), (2, ("INCRBY", B, 1))]


async def test_a_script_that_is_sent_on_takes_its_wait_along_and_the_others_are_not_done_twice(world):
    world.moves(A, to=2)
    async with world.cluster.pipeline(transaction=False) as pipe:
        pipe.execute_command("EVALSHA", "digest", 1, A)
        pipe.execute_command("WAIT", 1, 100)
        pipe.incr(B)
        assert await pipe.execute() == [2, 2, 1]
    (first, *whole), (second, *again) = world.sent
    assert (first, [command[0] for command in whole]) == (1, ["EVALSHA", "WAIT", "INCRBY"])
    assert (second, [command[0] for command in again]) == (2, ["EVALSHA", "WAIT"])


async def test_calls_of_a_script_share_a_round_trip_and_one_that_is_elsewhere_takes_its_own_wait_along(world):
    world.moves(A, to=2)
    found = await Script("commit").run_each(world.cluster, [([A], ()), ([B], ())], replicas=1, within_ms=100)
    assert found == [(2, 2), (1, 1)]
    together, *alone = [(port, [args[0] for args in sent]) for port, *sent in world.sent]
    assert together == (1, ["EVALSHA", "EVALSHA", "WAIT"])
    assert alone == [(1, ["EVALSHA", "WAIT"]), (2, ["EVALSHA", "WAIT"])]


async def test_a_server_that_is_away_is_looked_for_again_after_a_shared_round_trip(world, monkeypatch):
    monkeypatch.setattr("tracking.cluster.LOOK_AGAIN_S", 0.0)
    await world.cluster.get(B)
    world.answers[1, A] = ConnectionError("away")
    with pytest.raises(ConnectionError, match="away"):
        await Script("commit").run_each(world.cluster, [([A], ()), ([B], ())])
    await world.cluster.get(B)
    await until(lambda: world.nodes.n_looks == 2)


async def test_keys_of_one_server_have_its_name(world):
    assert len({name_of_server(world.cluster, key) for key in (A, B)}) == 2  # nobody has looked yet
    await world.cluster.get(A)
    assert {name_of_server(world.cluster, key) for key in (A, B)} == {"host:1"}
    async with Redis() as single:
        assert name_of_server(single, A) == name_of_server(single, B)


async def test_a_transaction_stays_within_a_slot(world):
    async with world.cluster.pipeline(transaction=True) as pipe:
        pipe.incr(A)
        pipe.incr(B)
        with pytest.raises(ClusterCrossSlotError):
            await pipe.execute()
    assert not world.sent


async def test_who_knows_the_servers_goes_on_while_they_are_looked_for_again(world, monkeypatch):
    monkeypatch.setattr("tracking.cluster.LOOK_AGAIN_S", 0.0)
    world.nodes.owner_of = {B: 2}
    await world.cluster.get(B)
    began, over = asyncio.Event(), asyncio.Event()

    async def initialize():
        began.set()
        await over.wait()

    monkeypatch.setattr(world.nodes, "initialize", initialize)
    world.answers[1, A] = ConnectionError("away")
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await world.cluster.get(A)
    await began.wait()
    assert await world.cluster.get(B) == 2
    over.set()


async def test_servers_that_are_not_found_are_an_outage_and_looked_for_again(world, monkeypatch):
    monkeypatch.setattr("tracking.cluster.LOOK_AGAIN_S", 0.0)
    world.nodes.failure = ConnectionError("refused")
    with pytest.raises(ConnectionError, match="refused"):
        await world.cluster.get(A)
    world.nodes.failure = None

    async def is_found():
        try:
            return await world.cluster.get(A) == 1
        except ConnectionError:
            return False

    await until(is_found)


async def test_all_servers_by_address_and_one_alone_by_none(world):
    assert list(await servers_of(world.cluster)) == ["host:1", "host:2"]
    assert list(await servers_of(world.cluster, with_replicas=True)) == ["host:1", "host:2", "host:3"]
    assert len(pools_of(world.cluster)) == 3
    single = Redis()
    assert (await servers_of(single), pools_of(single)) == ({"": single}, [single.connection_pool])
    assert {lane_of(single, key) for key in (A, B)} == {0}
    assert len({lane_of(world.cluster, key) for key in (A, B, "pr:{a}:events")}) == 2


def test_what_touches_several_slots_is_seen():
    """Of the law itself, that every test with a Redis is held to."""
    assert not across([("EVALSHA", "digest", 2, A, "pr:{a}:live", B), ("GET", B), ("DEL", A)])
    assert across([("EVALSHA", "digest", 2, A, B)])
    assert across([("DEL", A, B)])
    assert across([("MULTI",), ("INCR", A), ("INCR", B), ("EXEC",)])
    assert not across([("MULTI",), ("INCR", A), ("EXEC",), ("MULTI",), ("INCR", B), ("EXEC",)])
