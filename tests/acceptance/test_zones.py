"""Where couriers work: areas and ranges, for candidates, the planner, orders by hand and the alert that nobody can."""

from app.web.auth import Role
from tests.acceptance.test_asking import set_region
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "set_region", "town"]

AROUND = {"type": "Point", "coordinates": [-8.620, 41.154]}
"""Between the restaurant and the door; 2 km around it are both."""
ELSEWHERE = {"type": "Point", "coordinates": [-8.500, 41.200]}


async def fence(town, geometry, radius_m=2000):
    made = await town.staff.post("/v1/geofences", json={"name": "Area", "geometry": geometry, "radius_m": radius_m})
    assert made.status_code == 201, made.text
    return made.json()["id"]


async def reasons_of(town, order_id, courier_id):
    answer = await town.staff.get(f"/v1/orders/{order_id}/candidates")
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()["excluded"] if one["courier_id"] == courier_id]


async def alert_of(town, order_id):
    async def look():
        alerts = (await town.staff.get("/v1/alerts", params={"kind": "impossible"})).json()["items"]
        return next((one["facts"]["reasons"] for one in alerts if one.get("order_id") == order_id), None)

    return await until(look)


async def test_courier_gets_orders_inside_the_own_areas_only(town, dispatcher):
    here, there = await fence(town, AROUND), await fence(town, ELSEWHERE)
    away, _ = await town.hire("Away", areas=[there])
    order = await town.place()
    assert await reasons_of(town, order["id"], away) == ["out_of_area"]
    assert await alert_of(town, order["id"]) == ["out_of_area"]
    decided = (await town.order(order["id"]))["decision"]["reasons"]
    assert [(reason["code"], reason["example_courier_id"]) for reason in decided] == [("out_of_area", away)]
    refused = await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": away})
    assert (refused.status_code, refused.json()["code"]) == (409, "courier-unsuitable")
    assert "out_of_area" in refused.text
    # With another area as well, both ends in it, the same courier is asked.
    version = (await town.staff.get(f"/v1/couriers/{away}")).json()["version"]
    changed = await town.staff.patch(f"/v1/couriers/{away}", json={"areas": [there, here], "version": version})
    assert changed.json()["areas"] == [there, here]
    phone = await town.client_of(Role.COURIER, courier=away)
    await town.offered(phone, order["id"])


async def test_range_counts_from_home_for_both_ends(town, dispatcher):
    near, _ = await town.hire("Near", home=RESTAURANT, range_m=1000)
    order = await town.place()  # the door is 1.8 km from the restaurant
    assert await reasons_of(town, order["id"], near) == ["range"]
    assert await alert_of(town, order["id"]) == ["range"]
    await town.staff.patch(f"/v1/couriers/{near}", json={"range_m": 2500})
    phone = await town.client_of(Role.COURIER, courier=near)
    await town.offered(phone, order["id"])


async def test_range_without_a_home_counts_from_where_the_courier_is_to_the_pickup(town):
    near, _ = await town.hire("Near", range_m=1000)
    far, _ = await town.hire("Far", HOME, range_m=1000)
    order = await town.place()
    assert await reasons_of(town, order["id"], near) == []
    assert await reasons_of(town, order["id"], far) == ["range"]


async def test_region_may_serve_its_boundary_only(town, dispatcher, set_region, client_of):
    admin = await client_of(Role.ADMIN)
    west, east, south, north = -8.62, -8.60, 41.14, 41.16  # the restaurant, not the door
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    before = (await admin.get("/v1/regions/default")).json()
    boundary = {"type": "Polygon", "coordinates": [ring]}
    put = await admin.patch("/v1/regions/default", json={"version": before["version"], "boundary": boundary})
    assert put.status_code == 200, put.text
    _, phone = await town.hire("Ana")
    await set_region(dispatch={"area": "boundary"})
    order = await town.place()
    assert await alert_of(town, order["id"]) == ["out_of_area"]
    await set_region(dispatch={"area": None})
    await town.offered(phone, order["id"])


async def test_area_that_is_served_stays_and_one_that_is_not_there_is_refused(town):
    here = await fence(town, AROUND)
    courier, _ = await town.hire("Ana", areas=[here])
    kept = await town.staff.delete(f"/v1/geofences/{here}")
    assert (kept.status_code, kept.json()["code"], kept.json()["courier_ids"]) == (409, "area-in-use", [courier])
    unknown = "00000000-0000-0000-0000-000000000001"
    bad = await town.staff.patch(f"/v1/couriers/{courier}", json={"areas": [here, unknown]})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/areas/1")
    worse = await town.staff.post("/v1/couriers", json={"name": "A", "mode": "car", "home": {"lat": 91, "lon": 0}})
    assert (worse.status_code, worse.json()["errors"][0]["pointer"]) == (400, "/home/lat")
    assert (await town.staff.patch(f"/v1/couriers/{courier}", json={"areas": []})).json()["areas"] == []
    assert (await town.staff.delete(f"/v1/geofences/{here}")).is_success
