"""The benchmarks of replanning and of a recorded day run without data, and what they report is true."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import rappi, replan
from benchmarks.city import City, under_way
from dispatch.planning.params import Params
from dispatch.planning.propose import propose

COURIERS = """courier_id,vehicle,on_lat,on_lng,on_time,off_time
1,motorcycle,4.81,-75.70,09:00:00,18:00:00
2,bicycle,4.812,-75.702,09:00:00,18:00:00
3,walking,4.8105,-75.7005,09:00:00,18:00:00
4,car,4.82,-75.71,12:00:00,18:00:00
"""
ORDERS = """order_id,pick_up_lat,pick_up_lng,drop_off_lat,drop_off_lng,\
placement_time,preparation_time,ready_time,expected_drop_off_time
1,4.811,-75.701,4.815,-75.705,10:00:00,10:01:00,10:10:00,10:40:00
2,4.811,-75.701,4.8155,-75.7052,10:01:00,10:02:00,10:11:00,10:40:00
3,4.8107,-75.7006,4.8117,-75.7011,10:02:00,10:03:00,10:20:00,10:50:00
4,4.83,-75.73,4.82,-75.71,13:00:00,13:01:00,13:10:00,13:40:00
"""


@pytest.fixture
def day(tmp_path: Path) -> Path:
    (tmp_path / "couriers.csv").write_text(COURIERS)
    (tmp_path / "orders.csv").write_text(ORDERS)
    return tmp_path


async def test_a_day_is_lived_through_and_every_order_delivered(day):
    told = await rappi.run_day(day, osrm=None, limit=None)
    assert told["orders"] == 4
    assert told["undelivered_pct"] == 0
    assert sum(told["delivered_by_mode"].values()) == 4
    assert told["matrix_sources"].keys() == {"default"}
    assert 5 < told["click_to_door_mean"] < 60


async def test_a_day_with_a_dead_engine_goes_on_from_the_fallback(day):
    told = await rappi.run_day(day, osrm="http://127.0.0.1:1", limit=2)
    assert told["undelivered_pct"] == 0
    assert told["matrix_sources"].keys() == {"default"}


def test_without_days_the_benchmark_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["rappi", str(tmp_path), "--json"])
    rappi.main()
    assert json.loads(capsys.readouterr().out)["skipped"] == "no day found"


@pytest.mark.parametrize("kind", list(replan.EVENTS))
def test_each_event_changes_the_city_and_can_be_planned(kind):
    city = under_way(n_couriers=12, n_orders=10, seed=1, params=Params())
    before = city.snapshot
    replan.EVENTS[kind](city, 3)
    assert city.snapshot != before
    assert replan.is_feasible(city.snapshot, propose(city.snapshot, Params()))


def test_events_are_measured_by_kind():
    told = replan.measure_events(n_couriers=8, n_orders=6, n_events=2, seed=1)
    assert told.keys() == {*replan.EVENTS, "all"}
    assert told["all"]["n"] == 8


def test_a_full_replan_is_feasible_and_no_worse():
    told = replan.measure_full(n_couriers=10, n_orders=25, seconds=0.5, seed=1)
    assert told["search"]["feasible"]
    assert told["search"]["cost"] <= told["insertion"]["cost"]


def test_an_infeasible_plan_is_told_from_a_feasible_one():
    city = City(n_couriers=4, n_orders=4, seed=1)
    plan = propose(city.snapshot, Params())
    assert replan.is_feasible(city.snapshot, plan)
    broken = tuple(replace(route, stops=route.stops[::-1]) for route in plan.routes)
    assert not replan.is_feasible(city.snapshot, replace(plan, routes=broken))
