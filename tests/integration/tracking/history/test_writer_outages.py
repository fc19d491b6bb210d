"""
The law of the writer: what was accepted is stored, whatever PostgreSQL says meanwhile and however long it says it.

Each fault is made on the real server while fixes come in, stays until the writer has met it time and again, and is
mended; then the sums are compared to the fix.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.waiting import PATIENCE_S, until
from tracking import metrics
from tracking.dead_letters import DeadLetters
from tracking.history.history import History
from tracking.history.writer import Pace, Writer
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Unusable, Upload
from tracking.log import HISTORY, WATCH, PositionLog, RegionKeys
from tracking.position import Region
from tracking.quality import Reason
from tracking.quarantine import QuarantineStore

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CITY = Region("default")
ANNA = Sender(UUID(int=7 << 64), CITY, 1)
FAST = Pace(linger_s=0.01, block_ms=50, claim_idle_ms=500, claim_every_s=0.2, backoff_s=0.02, backoff_at_most_s=0.1)
MET = 5
"""So many failures of the writer before the fault is mended."""


class Counting:
    """A history or a quarantine, and how often it failed."""

    def __init__(self, sink):
        self.sink = sink
        self.n_failed = 0

    async def insert_many(self, *arguments):
        try:
            return await self.sink.insert_many(*arguments)
        except BaseException:
            self.n_failed += 1
            raise


@dataclass(kw_only=True)
class World:
    """A writer that connects as a role of its own, and who rules over the database."""

    ruler: asyncpg.Connection
    client: Redis
    role: str
    database: str
    pool: asyncpg.Pool
    history: Counting
    quarantine: Counting
    ingest: Ingest
    seconds: "itertools.count[int]" = field(default_factory=itertools.count)
    n_sent: int = 0
    n_accepted: int = 0
    n_quarantined: int = 0
    n_uploads: int = 0

    async def upload(self, n: int = 20) -> None:
        """Some fixes, one of them sent before, and one thing that cannot be used."""
        first = next(self.seconds) * n
        ages_s = [max(first - 1, 0), *range(first, first + n)]
        readings = [Reading(fixed_at=NOW - timedelta(seconds=age_s), lat=41.15, lon=-8.61) for age_s in ages_s]
        unusable = [Unusable(len(readings), Reason.UNREADABLE, b"{%d" % first, ANNA)]
        receipt = await self.ingest.accept(
            Upload(region=CITY, readings=readings, senders=[ANNA] * len(readings), unusable=unusable)
        )
        self.n_uploads += 1
        self.n_sent += n
        self.n_accepted += receipt.n_accepted
        self.n_quarantined += len(receipt.quarantined)

    async def end_sessions(self) -> None:
        await self.ruler.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", self.role)

    async def execute(self, *statements: str) -> None:
        for statement in statements:
            await self.ruler.execute(statement)


Fault = Callable[[World], contextlib.AbstractAsyncContextManager[None]]


def statements(breaks: list[str], mends: list[str], *, new_sessions: bool = False) -> Fault:
    @asynccontextmanager
    async def fault(world: World) -> AsyncIterator[None]:
        names = {"role": world.role, "database": world.database}
        await world.execute(*(text.format(**names) for text in breaks))
        if new_sessions:
            await world.end_sessions()
        yield
        await world.execute(*(text.format(**names) for text in mends))
        if new_sessions:
            await world.end_sessions()

    return fault


@asynccontextmanager
async def sessions_ended(world: World) -> AsyncIterator[None]:
    async def end() -> None:
        while True:
            await world.end_sessions()
            await asyncio.sleep(0.002)

    task = asyncio.create_task(end())
    yield
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def locked(world: World) -> AsyncIterator[None]:
    async with world.ruler.transaction():
        await world.execute("LOCK TABLE positions IN ACCESS EXCLUSIVE MODE")
        yield


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END$$
"""
FAULTS: dict[str, Fault] = {
    "read-only": statements(
        ['ALTER DATABASE "{database}" SET default_transaction_read_only = on'],
        ['ALTER DATABASE "{database}" RESET default_transaction_read_only'],
        new_sessions=True,
    ),
    "password-rotated": statements(
        ["ALTER ROLE {role} PASSWORD 'another'"], ["ALTER ROLE {role} PASSWORD 'first'"], new_sessions=True
    ),
    "column-renamed": statements(
        ["ALTER TABLE positions RENAME COLUMN lat_e7 TO lattitude"],
        ["ALTER TABLE positions RENAME COLUMN lattitude TO lat_e7"],
    ),
    "grant-missing": statements(["REVOKE INSERT ON positions FROM {role}"], ["GRANT INSERT ON positions TO {role}"]),
    "sessions-ended": sessions_ended,
    "disk-full": statements(
        [FULL, "CREATE TRIGGER full_disk BEFORE INSERT ON positions FOR EACH ROW EXECUTE FUNCTION full_disk()"],
        ["DROP TRIGGER full_disk ON positions"],
    ),
    "no-connections": statements(
        ["ALTER ROLE {role} CONNECTION LIMIT 0"], ["ALTER ROLE {role} CONNECTION LIMIT -1"], new_sessions=True
    ),
    "table-locked": locked,
}


