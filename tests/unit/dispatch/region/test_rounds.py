"""Rounds of a large region come every few seconds, however many turns there are between."""

from datetime import UTC, datetime, timedelta

from dispatch.region.rounds import EVERY, Rounds
from tracking.position import Region

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE, THERE = Region("here"), Region("there")


def test_a_round_is_due_at_first_and_then_every_few_seconds_however_short_the_turns():
    rounds = Rounds()
    turns = [NOW + timedelta(seconds=0.7 * turn) for turn in range(100)]
    made = [at for at in turns if rounds.is_due(HERE, at)]
    assert made[0] == NOW
    gaps = [later - at for at, later in zip(made, [*made[1:], turns[-1]], strict=True)]
    assert all(gap >= EVERY for gap in gaps[:-1])
    assert all(gap < EVERY + timedelta(seconds=0.7) for gap in gaps), "never longer than that and a turn"


def test_each_region_has_its_own():
    rounds = Rounds()
    assert rounds.is_due(HERE, NOW)
    assert rounds.is_due(THERE, NOW + timedelta(seconds=1))
    assert not rounds.is_due(HERE, NOW + timedelta(seconds=1))


def test_a_clock_that_was_put_back_keeps_nobody_waiting():
    rounds = Rounds()
    assert rounds.is_due(HERE, NOW)
    assert rounds.is_due(HERE, NOW - timedelta(hours=1))
