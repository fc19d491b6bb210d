"""Two partners and two regions: each meets only its own, wherever it asks."""

from datetime import UTC, datetime

import httpx
import pytest

PICKUP, DOOR = {"lat": 41.1496, "lon": -8.6109}, {"lat": 41.1579, "lon": -8.6291}


@pytest.fixture
async def people(admin, api):
    """`people(role, partner=…, regions=…)`: a client with a token of those bounds."""
    clients = []

    async def make(role, **bounds):
        made = await admin.post("/v1/tokens", json={"role": role, "name": f"{role} {bounds}", **bounds})
        assert made.status_code == 201, made.text
        transport = httpx.ASGITransport(app=api)
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://postrider", headers=headers))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


async def told(client, method, path, status=200, **more):
    answer = await client.request(method, path, **more)
    assert answer.status_code == status, (method, path, answer.text)
    return answer.json() if answer.content else None


async def names(client, path, field="external_id"):
    return sorted(one[field] for one in (await told(client, "GET", path))["items"])


async def test_two_partners_each_see_and_handle_their_own(admin, people):
    acme, other = await people("dispatcher", partner="acme"), await people("dispatcher", partner="other")
    orders, couriers = {}, {}
    for client, name in ((acme, "acme"), (other, "other"), (admin, "ours")):
        courier = await told(client, "POST", "/v1/couriers", 201, json={"name": name, "mode": "car"})
        order = {"external_id": name, "pickup": PICKUP, "dropoff": DOOR}
        orders[name] = (await told(client, "POST", "/v1/orders", 201, json=order))["id"]
        couriers[name] = courier["id"]
        assert courier["partner"] == (None if name == "ours" else name)
    assert (await told(admin, "GET", f"/v1/orders/{orders['acme']}"))["partner"] == "acme"
    for client, name in ((acme, "acme"), (other, "other")):
        assert await names(client, "/v1/orders") == [name]
        assert await names(client, "/v1/couriers", "name") == [name]
        for text in ("acme", "other", "ours"):
            assert await names(client, f"/v1/orders?q={text}") == [name][: text == name]
        for whose, order_id in orders.items():
            status = 200 if whose == name else 404
            for path in ("", "/events", "/comments"):
                await told(client, "GET", f"/v1/orders/{order_id}{path}", status)
            for path in ("", "/route", "/shifts", "/stops"):
                await told(client, "GET", f"/v1/couriers/{couriers[whose]}{path}", status)
            await told(client, "GET", f"/v1/offers?courier_id={couriers[whose]}", status)
    # Not by the body, either, nor by what is named twice.
    theirs, order = couriers["other"], orders["acme"]
    assert (await acme.post(f"/v1/orders/{order}/reassign", json={"courier_id": theirs})).status_code == 404
    bulk = {"action": "cancel", "order_ids": [order, orders["other"]]}
    assert (await acme.post("/v1/orders/bulk", json=bulk)).status_code == 404
    twice = f"courier_id={couriers['acme']}&courier_id={theirs}"
    assert (await acme.get(f"/v1/offers?{twice}")).status_code == 404
    wrong = {"external_id": "x", "pickup": PICKUP, "dropoff": DOOR, "partner": "other"}
    refused = await told(acme, "POST", "/v1/orders", 400, json=wrong)
    assert refused["errors"][0]["pointer"] == "/partner"
    assert (await acme.patch(f"/v1/couriers/{couriers['acme']}", json={"partner": "other"})).status_code == 400
    assert (await other.post(f"/v1/orders/{order}/cancel", json={"reason": "x"})).status_code == 404
    await told(acme, "POST", f"/v1/orders/{order}/cancel", json={"reason": "x"})
    # What tells of everybody is closed.
    for path in ("/v1/audit", "/v1/users", "/v1/tokens", "/v1/quarantine"):
        assert (await (await people("admin", partner="acme")).get(path)).status_code in {400, 403}, path
    assert await names(acme, "/v1/alerts", "id") == []
    assert await names(admin, "/v1/orders") == ["acme", "other", "ours"]