@pytest.fixture
async def world(database_url, redis_url) -> AsyncIterator[World]:
    ruler = await asyncpg.connect(database_url)
    parts = urlsplit(database_url)
    database = parts.path[1:]
    role = f"writer_of_{database}"
    await ruler.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'first'")
    await ruler.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    await ruler.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url = parts._replace(netloc=f"{role}:first@{parts.hostname}:{parts.port}").geturl()
    pool = await asyncpg.create_pool(url, min_size=0, max_size=2, timeout=2, command_timeout=0.5)
    client = Redis.from_url(redis_url)
    try:
        yield World(
            ruler=ruler,
            client=client,
            role=role,
            database=database,
            pool=pool,
            history=Counting(History(pool)),
            quarantine=Counting(QuarantineStore(pool)),
            ingest=Ingest(client, clock=NOW.timestamp),
        )
    finally:
        pool.terminate()
        await client.aclose()
        await ruler.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await ruler.close()


@asynccontextmanager
async def writing(world: World, history: History | None = None, pace: Pace = FAST) -> AsyncIterator[None]:
    async def regions() -> list[Region]:
        return [CITY]

    log, letters = PositionLog(world.client, keep_s=0), DeadLetters(world.client)
    writer = Writer(log, history or world.history, world.quarantine, letters, regions, pace=pace)
    stop = asyncio.Event()
    task = asyncio.create_task(writer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_S)


@asynccontextmanager
async def load(world: World) -> AsyncIterator[None]:
    """A steady one, until the block is left."""

    ended = asyncio.Event()

    async def send() -> None:
        while not ended.is_set():
            await world.upload()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        ended.set()
        await task


async def is_settled(world: World) -> bool:
    lags = await PositionLog(world.client).lag(CITY)
    return bool(lags) and all(lag.n_fixes == 0 for lag in lags)


async def has(read: Callable[[], int], n: int) -> bool:
    return read() >= n


async def rows(world: World, table: str = "positions") -> int:
    return await world.ruler.fetchval(f"SELECT count(*) FROM {table}")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_was_accepted_is_stored_to_the_fix_whatever_the_server_says(world, fault):
    async with writing(world):
        async with load(world):
            await until(lambda: has(lambda: world.n_sent, 60))
            async with fault(world):
                await until(lambda: has(lambda: world.history.n_failed + world.quarantine.n_failed, MET))
                n = world.n_sent
                await until(lambda: has(lambda: world.n_sent, n + 100))
            n = world.n_sent
            await until(lambda: has(lambda: world.n_sent, n + 60))
        await until(lambda: is_settled(world))
    n_duplicates = world.n_uploads
    assert await DeadLetters(world.client).count(CITY) == 0, "nothing of this was the data's fault"
    assert world.n_accepted == await rows(world, "positions") + n_duplicates
    assert world.n_quarantined == await rows(world, "quarantine") == world.n_uploads


POISON = NOW - timedelta(seconds=33)
REFUSES = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN
    IF new.fixed_at = '{POISON.isoformat()}' THEN
        RAISE EXCEPTION 'out of range' USING ERRCODE = '22003', DETAIL = 'Failing row contains (41.15, -8.61).';
    END IF;
    RETURN new;
