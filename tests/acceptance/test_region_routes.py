"""All routes of a region in one answer."""

from datetime import UTC, datetime, timedelta

from tests.acceptance.test_orders import dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]


async def test_routes_of_everybody_come_with_arrivals_shifts_and_breaks(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    now = datetime.now(UTC)
    pause = {"from": now.isoformat(), "to": (now + timedelta(hours=1)).isoformat(), "duration_s": 600}
    shift = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat(), "breaks": [pause]}
    assert (await town.staff.post(f"/v1/couriers/{ana}/shifts", json=shift)).status_code == 201
    rest = (await phone.post(f"/v1/couriers/{ana}/breaks/start", json={"duration_s": 600})).json()

    async def scheduled():
        board = (await town.staff.get("/v1/routes", params={"region": "default"})).json()
        [route] = board["routes"]
        return board if all("arrives_at" in stop for stop in route["stops"]) else None

    board = await until(scheduled)
    [route] = board["routes"]
    assert route["courier_id"] == ana
    assert [(stop["order_id"], stop["kind"]) for stop in route["stops"]] == [
        (order["id"], "pickup"),
        (order["id"], "dropoff"),
    ]
    assert not any("planned" in stop for stop in route["stops"])
    [known] = board["shifts"]
    assert (known["courier_id"], known["breaks"][0]["duration_s"]) == (ana, 600)
    assert [one["courier_id"] for one in board["resting"]] == [ana]
    assert board["resting"][0]["until"][:19] == rest["until"][:19]
    refused = await town.staff.get("/v1/routes", params={"region": "nowhere"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/region")
