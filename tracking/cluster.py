"""
A Redis Cluster behind the interface of a single server: each command goes to the server that has its key.

Whoever keeps what it changes together under one hash tag (`tracking.log.RegionKeys`) need not know of it. redis-py's
cluster client finds out which server has what, and ordinary clients carry the commands, one for each server. With it
alone (8.1) one server that is away costs the others: an answer CLUSTERDOWN, or a caller that is cancelled while it
looks for the servers, closes everybody's connections. A pool that is used up refuses where ours waits, WAIT does not
follow the command it is about when that is sent on, transactions begin a thread a command, and XREAD costs two trips.

A key whose slot is being moved between servers by hand (ASK, TRYAGAIN) is an outage of its region until it is there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterNode, NodesManager
from redis.asyncio.connection import ConnectionPool
from redis.cluster import PRIMARY
from redis.crc import key_slot
from redis.exceptions import (
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis-py's
    DataError,
    MovedError,
    ReadOnlyError,
    RedisClusterException,
    TimeoutError,  # noqa: A004 - redis-py's
)

from tracking import outages

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 0.25
"""So long after one look for the servers the next begins at the earliest: many regions meet the same outage."""
MOVES: Final = 2
"""A command is sent so often on to another server, at most."""
_CHANGED: Final = (OSError, ConnectionError, TimeoutError, ClusterDownError, MovedError, ReadOnlyError)
"""After these the slots may be elsewhere."""
_KEYLESS: Final = frozenset({"WAIT", "PING", "INFO", "SCAN", "DBSIZE", "TIME", "FLUSHALL", "CONFIG GET", "SCRIPT LOAD"})


def key_of(command: Sequence[Any]) -> str | bytes | None:
    """The first key of a command as redis-py sends it, by which its server is found; None where it has none."""
    name, *args = command
    if name in {"EVAL", "EVALSHA"}:
        args = args[2:] if int(args[1]) else []
    elif name in {"XREAD", "XREADGROUP"}:
        args = args[args.index(b"STREAMS") + 1 :]
    elif name in _KEYLESS:
        args = []
    return args[0] if args else None


def _slot(key: str | bytes) -> int:
    return key_slot(key.encode() if isinstance(key, str) else key)


class Cluster(Redis):
    """The client of a cluster; it looks for the servers at the first command, and again when they may have changed."""

    def __init__(self, nodes: NodesManager, connect: Callable[[str, int], Redis]) -> None:
        """`nodes`: knows where to begin; `connect`: makes the client of a server from host and port."""
        super().__init__()  # its own pool is never used
        self._nodes = nodes
        self._named: Mapping[str, ClusterNode] = dict(nodes.startup_nodes)
        self._connect = connect
        self._clients: dict[str, Redis] = {}
        self._gone: list[Redis] = []
        """Of servers that are no longer there; some command may still be under way, and connect once more."""
        self._look: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._is_current = False
        self._failure: Exception = ConnectionError("the servers of the cluster are not known")

    async def server_of(self, key: str | bytes) -> Redis:
        """Of the server that has the key, as far as is known; raises what redis raises."""
        await self._know()
        nodes = self._nodes.slots_cache.get(_slot(key))
        if not nodes:
            raise ClusterDownError("CLUSTERDOWN no server has that slot")
        return self._client(nodes[0])

    def name_of_server(self, key: str | bytes) -> str | None:
        """Of the server that has the key, as far as is known now; None: nobody has looked yet."""
        nodes = self._nodes.slots_cache.get(_slot(key))
        return str(nodes[0].name) if nodes else None

    async def servers(self, *, with_replicas: bool = False) -> dict[str, Redis]:
        """The primaries, or all servers, by address."""
        await self._know()
        return {
            node.name: self._client(node)
            for node in self._nodes.nodes_cache.values()
            if with_replicas or node.server_type == PRIMARY
        }

    def pools(self) -> Iterator[ConnectionPool]:
        """Of the servers that were spoken to."""
        for client in self._clients.values():
            yield client.connection_pool

    async def _know(self) -> None:
        """
        Begin to look where what is known may be old; wait for it only where nothing is.

        Who asks for a key of a server that works does not wait for one that does not answer.
        """
        if not self._is_current and self._look is None and monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self._looked_at = monotonic()
            self._look = asyncio.create_task(self._look_for_servers(), name="look for the servers of the cluster")
        if not self._nodes.slots_cache:
            if self._look is not None:
                await asyncio.shield(self._look)
            if not self._nodes.slots_cache:
                raise self._failure.with_traceback(None)

    async def _look_for_servers(self) -> None:
        self._is_current = True
        try:
            # Also those that the address names: all that were found may be gone, and others be there by the same names.
            for name, node in self._named.items():
                self._nodes.startup_nodes.setdefault(name, node)
            await self._nodes.initialize()
        except Exception as exc:  # noqa: BLE001 - told
            self._is_current = False
            self._failure = _why(exc)
            outages.tell(log, "servers of the cluster not found", self._failure, event="cluster_not_found")
        else:
            self._gone += [self._clients.pop(name) for name in self._clients.keys() - self._nodes.nodes_cache.keys()]
            for client in self._gone:
                await client.connection_pool.disconnect(inuse_connections=False)
        finally:
            self._look = None

    def _client(self, node: ClusterNode) -> Redis:
        if (client := self._clients.get(node.name)) is None:
            client = self._clients[node.name] = self._connect(str(node.host), int(node.port))
        return client

    async def note(self, exc: BaseException) -> bool:
        """Remember that the servers may have changed; whether the command was not done because it belongs elsewhere."""
        if isinstance(exc, _CHANGED):
            self._is_current = False
        if isinstance(exc, MovedError):
            await self._nodes.move_slot(exc)
            return True
        return False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's."""
        if (key := key_of(args)) is None:
            raise DataError(f"{args[0]} has no key: ask a server of the cluster")
        for n_left in reversed(range(MOVES + 1)):
            ask: Callable[..., Awaitable[Any]] = (
                await self.server_of(key)
            ).execute_command  # redis-py leaves it untyped
            try:
                return await ask(*args, **options)
            except outages.REDIS as exc:
                if not await self.note(exc) or not n_left:
                    raise
        raise AssertionError

    def pipeline(
        self,
        transaction: bool = True,
        shard_hint: str | None = None,  # noqa: ARG002 - redis-py's
    ) -> "ClusterPipeline":
        """As redis-py's; a transaction must stay within one slot, and only such a one is one."""
        return ClusterPipeline(self, transaction=transaction)

    async def ping(self, **options: Any) -> bool:
        """Whether every primary answers; raises what the first raises that does not."""
        for server in (await self.servers()).values():
            await server.ping(**options)
        return True

    async def scan_iter(self, *args: Any, **options: Any) -> AsyncIterator[Any]:  # type: ignore[override]  # redis-py says it is not asynchronous
        """As redis-py's, over all primaries."""
        for server in (await self.servers()).values():
            async for key in server.scan_iter(*args, **options):
                yield key

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections to all servers."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)
        nodes = {id(node): node for node in (*self._named.values(), *self._nodes.startup_nodes.values())}
        nodes |= {id(node): node for node in self._nodes.nodes_cache.values()}
        for node in nodes.values():
            await node.disconnect()
        for client in (*self._clients.values(), *self._gone):
            await client.aclose()
        await super().aclose(close_connection_pool)