END$$
"""


async def test_fix_that_the_server_refuses_is_set_aside_alone_told_and_brought_back(world, caplog):
    letters = DeadLetters(world.client)
    await world.execute(
        REFUSES, "CREATE TRIGGER refuse BEFORE INSERT ON positions FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    async with writing(world):
        for _ in range(5):
            await world.upload()
        await until(lambda: is_settled(world))
        assert await rows(world) == world.n_sent - 1, "the others of its upload are stored"
        [letter] = [kept async for kept in letters.all(CITY)]
        assert (letter.n, letter.why) == (1, "NumericValueOutOfRangeError: out of range")
        assert await letters.regions() == [CITY]
        assert metrics.DEAD_LETTERS.labels(CITY)._value.get() in {0, 1}
        await until(lambda: has(lambda: int(metrics.DEAD_LETTERS.labels(CITY)._value.get()), 1))

        await letters.replay(CITY, letter.id)  # too early: it comes back, still once
        await until(lambda: is_settled(world))
        [letter] = [kept async for kept in letters.all(CITY)]

        await world.execute("DROP TRIGGER refuse ON positions")
        assert await letters.replay(CITY, letter.id)
        assert not await letters.replay(CITY, letter.id)
        await until(lambda: is_settled(world))
    assert await rows(world) == world.n_sent
    assert await rows(world, "quarantine") == world.n_quarantined
    assert await letters.count(CITY) == 0
    assert "41.15" not in caplog.text, "whereabouts stay out of the log"


async def test_poison_that_cannot_be_unpacked_is_kept_whole_and_blocks_nobody(world):
    junk = [
        {"n": "5", "total": "6", "fixes": b"\x93junk", "quarantine": b""},
        {"n": "0", "total": "6", "fixes": b"", "quarantine": b"junk"},
        {"n": "many", "total": "", "fixes": b"\xc0", "quarantine": b""},
        {"what": "ever"},
    ]
    for fields in junk:
        await world.upload()
        await world.client.xadd(RegionKeys(CITY).log, fields)
    async with writing(world):
        await until(lambda: is_settled(world))
    assert await rows(world) == world.n_sent
    kept = [letter async for letter in DeadLetters(world.client).all(CITY)]
    assert [letter.n for letter in kept] == [5, 0, 0]


class Slow(History):
    """Takes too long over more than ten fixes, as a server short of everything does."""

    largest = 0

    async def insert_many(self, columns, slot="default"):
        if len(columns) > 10:
            raise TimeoutError
        self.largest = max(self.largest, len(columns))
        return await super().insert_many(columns, slot)


async def test_batch_that_takes_too_long_is_halved_down_to_parts_of_a_single_entry(world):
    for _ in range(5):
        await world.upload(50)
    slow = Slow(world.pool)
    async with writing(world, slow):
        await until(lambda: is_settled(world))
    assert await rows(world) == world.n_sent
    assert await rows(world, "quarantine") == world.n_quarantined
    assert 0 < slow.largest <= 10


class Seen(History):
    """Notes how many fixes each batch has."""

    def __init__(self, pool):
        super().__init__(pool)
        self.sizes = []

    async def insert_many(self, columns, slot="default"):
        self.sizes.append(len(columns))
        return await super().insert_many(columns, slot)


async def test_batch_is_bounded_by_fixes_however_many_entries_were_read(world):
    for _ in range(30):
        await world.upload(40)
    seen = Seen(world.pool)
    async with writing(world, seen, replace(FAST, batch_fixes=200)):
        await until(lambda: is_settled(world))
    assert await rows(world) == world.n_sent
    assert max(seen.sizes) <= 200


async def test_lag_grows_in_the_metric_while_the_database_is_away(world):
    async with writing(world):
        await world.upload()
        await until(lambda: is_settled(world))
        async with FAULTS["no-connections"](world):
            await world.upload()
            gauge = metrics.LOG_FIXES.labels(CITY, HISTORY)
            await until(lambda: has(lambda: int(gauge._value.get()), 21))


async def test_reader_that_is_gone_loses_its_place_and_uploads_go_on(world, caplog):
    log = PositionLog(world.client, keep_s=0)
    await log.ensure_group(WATCH, CITY)
    await world.upload()
    assert await log.read(WATCH, "watcher that ends now", CITY)
    async with writing(world, pace=replace(FAST, reader_absent_s=0.3, trim_every_s=0.05)):
        await world.upload()
        await until(lambda: _is_empty(world))
        assert [lag.group for lag in await log.lag(CITY)] == [HISTORY]
        await world.upload()
    assert await log.read(WATCH, "its successor", CITY) == []  # begins anew
    assert WATCH in [lag.group for lag in await log.lag(CITY)]
    assert "lost its place" in caplog.text


async def test_reader_that_reads_keeps_its_place_however_far_it_is_behind(world, monkeypatch):
    log = PositionLog(world.client, keep_s=0)
    await log.ensure_group(WATCH, CITY)
    for _ in range(3):
        await world.upload()
    async with writing(world):
        await until(lambda: _history_is_settled(world))
    in_an_hour = time.time() + 3600
    monkeypatch.setattr("tracking.log.time.time", lambda: in_an_hour)
    for _ in range(2):
        await log.read(WATCH, "slow", CITY, count=1)
        assert {lag.group for lag in await log.lag(CITY) if lag.seconds > PATIENCE_S} == {WATCH}
        assert await log.let_go_of_absent(CITY, keep=HISTORY, absent_s=PATIENCE_S) == []
    assert await log.let_go_of_absent(CITY, keep=WATCH, absent_s=0) == [], "history is not behind"


async def _is_empty(world: World) -> bool:
    return await world.client.xlen(RegionKeys(CITY).log) == 0


async def _history_is_settled(world: World) -> bool:
    return any(lag.group == HISTORY and lag.n_fixes == 0 for lag in await PositionLog(world.client).lag(CITY))