async def test_what_tells_of_a_region_tells_a_partner_of_their_own(admin, people):
    acme, other = await people("dispatcher", partner="acme"), await people("dispatcher", partner="other")
    settings = {"dispatch": {"partners": "apart"}}
    await told(admin, "PATCH", "/v1/regions/default", json={"settings": settings})
    orders, couriers, at = {}, {}, datetime.now(UTC).isoformat()
    for client, name in ((acme, "acme"), (other, "other"), (admin, "ours")):
        couriers[name] = (await told(client, "POST", "/v1/couriers", 201, json={"name": name, "mode": "car"}))["id"]
        orders[name] = (await told(client, "POST", "/v1/orders", 201, json={"pickup": PICKUP, "dropoff": DOOR}))["id"]
        fix = [PICKUP | {"courier_id": couriers[name], "fixed_at": at}]
        assert (await told(admin, "POST", "/v1/positions", 202, json=fix))["accepted"] == 1
    near = f"/v1/couriers/nearby?lat={PICKUP['lat']}&lon={PICKUP['lon']}"
    assert {one["courier_id"] for one in (await told(admin, "GET", near))["couriers"]} == set(couriers.values())
    for client, name in ((acme, "acme"), (other, "other")):
        assert [one["courier_id"] for one in (await told(client, "GET", f"{near}&limit=1"))["couriers"]] == [
            couriers[name]
        ]
        weighed = await told(client, "GET", f"/v1/orders/{orders[name]}/candidates")
        assert [one["courier_id"] for one in weighed["candidates"]] == [couriers[name]]
        assert (weighed["excluded"], weighed["n_excluded"], weighed["reasons"]) == ([], 0, [])
        fitting = await told(client, "GET", f"/v1/couriers/{couriers[name]}/suggestions")
        assert [one["order_id"] for one in fitting["suggestions"] + fitting["excluded"]] == [orders[name]]
        for whose, order_id in orders.items():
            if whose != name:
                await told(client, "GET", f"/v1/orders/{order_id}/candidates", 404)
                await told(client, "GET", f"/v1/couriers/{couriers[whose]}/suggestions", 404)
                await told(client, "GET", f"/v1/couriers/{couriers[whose]}/route/stream", 404)
        await told(client, "POST", f"/v1/orders/{orders[name]}/reassign", json={"courier_id": couriers[name]})
    # Everybody together sees all; nobody's order is not for a partner's courier, nor by hand.
    weighed = await told(admin, "GET", f"/v1/orders/{orders['ours']}/candidates")
    assert {one["courier_id"]: one["code"] for one in weighed["excluded"]} == {
        couriers[name]: "partner" for name in ("acme", "other")
    }
    refused = await told(
        admin, "POST", f"/v1/orders/{orders['ours']}/reassign", 409, json={"courier_id": couriers["acme"]}
    )
    assert refused["code"] == "courier-unsuitable"
    assert len((await told(admin, "GET", "/v1/routes"))["routes"]) == 2
    for client, name in ((acme, "acme"), (other, "other")):
        (route,) = (await told(client, "GET", "/v1/routes"))["routes"]
        assert route["courier_id"] == couriers[name]
        assert {stop["order_id"] for stop in route["stops"]} == {orders[name]}
        for by in ("courier", "day", "place"):
            report = await told(client, "GET", f"/v1/reports/service-level?by={by}")
            assert report["total"]["placed"] == 1
        by_courier = await told(client, "GET", "/v1/reports/service-level?by=courier")
        assert {one["courier"] for one in by_courier["items"]} <= {name, None}
    assert (await told(admin, "GET", "/v1/reports/service-level"))["total"]["placed"] == 3


async def test_people_of_a_region_meet_nothing_of_another(admin, people):
    await told(admin, "POST", "/v1/regions", 201, json={"name": "oslo", "title": "Oslo", "timezone": "Europe/Oslo"})
    oslo = await people("dispatcher", regions=["oslo"])
    both = await people("viewer", regions=["default", "oslo"])
    for region in ("default", "oslo"):
        body = {"external_id": region, "region": region, "pickup": PICKUP, "dropoff": DOOR}
        await told(admin, "POST", "/v1/orders", 201, json=body)
    ids = {one["external_id"]: one["id"] for one in (await told(admin, "GET", "/v1/orders"))["items"]}
    assert await names(oslo, "/v1/orders") == ["oslo"]
    assert await names(oslo, "/v1/orders?limit=5") == ["oslo"]
    assert await names(oslo, "/v1/regions", "name") == ["oslo"]
    assert (await told(oslo, "GET", "/v1/me"))["regions"] == ["oslo"]
    await told(oslo, "GET", f"/v1/orders/{ids['default']}", 404)
    await told(oslo, "GET", "/v1/orders?region=default", 400)
    await told(oslo, "GET", "/v1/orders?region=oslo&region=default", 400)
    await told(oslo, "GET", "/v1/regions/default", 404)
    await told(both, "GET", "/v1/orders", 400)
    assert await names(both, "/v1/orders?region=default") == ["default"]
    await told(oslo, "POST", "/v1/orders", 400, json={"region": "default", "pickup": PICKUP, "dropoff": DOOR})
    placed = await told(oslo, "POST", "/v1/orders", 201, json={"pickup": PICKUP, "dropoff": DOOR})
    assert placed["region"] == "oslo"


async def test_a_service_has_no_bounds(admin):
    body = {"role": "service", "name": "x", "partner": "acme"}
    assert (await admin.post("/v1/tokens", json=body)).status_code == 400
