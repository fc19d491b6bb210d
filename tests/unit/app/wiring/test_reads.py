"""What is read from a replica, and when the database itself is asked."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wiring.reads import Lag, Reads
from sql import queries

OURS = uuid4()
BOUND_S = 10.0
SHARES = st.sampled_from((0.0, 0.3, 0.9, 1.0))
STEPS = st.lists(st.tuples(st.integers(1, 15), st.integers(0, 100) | st.none(), SHARES), max_size=30)
"""Seconds that pass, bytes that are written (None: nobody says), the part of what is missing that comes."""


class Server:
    """Answers how far its log is, or is away."""

    def __init__(self, name, at=0, installation: UUID = OURS):
        self.name, self.at, self.installation = name, at, installation
        self.failure: Exception | None = None

    async def fetchrow(self, query):
        assert query in {queries["replica.primary"], queries["replica.standby"]}
        await self.answer()
        return {"at": self.at, "installation": self.installation}

    async def answer(self):
        if self.failure is not None:
            raise self.failure
        return self.name


def ask_name(server):
    return server.answer()


@pytest.fixture
def primary():
    return Server("primary")


@pytest.fixture
def replica():
    return Server("replica")


@pytest.fixture
def reads(primary, replica):
    return Reads(primary, replica, lag_s=BOUND_S)


@given(STEPS)
def test_what_was_written_before_the_lag_is_replayed(steps):
    """Whatever is written, in jumps or not at all, and however a replica follows, or the primary does not say."""
    lag, known, at_s, written, replayed = Lag(BOUND_S), [], 0, 0, 0
    for passed_s, more, share in steps:
        at_s += passed_s
        if more is not None:
            written += more
            known.append((at_s, written))
        replayed += int(share * (written - replayed))
        lag_s = lag.note(at_s, None if more is None else written, replayed)
        assert lag_s >= 0
        if lag_s <= BOUND_S:
            assert all(wrote <= replayed for when, wrote in known if when <= at_s - lag_s)
            assert any(when == at_s - lag_s for when, _ in known)
        elif more is not None:
            assert replayed < written


async def test_what_has_not_been_looked_at_is_not_asked(reads):
    assert await reads.ask(ask_name) == "primary"


async def test_a_replica_that_is_near_answers(reads):
    assert not await reads.look()
    assert await reads.ask(ask_name) == "replica"


async def test_a_replica_that_is_behind_is_left_until_it_has_caught_up(reads, primary, replica):
    primary.at = 5
    assert "behind" in await reads.look()
    assert await reads.ask(ask_name) == "primary"
    replica.at = 5
    assert not await reads.look()
    assert await reads.ask(ask_name) == "replica"


async def test_a_replica_that_fails_costs_nobody_an_answer(reads, replica):
    await reads.look()
    replica.failure = ConnectionResetError()
    assert await reads.ask(ask_name) == "primary"
    assert "ConnectionResetError" in await reads.look()


async def test_a_replica_that_says_nothing_more_is_given_up(reads, primary, replica):
    await reads.look()
    began = asyncio.Event()

    async def question(server):
        if server is replica:
            began.set()
            await asyncio.Event().wait()
        return server.name

    asked = asyncio.create_task(reads.ask(question))
    await began.wait()
    replica.failure = TimeoutError()
    await reads.look()
    assert await asked == "primary"


async def test_who_asks_and_goes_away_asks_nobody_else(reads, replica):
    await reads.look()
    began, asked_of = asyncio.Event(), []

    async def question(server):
        asked_of.append(server)
        began.set()
        await asyncio.Event().wait()

    asked = asyncio.create_task(reads.ask(question))
    await began.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert asked_of == [replica]


async def test_a_database_that_does_not_say_how_far_it_is_does_not_get_the_reads_as_well(reads, primary):
    assert not await reads.look()
    primary.failure = TimeoutError()
    assert not await reads.look()
    assert await reads.ask(ask_name) == "replica"


@pytest.mark.parametrize(
    ("what", "why"), [({"at": None}, "takes writes"), ({"installation": uuid4()}, "another installation")]
)
async def test_what_is_no_replica_of_ours_is_not_asked(reads, replica, what, why):
    for name, value in what.items():
        setattr(replica, name, value)
    assert why in await reads.look()
    assert await reads.ask(ask_name) == "primary"


async def test_a_question_that_is_wrong_is_answered_as_the_database_answers(reads):
    await reads.look()

    async def wrong(server):
        raise ValueError(server.name)

    with pytest.raises(ValueError, match="replica"):
        await reads.ask(wrong)


async def test_what_took_the_replica_too_long_is_not_asked_again(reads, replica):
    await reads.look()
    replica.failure = asyncpg.QueryCanceledError("canceling statement due to statement timeout")
    with pytest.raises(asyncpg.QueryCanceledError):
        await reads.ask(ask_name)


async def test_without_a_replica_the_database_answers(primary):
    assert await Reads(primary, None, lag_s=BOUND_S).ask(ask_name) == "primary"
