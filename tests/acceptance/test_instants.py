"""Every endpoint reads instants alike, and believes the same ones."""

from datetime import datetime, timedelta, timezone

import pytest

PATHS = ["/v1/couriers/{}/track", "/v1/couriers/{}/stops", "/v1/couriers/{}/visits", "/v1/fence-events"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_span_is_read_alike(admin, path):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "foot"})).json()
    url = path.format(courier["id"])
    now = datetime.now(timezone(timedelta(hours=3))).replace(microsecond=0)
    since, until = (now - timedelta(hours=5)).isoformat(), now.isoformat()
    # As written by hand the plus is not escaped, and arrives as a space.
    for query in (f"from={since}&to={until}", f"from={since}&to={until}".replace("+", "%2B"), f"from={since}", ""):
        answer = await admin.get(f"{url}?{query}")
        assert answer.status_code == 200, (query, answer.text)
    for name in ("from", "to"):
        for text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-23T12:00:00", "46349", "soon"):
            answer = await admin.get(url, params={name: text})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}"), text


NEVER = "0001-01-01T00:00:00Z"
"""What .NET makes of a date that was not set."""
ALWAYS = "9999-12-31T23:59:59.999999Z"
PLACES = {"pickup": {"lat": 59.931, "lon": 30.331}, "dropoff": {"lat": 59.94, "lon": 30.35}}


def with_stop(**facts):
    return PLACES | {"dropoff": PLACES["dropoff"] | facts}


@pytest.mark.parametrize(
    "at", [NEVER, ALWAYS, "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
async def test_no_order_and_no_shift_has_an_instant_that_nobody_can_mean(admin, at):
    order = (await admin.post("/v1/orders", json=PLACES)).json()
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "foot"})).json()
    shifts, now = f"/v1/couriers/{courier['id']}/shifts", "2026-11-23T12:00:00Z"
    pause = {"from": now, "to": at, "duration_s": 600}
    asked = [
        ("POST", "/v1/orders", PLACES | {"ready_at": at}, "/ready_at"),
        ("POST", "/v1/orders", with_stop(window={"from": at}), "/dropoff/window/from"),
        ("POST", "/v1/orders", with_stop(latest=at), "/dropoff/latest"),
        ("PATCH", f"/v1/orders/{order['id']}", {"ready_at": at}, "/ready_at"),
        ("PATCH", f"/v1/orders/{order['id']}", {"pickup": {"window": {"to": at}}}, "/pickup/window/to"),
        ("POST", shifts, {"starts_at": at, "ends_at": now}, "/starts_at"),
        ("POST", shifts, {"starts_at": now, "ends_at": at}, "/ends_at"),
        ("POST", shifts, {"starts_at": now, "ends_at": now, "breaks": [pause]}, "/breaks/0/to"),
        ("POST", "/v1/plans/windows", {"order": with_stop(latest=at)}, "/dropoff/latest"),
    ]
    for method, path, body, pointer in asked:
        answer = await admin.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-input"), (path, body, answer.text)
        assert pointer in [error["pointer"] for error in answer.json()["errors"]], (path, body, answer.text)
    for path in (shifts + "?ending_after=", "/v1/orders?placed_from=", "/v1/orders?placed_before="):
        assert (await admin.get(path + at.replace("+", "%2B"))).status_code == 400
    line = f"pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,ready_at\n59.9,30.3,59.91,30.31,{at}\n"
    imported = await admin.post("/v1/orders/import", content=line, headers={"content-type": "text/csv"})
    assert imported.json()["n_invalid"] == 1
