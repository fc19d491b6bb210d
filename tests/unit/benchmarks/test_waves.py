"""Waves on a small day: feasible by rules written apart from the planner, and nothing looked at too early."""

import gzip
import json
from random import Random

import msgspec
import numpy as np
import pytest

from benchmarks.waves import draw, live, main
from benchmarks.waves_rules import Asked, Customer, Day, Driven, cost, violations
from dispatch.planning.search.waves import UNLIMITED, Team

WIDE = (0, 30_000)
DAY = Day(
    name="tiny",
    capacity=10,
    closes_s=40_000,
    epoch_s=3600,
    margin_s=3600,
    first_epoch=1,
    last_epoch=2,
    requests=[
        Asked(id=1, epoch=1, customer=1, window_s=(0, 9000), service_s=60, demand=4),
        Asked(id=2, epoch=1, customer=2, window_s=WIDE, service_s=60, demand=4),
        Asked(id=3, epoch=2, customer=2, window_s=WIDE, service_s=60, demand=4),
    ],
    customers=[Customer(window_s=WIDE, service_s=60, demand=4)] * 2,
    durations_s=[[0, 1000, 1500], [1000, 0, 2000], [1500, 2500, 0]],
)
GOOD = [Driven(epoch=1, request_ids=(1,)), Driven(epoch=2, request_ids=(2, 3))]


def test_good_routes_break_no_rule_and_cost_what_is_driven():
    assert list(violations(DAY, GOOD)) == []
    assert cost(DAY, GOOD) == 2 * 1000 + 2 * 1500


@pytest.mark.parametrize(
    ("routes", "complaint"),
    [
        (GOOD[:1], "request 2 is not served"),
        ([*GOOD, GOOD[0]], "request 1 is served 2 times"),
        ([Driven(epoch=1, request_ids=(1, 2, 3))], "carries more"),
        ([GOOD[0], Driven(epoch=1, request_ids=(2, 3))], "known from 2 on"),
        ([Driven(epoch=2, request_ids=(1,)), GOOD[1]], "serves request 1 at 11800, after 9000"),
        ([GOOD[0], Driven(epoch=9, request_ids=(2, 3))], "leaves in epoch 9"),
        ([*GOOD, Driven(epoch=1, request_ids=(7,))], "request 7 is not of this day"),
    ],
)
def test_checker_finds_a_broken_rule(routes, complaint):
    assert any(complaint in text for text in violations(DAY, routes))
    late = msgspec.structs.replace(DAY, closes_s=12_000)
    assert any("after the depot closes" in text for text in violations(late, GOOD))


def test_day_is_lived_through_by_the_rules():
    routes, _ = live(DAY, seconds=0.3, seed=1)
    assert list(violations(DAY, routes)) == []


def test_what_is_asked_later_changes_nothing_that_was_decided_before():
    fewer = msgspec.structs.replace(DAY, requests=DAY.requests[:2])
    first, other = ([route for route in live(day, seconds=0.0, seed=1)[0] if route.epoch == 1] for day in (DAY, fewer))
    assert first == other


TEAM = Team(count=UNLIMITED, durations_s=np.array(DAY.durations_s), capacity=(10,), closes_at=40_000)


def test_orders_are_drawn_from_the_pool_and_only_those_that_can_be_served():
    found = draw(DAY, TEAM, [7200, 10_800], Random(1))
    assert 0 < len(found) <= 100
    assert {one.first for one in found} == {1}
    tight = msgspec.structs.replace(DAY, customers=[Customer(window_s=(0, 100), service_s=60, demand=4)] * 2)
    assert draw(tight, TEAM, [7200, 10_800], Random(1)) == []


def test_command_tells_what_is_known_and_null_for_the_rest(tmp_path, capsys):
    with gzip.open(tmp_path / "tiny.json.gz", "wb") as file:
        file.write(msgspec.json.encode(DAY))
    assert main([str(tmp_path), "--seconds", "0.1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    row = told["instances"]["tiny"]
    assert (row["hindsight"], row["greedy"], row["best"]) == (None, None, None)
    assert told["mean"]["above_hindsight_pct"] is None
    routes = [Driven(epoch=one["epoch"], request_ids=tuple(one["requests"])) for one in row["routes"]]
    assert row["cost"] == cost(DAY, routes)
    (tmp_path / "results.tsv").write_text(
        "name\trequests\thindsight\tteam\tgreedy\tlazy\ntiny\t3\t4000\t4500\t6000\t9000\n"
    )
    main([str(tmp_path), "--seconds", "0.1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["instances"]["tiny"]["best"] == 4500
    assert told["mean"]["above_hindsight_pct"] == round(100 * (told["instances"]["tiny"]["cost"] / 4000 - 1), 3)
