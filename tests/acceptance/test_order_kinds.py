"""Orders of other kinds than from door to door: hot food, drop-offs, pickups, visits, groups, depots."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from app.web.auth import Role
from tests.acceptance.test_day_plans import HOUR, intended, planned
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


NORTH = {"name": "north", "lat": 41.17, "lon": -8.62, "address": "Gate 2"}
SOUTH = {"name": "south", "lat": 41.14, "lon": -8.60}


@pytest_asyncio.fixture
async def depots(client_of):
    admin = await client_of(Role.ADMIN)
    answer = await admin.patch("/v1/regions/default", json={"settings": {"depots": {"places": [NORTH, SOUTH]}}})
    assert answer.status_code == 200, answer.text


async def test_drop_off_is_loaded_at_the_nearest_depot_or_at_the_one_named(town, dispatcher, depots):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone, **DROPOFF)
    assert (order["depot"], order["pickup"]["address"]) == ("north", "Gate 2")
    assert await stops_of(phone, ana) == [
        (order["id"], "pickup", NORTH["lat"], NORTH["lon"]),
        (order["id"], "dropoff", HOME["lat"], HOME["lon"]),
    ]
    # It is collected there as any other, and comes back there.
    assert (await phone.post(f"/v1/orders/{order['id']}/delivered")).status_code == 409
    await phone.post(f"/v1/orders/{order['id']}/picked-up")
    await phone.post(f"/v1/orders/{order['id']}/failed", json={"reason": "nobody there"})
    assert await stops_of(phone, ana) == [(order["id"], "dropoff", NORTH["lat"], NORTH["lon"])]
    named = await town.place(**DROPOFF, depot="south")
    assert (named["depot"], named["pickup"]["lat"]) == ("south", SOUTH["lat"])


async def test_planner_chooses_the_cheapest_depot_that_is_open_where_none_is_named(town, dispatcher, client_of):
    """The courier stands in the south; the depot that is nearest to everything is closed for hours."""
    hour = datetime.now(UTC) + timedelta(hours=6)
    closed = {"opens": f"{hour:%H}:00", "closes": f"{hour + timedelta(hours=1):%H}:00"}
    shut = {"name": "shut", **HOME} | closed
    settings = {"depots": {"places": [NORTH, shut, SOUTH], "choice": "cheapest"}}
    answer = await (await client_of(Role.ADMIN)).patch("/v1/regions/default", json={"settings": settings})
    assert answer.status_code == 200, answer.text
    first = await town.place(**DROPOFF)
    named = await town.place(**DROPOFF, depot="north")
    assert (first["depot"], named["depot"]) == ("shut", "north")
    ana, phone = await town.hire("Ana", at=SOUTH)
    await town.offered(phone, first["id"])
    assert [(await town.order(order["id"]))["depot"] for order in (first, named)] == ["south", "north"]
    places = {(stop[0], stop[1]): stop[2] for stop in await stops_of(phone, ana)}
    assert places[first["id"], "pickup"] == SOUTH["lat"]
    assert await town.actions(first["id"]) == ["place", "change", "assign"]
    # Whoever names the depot that was chosen takes it from nobody.
    kept = (await town.staff.patch(f"/v1/orders/{first['id']}", json={"depot": "south"})).json()
    assert (kept["depot"], kept["state"], kept["courier_id"]) == ("south", "assigned", ana)


async def test_depot_and_group_of_an_order_can_be_changed(town, depots):
    order = await town.place(**DROPOFF, group_id="party")
    url = f"/v1/orders/{order['id']}"

    async def changed(**facts):
        return (await town.staff.patch(url, json=facts)).json()

    south = await changed(depot="south", group_id=None)
    assert (south["depot"], south["pickup"]["lat"], "group_id" in south) == ("south", SOUTH["lat"], False)
    assert south["dropoff"]["lat"] == HOME["lat"]
    # The nearest to where the door is now.
    door = {"lat": SOUTH["lat"], "lon": SOUTH["lon"]}
    assert (await changed(depot=None, dropoff=door))["depot"] == "south"
    north = await changed(depot="north", group_id="others")
    assert (north["depot"], north["pickup"]["address"], north["group_id"]) == ("north", "Gate 2", "others")
    told = (await town.staff.get(f"{url}/events")).json()["items"][-1]
    assert told["facts"]["changed"] == ["depot", "group_id", "pickup"]
    assert await changed(depot="north", group_id="others") == north
    refused = await town.staff.patch(url, json={"depot": "east"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/depot")


async def test_pickup_is_brought_to_a_depot(town, dispatcher, depots):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone, **PICKUP, depot="south")
    assert await stops_of(phone, ana) == [
        (order["id"], "pickup", RESTAURANT["lat"], RESTAURANT["lon"]),
        (order["id"], "dropoff", SOUTH["lat"], SOUTH["lon"]),
    ]
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).json()["state"] == "picked_up"
    assert (await phone.post(f"/v1/orders/{order['id']}/delivered")).json()["state"] == "delivered"


@pytest.mark.parametrize("facts", [DROPOFF | {"depot": "east"}, VISIT | {"depot": "north"}, {"depot": "north"}])
async def test_depot_that_there_is_none_of_is_refused(town, depots, facts):
    answer = await town.staff.post("/v1/orders", json=MINIMAL | facts)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/depot")


@pytest.mark.parametrize(
    ("places", "pointer"),
    [
        ([SOUTH, SOUTH], "/settings/depots"),
        ([SOUTH | {"lat": 91}], "/settings/depots/places"),
        ([{"name": "nowhere"}], "/settings/depots/places"),
        ([SOUTH | {"opens": "8:00", "closes": "18:00"}], "/settings/depots/places"),
        ([SOUTH | {"opens": "08:00"}], "/settings/depots/places"),
        ([SOUTH | {"opens": "08:00", "closes": "18:00", "timezone": "Mars/Olympus"}], "/settings/depots/places"),
    ],
)
async def test_depots_that_cannot_be_used_are_refused(client_of, places, pointer):
    admin = await client_of(Role.ADMIN)
    answer = await admin.patch("/v1/regions/default", json={"settings": {"depots": {"places": places}}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_day_ahead_is_reloaded_at_the_depot_and_kept_by_the_dispatcher(town, dispatcher, depots):
    day = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    ana, _ = await town.hire("Ana", mode="car", capacity=[2])
    shift = {"starts_at": (day + 8 * HOUR).isoformat(), "ends_at": (day + 14 * HOUR).isoformat()}
    answer = await town.staff.post(
        f"/v1/couriers/{ana}/shifts", json=shift | {"start": DEPOT, "end": {"lat": SOUTH["lat"], "lon": SOUTH["lon"]}}
    )
    assert (answer.status_code, answer.json()["start"]) == (201, DEPOT)
    window = {"from": (day + 9 * HOUR).isoformat(), "to": (day + 13 * HOUR).isoformat(), "hard": True}
    for _ in range(3):
        await town.place(**DROPOFF | {"dropoff": HOME | {"window": window}}, depot="south")
    plan = await planned(town, day, day + 24 * HOUR)
    assert plan["unassigned"] == []
    load = most = 0
    for stop in plan["routes"][0]["stops"]:
        load += 1 if stop["kind"] == "pickup" else -1
        most = max(most, load)
    assert most == 2
    applied = await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")
    assert applied.json()["n_orders"] == 3
    kept = await intended(town, ana)
    assert kept == [(stop["order_id"], stop["kind"]) for stop in plan["routes"][0]["stops"]]
    urgent = await town.place()
    assert await reasons_of(town, urgent) == ["no_couriers"]  # the dispatcher has planned meanwhile
    assert await intended(town, ana) == kept


async def test_shifts_that_name_no_place_begin_and_end_at_the_cheapest_depot(town, client_of):
    """A visit beside the one depot, hours later one beside the other."""
    settings = {"depots": {"places": [NORTH, SOUTH], "shifts": "cheapest"}}
    answer = await (await client_of(Role.ADMIN)).patch("/v1/regions/default", json={"settings": settings})
    assert answer.status_code == 200, answer.text
    day = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    ana, _ = await town.hire("Ana", mode="car")
    shifts = f"/v1/couriers/{ana}/shifts"
    span = {"starts_at": (day + 8 * HOUR).isoformat(), "ends_at": (day + 16 * HOUR).isoformat()}
    assert (await town.staff.post(shifts, json=span)).status_code == 201
    for depot, hours in ((SOUTH, 9), (NORTH, 14)):
        at = {"lat": depot["lat"], "lon": depot["lon"]}
        window = {"from": (day + hours * HOUR).isoformat(), "to": (day + (hours + 1) * HOUR).isoformat(), "hard": True}
        await town.place(**VISIT | {"dropoff": at | {"window": window}})
    plan = await planned(town, day, day + 24 * HOUR)
    [route] = plan["routes"]
    assert (route["start_depot"], route["end_depot"], len(route["stops"])) == ("south", "north", 2)
    assert (await town.staff.post(f"/v1/plans/day/{plan['id']}/apply")).json()["n_orders"] == 2
    [shift] = (await town.staff.get(shifts)).json()["items"]
    assert (shift["start"]["lat"], shift["end"]["lat"]) == (SOUTH["lat"], NORTH["lat"])


async def test_drop_offs_of_one_pickup_go_to_one_courier_as_a_group(town, dispatcher):
    orders = [await town.place(group_id="party", dropoff=door) for door in (HOME, DEPOT, SOUTH_DOOR)]
    assert orders[0]["group_id"] == "party"
    people = dict([await town.hire(name, at) for name, at in (("Ana", RESTAURANT), ("Rui", HOME), ("Eva", DEPOT))])

    async def holders():
        told = [await town.order(order["id"]) for order in orders]
        return {order.get("courier_id") for order in told} if all("courier_id" in order for order in told) else None

    [holder] = await until(holders)
    stops = await stops_of(people[holder], holder)
    assert [kind for _, kind, _, _ in stops] == ["pickup"] * 3 + ["dropoff"] * 3


SOUTH_DOOR = {"lat": 41.143, "lon": -8.605}


async def test_group_is_split_where_nobody_has_the_room(town, dispatcher):
    for name in ("Ana", "Rui"):
        await town.hire(name, capacity=[2])
    orders = [await town.place(group_id="party", size={"units": 1}) for _ in range(3)]

    async def holders():
        told = [await town.order(order["id"]) for order in orders]
        return [order["courier_id"] for order in told] if all("courier_id" in order for order in told) else None

    given = await until(holders)
    assert sorted(given.count(one) for one in set(given)) == [1, 2]
