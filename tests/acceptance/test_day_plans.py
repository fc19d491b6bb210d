"""A day planned ahead over HTTP: asked for, watched, looked at, applied; then kept and repaired by the dispatcher."""

from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import msgspec
import pytest

from app.web.auth import Role
from dispatch.aside import Aside
from dispatch.region import day_plans
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]

HOUR = timedelta(hours=1)
DEPOT = {"lat": 41.1450, "lon": -8.6100}


@pytest.fixture
def day():
    """Tomorrow, from its first hour."""
    return (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)


def times(*instants):
    return [at.isoformat() for at in instants]


async def shift(town, courier_id, starts_at, ends_at, **facts):
    answer = await town.staff.post(
        f"/v1/couriers/{courier_id}/shifts",
        json={"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat(), "end": DEPOT} | facts,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def parcel(town, opens_at, closes_at, **facts):
    window = dict(zip(("from", "to"), times(opens_at, closes_at), strict=True))
    return await town.place(
        pickup=DEPOT | {"window": {"from": window["from"]}},
        dropoff=HOME | {"window": window, "latest": window["to"]},
        **facts,
    )


async def ask(town, starts_at, ends_at, **facts):
    body = {"region": "default", "from": starts_at.isoformat(), "to": ends_at.isoformat(), "seconds": 1} | facts
    return await town.staff.post("/v1/plans/day", json=body)


async def planned(town, starts_at, ends_at, **facts):
    answer = await ask(town, starts_at, ends_at, **facts)
    assert answer.status_code == 202, answer.text

    async def look():
        told = (await town.staff.get(f"/v1/plans/day/{answer.json()['id']}")).json()
        assert told["state"] != "failed", told
        return told if told["state"] == "ready" else None

    return await until(look)


async def intended(town, courier_id):
    route = (await town.staff.get(f"/v1/couriers/{courier_id}/route", params={"planned": True})).json()
    return [(stop["order_id"], stop["kind"]) for stop in route["stops"]]


async def test_day_is_planned_looked_at_and_applied(town, dispatcher, day):
    ana, _ = await town.hire("Ana")
    await town.staff.post(f"/v1/couriers/{ana}/off-duty")
    await shift(town, ana, day + 8 * HOUR, day + 12 * HOUR)
    first = await parcel(town, day + 9 * HOUR, day + 10 * HOUR)
    iced = await parcel(town, day + 9 * HOUR, day + 10 * HOUR, skills=["ice"])
    now = await town.place()

    plan = await planned(town, day, day + 24 * HOUR)
    (route,) = plan["routes"]
    assert route["courier_id"] == ana
    assert [(stop["order_id"], stop["kind"], stop["late_s"]) for stop in route["stops"]] == [
        (first["id"], "pickup", 0),
        (first["id"], "dropoff", 0),
    ]
    assert times(day + 9 * HOUR)[0][:16] <= route["stops"][1]["starts_at"][:16] <= times(day + 10 * HOUR)[0][:16]
    assert [(left["order_id"], left["reasons"][0]["code"]) for left in plan["unassigned"]] == [(iced["id"], "skills")]
    assert now["id"] not in str(plan)  # not of that day
    assert (plan["progress"]["share"], plan["progress"]["n_orders"], plan["progress"]["n_unassigned"]) == (1.0, 2, 1)
    assert await intended(town, ana) == []  # nothing is changed before it is applied

    applied = await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")
    assert applied.status_code == 200, applied.text
    assert applied.json() == {"id": plan["id"], "n_orders": 1, "couriers": [ana], "dropped": []}
    assert await intended(town, ana) == [(first["id"], "pickup"), (first["id"], "dropoff")]
    again = await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")
    assert (again.status_code, again.json()["code"]) == (409, "day-plan-not-ready")


async def test_courier_whose_shift_cannot_be_used_is_told_and_the_others_are_planned(
    town, dispatcher, day, database_url
):
    ana, _ = await town.hire("Ana")
    odd, _ = await town.hire("Odd")
    await shift(town, ana, day + 8 * HOUR, day + 12 * HOUR)
    broken = await shift(town, odd, day + 8 * HOUR, day + 12 * HOUR)
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE shifts SET ends_at = '9999-12-31T00:00:00Z' WHERE id = $1", broken)
    await connection.close()
    await parcel(town, day + 9 * HOUR, day + 10 * HOUR)
    plan = await planned(town, day, day + 24 * HOUR)
    assert [route["courier_id"] for route in plan["routes"]] == [ana]
    [left] = plan["couriers_left_out"]
    assert left["courier_id"] == odd
    assert left["cause"]


async def test_work_of_today_leaves_the_plan_of_tomorrow_in_the_route(town, dispatcher, day):
    ana, phone = await town.hire("Ana")
    await shift(town, ana, datetime.now(UTC) - HOUR, datetime.now(UTC) + 8 * HOUR)
    await shift(town, ana, day + 12 * HOUR, day + 16 * HOUR)
    later = await parcel(town, day + 13 * HOUR, day + 14 * HOUR)
    plan = await planned(town, day, day + 24 * HOUR)
    assert (await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")).json()["n_orders"] == 1
    order = await town.accepted(phone)
    assert await intended(town, ana) == [
        *((order["id"], kind) for kind in ("pickup", "dropoff")),
        *((later["id"], kind) for kind in ("pickup", "dropoff")),
    ]
    shown = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
    assert {stop["order_id"] for stop in shown} == {order["id"]}


async def test_order_waits_for_its_courier_and_goes_to_others_when_the_shift_is_gone(town, dispatcher):
    now = datetime.now(UTC)
    ana, _ = await town.hire("Ana", DEPOT)
    await town.staff.post(f"/v1/couriers/{ana}/off-duty")
    soon = await shift(town, ana, now + timedelta(minutes=20), now + 4 * HOUR)
    later = await parcel(town, now + timedelta(minutes=40), now + 2 * HOUR)
    plan = await planned(town, now, now + 6 * HOUR)
    assert (await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")).json()["n_orders"] == 1
    rui, phone = await town.hire("Rui", RESTAURANT)
    busy = await town.accepted(phone)  # the dispatcher has planned with both
    assert await intended(town, rui) == [(busy["id"], "pickup"), (busy["id"], "dropoff")]
    assert await intended(town, ana) == [(later["id"], "pickup"), (later["id"], "dropoff")]
    assert (await town.staff.delete(f"/v1/couriers/{ana}/shifts/{soon}")).status_code == 204

    async def taken_over():
        return (later["id"], "dropoff") in await intended(town, rui)

    await until(taken_over)


async def test_what_changed_meanwhile_is_left_out_and_told(town, day):
    ana, _ = await town.hire("Ana")
    rui, _ = await town.hire("Rui")
    await shift(town, ana, day + 8 * HOUR, day + 12 * HOUR)
    gone = await shift(town, rui, day + 14 * HOUR, day + 18 * HOUR)
    same, other, cancelled = [await parcel(town, day + 9 * HOUR, day + 11 * HOUR) for _ in range(3)]
    late = await parcel(town, day + 15 * HOUR, day + 16 * HOUR)
    plan = await planned(town, day, day + 24 * HOUR)
    assert len(plan["routes"]) == 2
    await town.staff.patch(f"/v1/orders/{other['id']}", json={"priority": 1, "version": other["version"]})
    await town.staff.post(f"/v1/orders/{cancelled['id']}/cancel", json={"reason": "test"})
    await town.staff.delete(f"/v1/couriers/{rui}/shifts/{gone}")
    applied = (await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")).json()
    assert {one["order_id"]: one["reason"] for one in applied["dropped"]} == {
        other["id"]: "changed",
        cancelled["id"]: "not_open",
        late["id"]: "courier_gone",
    }
    assert await intended(town, ana) == [(same["id"], "pickup"), (same["id"], "dropoff")]
    assert await intended(town, rui) == []


async def test_progress_is_streamed_until_the_plan_is_there(town, day):
    ana, _ = await town.hire("Ana")
    await shift(town, ana, day + 8 * HOUR, day + 12 * HOUR)
    await parcel(town, day + 9 * HOUR, day + 11 * HOUR)
    plan_id = (await ask(town, day, day + 24 * HOUR)).json()["id"]
    answer = await town.staff.get(f"/v1/plans/day/{plan_id}", headers={"Accept": "text/event-stream"}, timeout=120)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in answer.text.strip().split("\n\n")]
    assert {event["event"] for event in events[:-1]} == {"progress"}
    assert events[-1]["event"] == "plan"
    assert msgspec.json.decode(events[-1]["data"])["state"] == "ready"


async def test_one_plan_a_region_is_made_at_a_time_and_it_can_be_cancelled(town, day):
    ana, _ = await town.hire("Ana")
    await shift(town, ana, day + 8 * HOUR, day + 12 * HOUR)
    await parcel(town, day + 9 * HOUR, day + 11 * HOUR)
    plan_id = (await ask(town, day, day + 24 * HOUR, seconds=600)).json()["id"]
    other = await ask(town, day, day + 24 * HOUR)
    assert (other.status_code, other.json()["code"]) == (409, "day-plan-running")
    assert (await town.staff.post(f"/v1/plans/day/{plan_id}/apply")).json()["code"] == "day-plan-not-ready"
    told = await town.staff.delete(f"/v1/plans/day/{plan_id}")
    assert (told.status_code, told.json()["state"]) == (200, "cancelled")
    assert (await planned(town, day, day + 24 * HOUR))["routes"]  # the next one need not wait ten minutes


async def test_wave_is_decided_and_applied_and_the_next_one_takes_what_waits(town, client_of, day, database_url):
    """One van for one parcel at a time: what is urgent leaves, the rest is loaded for the next wave."""
    depot = {"name": "hub", **DEPOT, "wave_every_s": 3600, "service_s": 60}
    admin = await client_of(Role.ADMIN)
    for places in ([{**depot, "wave_every_s": None}], [depot]):
        answer = await admin.patch("/v1/regions/default", json={"settings": {"depots": {"places": places}}})
        assert answer.status_code == 200, answer.text
        refused = await ask(town, day, day + HOUR, wave={"depot": "shed"})
        assert refused.json()["errors"][0]["pointer"] == "/wave/depot"
    early = await ask(town, day + timedelta(minutes=5), day + timedelta(minutes=55), wave={})
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (400, "/to")

    async def goods(closes_at, **facts):
        window = {"to": closes_at.isoformat(), "hard": True}
        return await town.place(kind="dropoff", pickup=None, dropoff=HOME | {"window": window}, **facts)

    ana, _ = await town.hire("Ana", mode="car", capacity=[1])
    rui, _ = await town.hire("Rui", mode="car")
    await town.staff.post(
        f"/v1/couriers/{ana}/shifts",
        json=dict(zip(("starts_at", "ends_at"), times(day + 7 * HOUR, day + 18 * HOUR), strict=True)),
    )
    await shift(town, rui, day + 7 * HOUR, day + 18 * HOUR, end=HOME)
    first, second = day + 8 * HOUR, day + 9 * HOUR
    urgent = await goods(second)
    patient = await goods(day + 17 * HOUR)
    unready = await goods(day + 17 * HOUR, ready_at=(first + timedelta(minutes=30)).isoformat())
    past = await goods(day + 17 * HOUR)
    elsewhere = await parcel(town, first, day + 17 * HOUR)
    await town.staff.post(f"/v1/orders/{past['id']}/cancel", json={"reason": "test"})
    connection = await asyncpg.connect(database_url)
    week_ago = first + timedelta(minutes=30) - timedelta(weeks=1)
    await connection.execute("UPDATE orders SET placed_at = $2 WHERE id = $1", past["id"], week_ago)

    plan = await planned(town, first - timedelta(minutes=30), day + 18 * HOUR, wave={})
    [route] = plan["routes"]
    assert (route["courier_id"], {stop["order_id"] for stop in route["stops"]}) == (ana, {urgent["id"]})
    wave = plan["wave"]
    assert (wave["depot"], wave["leaves_at"]) == ("hub", [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (first, second)])
    why = {one["order_id"]: (one["reason"], one["until"]) for one in wave["waiting"]}
    assert why.keys() == {patient["id"], unready["id"]}
    assert why[patient["id"]][0] in {"company", "no_vehicle"}
    assert why[unready["id"]][0] == "not_ready"
    assert {until for _, until in why.values()} == {wave["leaves_at"][1]}
    assert elsewhere["id"] not in str(plan)
    assert [left["courier_id"] for left in plan["couriers_left_out"]] == [rui]

    aside = Aside()
    seen = await day_plans.load(connection, "default", first, day + 18 * HOUR, aside, wave_depot="hub", ahead=2)
    assert [[one.placed_at for one in seen.orders if one.id in week] for week in seen.coming.past] == [
        [first + timedelta(minutes=30)]
    ]
    await connection.close()

    applied = (await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")).json()
    assert (applied["n_orders"], applied["couriers"], applied["dropped"]) == (1, [ana], [])
    assert await intended(town, ana) == [(urgent["id"], "pickup"), (urgent["id"], "dropoff")]
    held = await town.order(patient["id"])
    assert (held["state"], held["pickup"]["window"]["from"]) == ("placed", wave["leaves_at"][1])

    later = await planned(town, first + timedelta(minutes=1), day + 18 * HOUR, wave={"depot": "hub"})
    assert later["wave"]["leaves_at"][0] == wave["leaves_at"][1]
    taken = {stop["order_id"] for route in later["routes"] for stop in route["stops"]}
    assert taken | {one["order_id"] for one in later["wave"]["waiting"]} == {patient["id"], unready["id"]}


async def test_what_is_no_day_is_refused_with_its_pointer(town, day):
    for facts, pointer in (
        ({"to": times(day - HOUR)[0]}, "/to"),
        ({"to": times(day + 48 * HOUR)[0]}, "/to"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}, "/from"),
        ({"region": "nowhere"}, "/region"),
        ({"seconds": 0}, "/seconds"),
    ):
        answer = await ask(town, day, day + HOUR, **facts)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), answer.text


async def test_only_dispatchers_plan_days(town, client_of, day):
    support: httpx.AsyncClient = await client_of(Role.SUPPORT)
    body = dict(zip(("from", "to"), times(day, day + HOUR), strict=True))
    assert (await support.post("/v1/plans/day", json=body)).status_code == 403
    missing = await town.staff.get("/v1/plans/day/00000000-0000-0000-0000-000000000001")
    assert (missing.status_code, missing.json()["code"]) == (404, "day-plan-not-found")