def _why(exc: Exception) -> Exception:
    """What redis-py's finder met at the last server, as a class that says whether it is an outage."""
    if isinstance(exc, RedisClusterException):
        cause = exc.__cause__
        return cause if isinstance(cause, outages.REDIS) else ConnectionError(str(exc))
    return exc


class ClusterPipeline(Pipeline):
    """
    Commands of several slots, sent at once to each server that has some of them; answers are in the order of asking.

    A command without a key (WAIT) stays behind the one before it, on the same connection. One that belongs elsewhere is
    sent on with what stays behind it; the others were done and are not done again.
    """

    def __init__(self, cluster: Cluster, *, transaction: bool) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, transaction, None)
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As redis-py's."""
        stack = list(self.command_stack)
        self.command_stack = []
        answers: list[Any] = [None] * len(stack)
        parts = self._parts(stack)
        for n_left in reversed(range(MOVES + 1)):
            if not parts:
                break
            await self._send(stack, parts, answers)
            failed = [(part, exc) for part in parts if isinstance(exc := _failure(answers, part), Exception)]
            parts = [part for part, exc in failed if await self._cluster.note(exc) and n_left]
        if raise_on_error and (exc := _failure(answers, range(len(stack)))) is not None:
            raise exc
        return answers

    def _parts(self, stack: Sequence[Any]) -> list[list[int]]:
        """Which commands stay together."""
        parts: list[list[int]] = []
        slots = set()
        for i, (command, _) in enumerate(stack):
            key = key_of(command)
            if key is not None:
                slots.add(_slot(key))
            if parts and (key is None or self.is_transaction):
                parts[-1].append(i)
            elif key is None:
                raise DataError(f"{command[0]} has no key, nor has a command before it")
            else:
                parts.append([i])
        if self.is_transaction and len(slots) > 1:
            raise ClusterCrossSlotError("CROSSSLOT a transaction must stay within one slot")
        return parts

    async def _send(self, stack: Sequence[Any], parts: Sequence[Sequence[int]], answers: list[Any]) -> None:
        by_server: dict[Redis, list[int]] = {}
        for part in parts:
            key = key_of(stack[part[0]][0])
            assert key is not None
            by_server.setdefault(await self._cluster.server_of(key), []).extend(part)
        sent = [self._send_to(server, stack, places, answers) for server, places in by_server.items()]
        if len(sent) == 1:
            await sent[0]
        else:
            await asyncio.gather(*sent)

    async def _send_to(self, server: Redis, stack: Sequence[Any], places: Sequence[int], answers: list[Any]) -> None:
        try:
            async with server.pipeline(transaction=self.is_transaction) as pipe:
                pipe.command_stack = [stack[i] for i in places]
                found = await pipe.execute(raise_on_error=False)
        except outages.REDIS as exc:
            found = [exc] * len(places)
        for i, answer in zip(places, found, strict=True):
            answers[i] = answer


