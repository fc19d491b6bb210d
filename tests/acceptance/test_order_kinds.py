"""Orders of other kinds than from door to door: hot food, drop-offs, pickups, visits, groups, depots."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.test_orders import HOME, MINIMAL, RESTAURANT, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]

DEPOT = {"lat": 41.155, "lon": -8.62}
VISIT = {"kind": "service", "pickup": None, "dropoff": HOME | {"service_s": 900}}
DROPOFF = {"kind": "dropoff", "pickup": None}
PICKUP = {"kind": "pickup", "dropoff": None}


async def stops_of(phone, courier_id):
    stops = (await phone.get(f"/v1/couriers/{courier_id}/route")).json()["stops"]
    return [(stop["order_id"], stop["kind"], stop["lat"], stop["lon"]) for stop in stops]


async def on_shift(town, courier_id, **places):
    now = datetime.now(UTC)
    span = {"starts_at": (now - timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(hours=5)).isoformat()}
    answer = await town.staff.post(f"/v1/couriers/{courier_id}/shifts", json=span | places)
    assert answer.status_code == 201, answer.text


async def reasons_of(town, order):
    async def explained():
        return (await town.order(order["id"])).get("decision", {}).get("reasons")

    return [reason["code"] for reason in await until(explained)]


async def test_hot_food_goes_only_to_who_can_hand_it_over_in_time(town, dispatcher):
    await town.hire("Slow", mode="foot")
    hot = await town.place(max_on_board_s=600)  # 1.8 km
    assert hot["max_on_board_s"] == 600
    assert await reasons_of(town, hot) == ["max_on_board"]
    _, car = await town.hire("Fast", mode="car")
    await town.offered(car, hot["id"])
    changed = await town.staff.patch(f"/v1/orders/{hot['id']}", json={"max_on_board_s": None})
    assert "max_on_board_s" not in changed.json()


async def test_time_on_board_that_nobody_can_mean_is_refused(town):
    answer = await town.staff.post("/v1/orders", json=MINIMAL | {"max_on_board_s": 0})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/max_on_board_s")
    cells = ",".join(str(value) for value in (*RESTAURANT.values(), *HOME.values(), 900))
    lines = f"pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,max_on_board_s\n{cells}\n"
    answer = await town.staff.post("/v1/orders/import", content=lines, headers={"Content-Type": "text/csv"})
    [line] = answer.json()["results"]
    assert (await town.order(line["id"]))["max_on_board_s"] == 900


async def test_visit_has_one_stop_and_nothing_to_pick_up(town, dispatcher):
    ana, phone = await town.hire("Ana", max_orders=2, capacity=[0])
    order = await town.accepted(phone, **VISIT)
    assert (order["kind"], order.get("size", {})) == ("service", {})
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", HOME["lat"], HOME["lon"])]
    refused = await phone.post(f"/v1/orders/{order['id']}/picked-up")
    assert (refused.status_code, refused.json()["code"]) == (409, "order-not-open")

    async def foretold():
        return (await town.staff.get(f"/v1/orders/{order['id']}/eta")).json()["p50"]

    assert await until(foretold)
    done = (await phone.post(f"/v1/orders/{order['id']}/delivered", json={"code": "seen"})).json()
    assert (done["state"], "picked_up_at" in done) == ("delivered", False)
    assert await town.actions(order["id"]) == ["place", "assign", "accept", "delivered"]
    assert await stops_of(phone, ana) == []


async def test_drop_off_that_is_loaded_before_is_delivered_without_a_pickup(town, dispatcher):
    ana, phone = await town.hire("Ana", capacity=[3])
    order = await town.place(**DROPOFF, size={"units": 2})
    await town.offered(phone, order["id"])
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", HOME["lat"], HOME["lon"])]
    # It is on board from the beginning: two more do not fit beside it.
    second = await town.place(**DROPOFF, size={"units": 2})
    assert await reasons_of(town, second) == ["capacity"]
    done = (await phone.post(f"/v1/orders/{order['id']}/delivered")).json()
    assert done["state"] == "delivered"
    assert await town.actions(order["id"]) == ["place", "assign", "accept", "delivered"]
    await town.offered(phone, second["id"])


async def test_drop_off_that_fails_comes_back_to_where_the_shift_ends(town, dispatcher):
    ana, phone = await town.hire("Ana")
    await on_shift(town, ana, end=DEPOT)
    order = await town.accepted(phone, **DROPOFF)
    turned = (await phone.post(f"/v1/orders/{order['id']}/failed", json={"reason": "nobody there"})).json()
    assert turned["state"] == "returning"
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", DEPOT["lat"], DEPOT["lon"])]
    assert (await phone.post(f"/v1/orders/{order['id']}/returned")).json()["state"] == "returned"
    again = await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "found them"})
    assert (again.json()["state"], again.json()["dropoff"]["lat"]) == ("placed", HOME["lat"])


async def test_pickup_is_brought_to_where_the_shift_ends(town, dispatcher):
    ana, phone = await town.hire("Ana")
    await on_shift(town, ana, end=DEPOT)
    order = await town.accepted(phone, **PICKUP)
    assert await stops_of(phone, ana) == [(order["id"], "pickup", RESTAURANT["lat"], RESTAURANT["lon"])]

    async def foretold():
        return (await town.staff.get(f"/v1/orders/{order['id']}/eta")).json()["p50"]

    assert await until(foretold)
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).json()["state"] == "picked_up"
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", DEPOT["lat"], DEPOT["lon"])]
    assert (await phone.post(f"/v1/orders/{order['id']}/delivered")).json()["state"] == "delivered"


async def test_pickup_that_nobody_says_a_place_for_takes_its_room_until_it_is_handed_over(town, dispatcher):
    ana, phone = await town.hire("Ana", max_orders=1)
    order = await town.accepted(phone, **PICKUP)
    await phone.post(f"/v1/orders/{order['id']}/picked-up")
    assert await stops_of(phone, ana) == []
    second = await town.place()
    assert await reasons_of(town, second) == ["max_orders"]
    await phone.post(f"/v1/orders/{order['id']}/delivered")
    await town.offered(phone, second["id"])


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"pickup": None}, "/pickup"),
        ({"dropoff": None}, "/dropoff"),
        ({"kind": "dropoff"}, "/pickup"),
        ({"kind": "pickup"}, "/dropoff"),
        ({"kind": "service", "pickup": None, "size": {"units": 1}}, "/size"),
        ({"kind": "round trip"}, "/kind"),
    ],
)
async def test_ends_that_a_kind_of_order_does_not_have_are_refused(town, facts, pointer):
    answer = await town.staff.post("/v1/orders", json=MINIMAL | facts)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_the_one_stop_of_an_order_can_be_moved(town):
    order = await town.place(**VISIT)
    moved = (await town.staff.patch(f"/v1/orders/{order['id']}", json={"dropoff": DEPOT})).json()
    assert (moved["dropoff"]["lat"], moved["pickup"]["lat"]) == (DEPOT["lat"], DEPOT["lat"])
    refused = await town.staff.patch(f"/v1/orders/{order['id']}", json={"pickup": DEPOT})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/pickup")
