"""What would happen if, over HTTP: the difference is told, nothing is changed, and applying does it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg

from tests.acceptance.test_orders import HOME, MINIMAL, RESTAURANT, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]


async def preview(town, **changes):
    answer = await town.staff.post("/v1/plans/preview", json=changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_preview_tells_who_would_carry_one_order_more_and_changes_nothing(town):
    ana, _ = await town.hire("Ana")
    told = await preview(town, add_orders=[MINIMAL])
    (added,) = told["added"]
    assert added["courier_id"] == ana
    assert added["pickup_at"] < added["dropoff_at"]
    assert added["cost"]["delivery"] > 0
    assert told["difference"]["n_orders"] == 1
    assert told["difference"]["cost"] == told["then"]["cost"] - told["now"]["cost"] > 0
    assert (await town.staff.get("/v1/orders")).json()["items"] == []


async def test_what_is_not_planned_yet_costs_a_preview_nothing_unless_it_is_asked_about(town):
    await town.hire("Ana")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    placed = await town.staff.post("/v1/orders", json=MINIMAL | {"ready_at": tomorrow})
    told = await preview(town, add_orders=[MINIMAL])
    assert (told["now"]["n_orders"], told["then"]["n_orders"]) == (0, 1)
    told = await preview(town, cancel_orders=[placed.json()["id"]])
    assert (told["now"]["n_orders"], told["then"]["n_orders"]) == (1, 0)


async def test_preview_of_an_impossible_order_says_why(town):
    await town.hire("Ana")
    told = await preview(town, add_orders=[MINIMAL | {"mode": "car"}])
    assert [reason["code"] for reason in told["added"][0]["reasons"]] == ["mode"]


async def test_preview_of_a_courier_less_moves_the_orders_to_others(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    rui, _ = await town.hire("Rui", HOME)
    told = await preview(town, remove_couriers=[ana])
    (moved,) = told["orders"]
    assert (moved["order_id"], moved["now"]["courier_id"], moved["then"]["courier_id"]) == (order["id"], ana, rui)
    assert (await town.order(order["id"]))["courier_id"] == ana


async def test_preview_of_a_manual_assignment_tells_what_it_costs(town, dispatcher):
    _, phone = await town.hire("Near")
    order = await town.accepted(phone)
    far, _ = await town.hire("Far", {"lat": 41.18, "lon": -8.65})
    told = await preview(town, assign=[{"order_id": order["id"], "courier_id": far}])
    assert told["difference"]["cost"] > 0
    assert told["orders"][0]["then"]["courier_id"] == far


async def test_applying_a_preview_does_what_it_said(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    _, other = await town.hire("Rui", HOME)
    told = await preview(town, remove_couriers=[ana], add_orders=[MINIMAL])
    wanted = {"remove_couriers": [ana], "add_orders": [MINIMAL], "basis": told["basis"]}
    tried = await town.staff.post("/v1/plans/apply?preview=true", json=wanted)
    assert (tried.status_code, len(tried.json()["orders"])) == (200, 1)
    assert (await town.staff.get(f"/v1/couriers/{ana}")).json()["on_duty"] is True
    assert (await town.staff.get(f"/v1/orders/{tried.json()['orders'][0]['id']}")).status_code == 404
    applied = await town.staff.post("/v1/plans/apply", json=wanted)
    assert applied.status_code == 200, applied.text
    await town.offered(other, order["id"])

    async def offered_too():
        return (await town.order(applied.json()["orders"][0]["id"]))["state"] == "assigned"

    await until(offered_too)
    assert (await town.staff.get(f"/v1/couriers/{ana}")).json()["on_duty"] is False


async def test_stale_preview_is_not_applied(town):
    told = await preview(town, add_orders=[MINIMAL])
    await town.place()
    for query in ("", "?preview=true"):
        answer = await town.staff.post(
            f"/v1/plans/apply{query}", json={"add_orders": [MINIMAL], "basis": told["basis"]}
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert len((await town.staff.get("/v1/orders")).json()["items"]) == 1


async def test_a_preview_is_applied_once_however_many_press_the_button(town):
    """More at once than the pool has connections: none waits for ever."""
    told = await preview(town, add_orders=[MINIMAL])
    wanted = {"add_orders": [MINIMAL], "basis": told["basis"]}
    answers = await asyncio.gather(*(town.staff.post("/v1/plans/apply", json=wanted, timeout=60) for _ in range(200)))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[200] == 1
    assert set(statuses) <= {200, 409, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    assert len((await town.staff.get("/v1/orders")).json()["items"]) == 1


async def test_plan_waits_for_the_orders_it_touches_and_for_no_others(town, database_url):
    mine, other = await town.place(), await town.place()
    told = await preview(town, cancel_orders=[mine["id"]])
    wanted = {"cancel_orders": [mine["id"]], "basis": told["basis"]}
    connection = await asyncpg.connect(database_url)
    busy = connection.transaction()
    await busy.start()
    try:  # somebody is at work on the other order, and takes as long as that takes
        await connection.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", other["id"])
        applied = await town.staff.post("/v1/plans/apply", json=wanted, timeout=60)
        assert applied.status_code == 200, applied.text
        # What it touches may be changing: then it is not the plan that was looked at.
        told = await preview(town, cancel_orders=[other["id"]])
        wanted = {"cancel_orders": [other["id"]], "basis": told["basis"]}
        applying = asyncio.create_task(town.staff.post("/v1/plans/apply", json=wanted, timeout=60))

        async def waits():
            return await somebody_waits(database_url)

        await until(waits)
        await connection.execute("UPDATE orders SET version = version + 1, priority = 1 WHERE id = $1", other["id"])
    finally:
        await busy.commit()
        await connection.close()
    assert (await applying).json()["code"] == "conflict"
    assert (await town.order(other["id"]))["state"] == "placed"


async def somebody_waits(database_url):
    """Whether somebody waits for a lock."""
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    finally:
        await connection.close()


async def test_plan_that_cannot_be_applied_as_a_whole_is_not_applied_at_all(town):
    order = await town.place()
    wanted = {"add_orders": [MINIMAL], "assign": [{"order_id": order["id"], "courier_id": order["id"]}]}
    assert (await town.staff.post("/v1/plans/apply", json=wanted)).status_code == 404
    assert [one["id"] for one in (await town.staff.get("/v1/orders")).json()["items"]] == [order["id"]]


async def test_windows_that_can_be_kept_are_told_apart_from_those_that_cannot(town):
    await town.hire("Ana")
    now = datetime.now(UTC)
    far = {"lat": 41.2496, "lon": -8.6109}  # 11 km: an hour by bicycle
    question = {"order": {"pickup": RESTAURANT, "dropoff": far}, "length_s": 900, "step_s": 900, "n": 8}
    windows = (await town.staff.post("/v1/plans/windows", json=question)).json()["windows"]
    feasible = [window["feasible"] for window in windows]
    assert feasible[0] is False
    assert windows[0]["reasons"][0]["code"] == "dropoff_window"
    assert feasible[-1] is True
    assert feasible == sorted(feasible)
    for window in windows:
        assert window["to"] > now.isoformat()
        if window["feasible"]:
            assert window["from"] <= window["to"]
            assert window["cost"] >= 0


async def test_windows_of_tomorrow_can_be_promised(town):
    await town.hire("Ana")
    question = {"order": MINIMAL, "length_s": 3600, "step_s": 10_800, "n": 9}
    windows = (await town.staff.post("/v1/plans/windows", json=question)).json()["windows"]
    later = windows[1:]  # the first one began up to an hour ago and may be about to end
    assert [window["feasible"] for window in later] == [True] * 8
    for window in later:
        assert window["from"] <= window["dropoff_at"] <= window["to"]


async def test_order_for_later_is_given_to_nobody_until_it_is_time(town, dispatcher):
    """Only the drop-off says when: it is collected for then, not now."""
    await town.hire("Ana")
    wanted = []
    for hours in (2.5, 24):
        opens_at = datetime.now(UTC) + timedelta(hours=hours)
        window = {"from": opens_at.isoformat(), "to": (opens_at + timedelta(hours=1)).isoformat()}
        wanted.append((await town.place(dropoff=HOME | {"window": window}))["id"])
    now = await town.place()

    async def offered():
        return (await town.order(now["id"]))["state"] == "assigned"

    await until(offered)  # the dispatcher has looked at all of them
    assert [(await town.order(order_id))["state"] for order_id in wanted] == ["placed", "placed"]

    async def put_off():
        return (await town.order(wanted[1])).get("decision", {}).get("reasons")

    assert [reason["code"] for reason in await until(put_off)] == ["not_yet"]
