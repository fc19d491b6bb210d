"""Orders that nobody has, and shifts that end, over HTTP: told to staff, taken away, and over by themselves."""

from datetime import UTC, datetime, timedelta

from app.web.auth import Role
from tests.acceptance.test_breaks import rows  # noqa: F401 - a fixture
from tests.acceptance.test_orders import HOME, dispatcher, town  # noqa: F401 - fixtures
from tests.waiting import until

MINUTE = timedelta(minutes=1)


async def alerts(town, **wanted):  # noqa: F811
    return (await town.staff.get("/v1/alerts", params={"state": "open", **wanted})).json()["items"]


async def told(town, **wanted):  # noqa: F811
    [alert] = await until(lambda: alerts(town, **wanted))
    return alert


async def no_longer(town, **wanted):  # noqa: F811
    async def gone():
        return not await alerts(town, **wanted)

    await until(gone)


async def set_alerts(client_of, **thresholds):
    admin = await client_of(Role.ADMIN)
    answer = await admin.patch("/v1/regions/default", json={"settings": {"alerts": thresholds}})
    assert answer.status_code == 200, answer.text


async def test_order_without_a_courier_is_told_until_somebody_has_it(town, dispatcher, client_of):  # noqa: F811
    await set_alerts(client_of, unassigned_after_s=1)
    order = await town.place()
    alert = await told(town, kind="unassigned")
    assert (alert["order_id"], alert.get("courier_id")) == (order["id"], None)
    assert alert["facts"]["reasons"] == {"no_couriers": 0}
    _, phone = await town.hire("Ana")
    await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")
    await no_longer(town, kind="unassigned")


async def test_order_that_nobody_accepts_is_told(town, dispatcher, client_of):  # noqa: F811
    await set_alerts(client_of, unaccepted_after_offers=2)
    _, phone = await town.hire("Ana")
    order = await town.place()
    for _ in range(2):
        await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/reject", json={"reason": "no"})
    alert = await told(town, kind="unaccepted", order_id=order["id"])
    assert alert["facts"] == {"expired": 0, "rejected": 2}
    await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")
    await no_longer(town, kind="unaccepted")


async def test_impossible_orders_are_told_with_their_reasons_and_stop_no_others(town, dispatcher):  # noqa: F811
    _, phone = await town.hire("Ana")
    over = await town.place(dropoff=HOME | {"latest": (datetime.now(UTC) - MINUTE).isoformat()})
    crane = await town.place(skills=["crane"])
    far = await town.place(dropoff={"lat": 59.93, "lon": 30.36})
    cold = await town.place(max_on_board_s=60)
    reasons = ((over, "dropoff_window"), (crane, "skills"), (far, "too_far"), (cold, "max_on_board"))
    for order, reason in reasons:
        alert = await told(town, kind="impossible", order_id=order["id"])
        assert alert["facts"]["reasons"] == [reason]
    plain = await town.place()
    await town.offered(phone, plain["id"])
    await town.staff.patch(f"/v1/orders/{crane['id']}", json={"skills": []}, headers={"If-Match": "1"})
    await no_longer(town, kind="impossible", order_id=crane["id"])
    await town.staff.post(f"/v1/orders/{far['id']}/cancel")
    await no_longer(town, kind="impossible", order_id=far["id"])


async def add_shift(town, courier_id, until):  # noqa: F811
    shift = {"starts_at": (datetime.now(UTC) - 60 * MINUTE).isoformat(), "ends_at": until.isoformat()}
    answer = await town.staff.post(f"/v1/couriers/{courier_id}/shifts", json=shift)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_end_of_a_shift_takes_away_what_is_not_collected_and_tells_of_goods(
    town,  # noqa: F811
    dispatcher,  # noqa: F811
    client_of,
    rows,  # noqa: F811
):
    await set_alerts(client_of, goods_on_board_after_s=0)
    ana, phone = await town.hire("Ana")
    shift_id = await add_shift(town, ana, datetime.now(UTC) + 240 * MINUTE)
    collected = await town.accepted(phone)
    await phone.post(f"/v1/orders/{collected['id']}/picked-up")
    accepted = await town.accepted(phone)
    await rows("UPDATE shifts SET ends_at = now() WHERE id = $1", shift_id)

    async def taken_away():
        return (await town.order(accepted["id"]))["state"] == "placed"

    await until(taken_away)
    events = (await town.staff.get(f"/v1/orders/{accepted['id']}/events")).json()["items"]
    assert (events[-1]["action"], events[-1]["reason"]) == ("release", "the shift is over")
    alert = await told(town, kind="goods_on_board")
    assert (alert["courier_id"], alert["order_id"]) == (ana, collected["id"])
    assert (await town.order(collected["id"]))["state"] == "picked_up"
    await phone.post(f"/v1/orders/{collected['id']}/delivered")
    await no_longer(town, kind="goods_on_board")


async def test_courier_whose_last_shift_is_removed_is_off(town, dispatcher, client_of):  # noqa: F811
    ana, phone = await town.hire("Ana")
    await town.hire("Rui", HOME, on_duty=False)
    shift_id = await add_shift(town, ana, datetime.now(UTC) + 240 * MINUTE)
    accepted = await town.accepted(phone)
    assert (await town.staff.delete(f"/v1/couriers/{ana}/shifts/{shift_id}")).status_code == 204
    assert (await town.order(accepted["id"]))["state"] == "placed"

    async def left_out():
        found = await town.staff.get("/v1/orders", params={"unassigned": True})
        reasons = [order["decision"]["reasons"] for order in found.json()["items"] if order.get("decision")]
        return [[reason["code"] for reason in of_order] for of_order in reasons] == [["no_couriers"]]

    await until(left_out)
    admin = await client_of(Role.ADMIN)
    settings = {"dispatch": {"without_shift": "work"}}
    assert (await admin.patch("/v1/regions/default", json={"settings": settings})).status_code == 200
    await town.offered(phone, accepted["id"])
