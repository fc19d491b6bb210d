"""What the courier's own page asks and tells beside the route."""

from datetime import UTC, datetime, timedelta

from app.web.auth import Role
from tests.acceptance.test_orders import dispatcher, town  # noqa: F401 - fixtures
from tests.waiting import until


async def test_a_courier_sees_the_day_and_nobody_elses(town, dispatcher, client_of):  # noqa: F811
    courier_id, phone = await town.hire("Ana")
    _, other = await town.hire("Ben", at=None)
    order = await town.accepted(phone)
    day = (await phone.get(f"/v1/couriers/{courier_id}/day")).json()
    assert (day["on_duty"], day["break_until"], day["timezone"]) == (True, None, "UTC")
    assert [(one["order_id"], one["state"]) for one in day["orders"]] == [(order["id"], "accepted")]
    # Who has an answer already is told so in a few bytes, and told anew as soon as something is different.
    paths = [f"/v1/couriers/{courier_id}/{what}" for what in ("day", "route")]
    tags = {path: (await phone.get(path)).headers["etag"] for path in (*paths, "/v1/offers")}
    assert (await phone.post(f"/v1/couriers/{courier_id}/breaks/start")).status_code == 200
    assert (await phone.get(f"/v1/couriers/{courier_id}/day")).json()["break_until"] is not None
    for step in ("picked-up", "delivered"):
        assert (await phone.post(f"/v1/orders/{order['id']}/{step}")).status_code == 200
    for path, tag in tags.items():
        again = await phone.get(path, headers={"If-None-Match": f'"another", {tag}'})
        is_known = path == "/v1/offers"
        assert (again.status_code, bool(again.content)) == ((304, False) if is_known else (200, True)), path
        assert again.headers["cache-control"] == "private, no-cache"

    async def is_route_known():
        tag = (await phone.get(paths[1])).headers["etag"]
        return (await phone.get(paths[1], headers={"If-None-Match": tag})).status_code == 304

    await until(is_route_known)
    [done] = (await phone.get(f"/v1/couriers/{courier_id}/day")).json()["orders"]
    assert (done["state"], done["closed_at"] is not None) == ("delivered", True)
    assert (await other.get(f"/v1/couriers/{courier_id}/day")).status_code == 403
    assert (await town.staff.get(f"/v1/couriers/{courier_id}/day")).status_code == 200


async def test_an_arrival_is_told_once_whenever_it_is_sent(town, dispatcher):  # noqa: F811
    courier_id, phone = await town.hire("Ana")
    _, other = await town.hire("Ben", at=None)
    order = await town.accepted(phone)
    path = f"/v1/orders/{order['id']}"
    assert (await other.post(f"{path}/arrived")).status_code == 403
    first = (await phone.post(f"{path}/arrived")).json()
    assert first["kind"] == "pickup"
    assert (await phone.post(f"{path}/arrived")).json() == first
    assert (await phone.post(f"{path}/picked-up")).status_code == 200
    at = datetime.now(UTC) + timedelta(seconds=1)
    door = (await phone.post(f"{path}/arrived", json={"at": at.isoformat()})).json()
    assert door["kind"] == "dropoff"
    since = {"from": (at - timedelta(hours=1)).isoformat()}
    visits = (await phone.get(f"/v1/couriers/{courier_id}/visits", params=since)).json()["items"]
    assert {(visit["order_id"], visit["kind"]) for visit in visits} == {
        (order["id"], "pickup"),
        (order["id"], "dropoff"),
    }
    assert (await phone.post(f"{path}/delivered")).status_code == 200
    assert (await phone.post(f"{path}/arrived")).json()["code"] == "order-not-open"


async def test_a_courier_writes_to_support_about_the_couriers_own_order(town, dispatcher, client_of):  # noqa: F811
    _, phone = await town.hire("Ana")
    _, other = await town.hire("Ben", at=None)
    path = f"/v1/orders/{(await town.accepted(phone))['id']}/comments"
    said = {"text": "The bell does not work"}
    sent = [await phone.post(path, json=said, headers={"Idempotency-Key": "1"}) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [201, 201]
    [comment] = (await town.staff.get(path)).json()["items"]
    assert (comment["text"], comment["role"]) == ("The bell does not work", "courier")
    assert (await other.post(path, json=said)).status_code == 403
    assert (await (await client_of(Role.VIEWER)).post(path, json=said)).status_code == 403