def _failure(answers: Sequence[Any], places: Sequence[int]) -> Exception | None:
    return next((answers[i] for i in places if isinstance(answers[i], Exception)), None)


async def servers_of(redis: Redis, *, with_replicas: bool = False) -> Mapping[str, Redis]:
    """The servers behind a client: of a cluster by address, else the one there is, which needs no name."""
    return await redis.servers(with_replicas=with_replicas) if isinstance(redis, Cluster) else {"": redis}


def pools_of(redis: Redis) -> Sequence[ConnectionPool]:
    """Its connections, by server."""
    return list(redis.pools()) if isinstance(redis, Cluster) else [redis.connection_pool]


def name_of_server(redis: Redis, key: str) -> str:
    """Keys of one name are at one server, as far as is known now, so their commands can share a round trip to it."""
    return redis.name_of_server(key) or str(_slot(key)) if isinstance(redis, Cluster) else ""


@asynccontextmanager
async def server_of(redis: Redis, key: str) -> AsyncIterator[Redis]:
    """The server that has the key; what it fails with is remembered, for it may be another's now."""
    if not isinstance(redis, Cluster):
        yield redis
        return
    try:
        yield await redis.server_of(key)
    except outages.REDIS as exc:
        await redis.note(exc)
        raise


def lane_of(redis: Redis, key: str) -> int:
    """Keys of one number can be read by one command: all that a single server has, those of one slot of a cluster."""
    return _slot(key) if isinstance(redis, Cluster) else 0
