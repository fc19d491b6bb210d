"""How well a region was served: `GET /v1/reports/service-level`."""

import csv
import io
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.web.auth import Role
from tests.acceptance.test_orders import dispatcher, town

__all__ = ["dispatcher", "town"]

URL = "/v1/reports/service-level"


@pytest.fixture
async def served(town, dispatcher, database_url):
    """One order delivered in time, one waiting; and whose they are."""
    ana, phone = await town.hire("=Ana")
    promise = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    pickup = {"lat": 41.1496, "lon": -8.6109, "address": "Rua A, 1"}
    order = await town.accepted(phone, pickup=pickup, dropoff={"lat": 41.1579, "lon": -8.6291, "latest": promise})
    connection = await asyncpg.connect(database_url)
    for step in ("picked-up", "delivered"):
        assert (await phone.post(f"/v1/orders/{order['id']}/{step}")).status_code == 200
    # However quick or slow the machine is, the ride has taken its time.
    await connection.execute(
        "UPDATE orders SET (placed_at, assigned_at, accepted_at) = (began, began, began)"
        " FROM (SELECT delivered_at - interval '20 s' AS began FROM orders WHERE id = $1) AS ride WHERE id = $1",
        order["id"],
    )
    await connection.close()
    await town.stand(ana, {"lat": 0, "lon": 0})  # too far for the second
    await town.place(pickup=pickup)
    return ana


async def ask(client, **params):
    answer = await client.get(URL, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("by", ["hour", "day", "courier", "place"])
async def test_report_counts_what_happened(town, served, by):
    found = await ask(town.staff, by=by)
    assert (found["region"], found["timezone"], found["by"], found["left_out"]) == ("default", "UTC", by, 0)
    total = found["total"]
    assert (total["placed"], total["delivered"], total["promised"], total["on_time"]) == (2, 1, 1, 1)
    assert (total["on_time_pct"], total["lateness_s"]) == (100.0, None)
    assert (total["click_to_door_p50_s"], total["click_to_door_p90_s"]) == (20, 20)
    assert (total["offers_accepted"], total["offers_accepted_pct"]) == (1, 100.0)
    assert (total["busy_s"], total["worked_s"]) == (20, 20)
    assert total["utilisation_pct"] == 100.0
    assert sum(row["placed"] for row in found["items"]) == 2
    match by:
        case "courier":
            assert {(row["courier_id"], row["courier"]) for row in found["items"]} == {(served, "=Ana"), (None, None)}
        case "place":
            assert [row["place"] for row in found["items"]] == [{"lat": 41.1496, "lon": -8.6109, "address": "Rua A, 1"}]
        case _:
            starts = [datetime.fromisoformat(row["from"]) for row in found["items"]]
            assert starts == sorted(starts)
            assert len(starts) in ((24, 25) if by == "hour" else (1, 2))


async def test_report_as_csv_by_accept_or_by_name(town, served):
    for params, headers in (({"format": "csv"}, {}), ({}, {"Accept": "text/csv"})):
        answer = await town.staff.get(URL, params=params | {"by": "courier"}, headers=headers)
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert {(row["courier_id"], row["delivered"]) for row in rows} == {(served, "1"), ("", "0")}
        assert [row["courier"] for row in rows if row["courier"]] == ["'=Ana"]  # no formula
    plain = await town.staff.get(URL, params={"format": "json"}, headers={"Accept": "text/csv"})
    assert plain.json()["by"] == "day"


async def test_hours_are_those_of_the_region_s_clock(town, client_of):
    admin = await client_of(Role.ADMIN)
    await admin.patch("/v1/regions/default", json={"timezone": "Europe/Lisbon"})
    span = {"from": "2026-10-25T00:00:00+01:00", "to": "2026-10-26T00:00:00Z"}
    found = await ask(town.staff, by="hour", **span)
    starts = [row["from"] for row in found["items"]]
    assert len(starts) == 25
    assert starts[1:3] == ["2026-10-25T01:00:00+01:00", "2026-10-25T01:00:00Z"]
    assert [row["from"] for row in (await ask(town.staff, by="day", **span))["items"]] == ["2026-10-25T00:00:00+01:00"]


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/from"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/from"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-02-03T00:00:00Z", "by": "hour"}, "/from"),
        ({"from": "yesterday"}, "/from"),
        ({"region": "atlantis"}, "/region"),
        ({"by": "moon"}, "/by"),
    ],
)
async def test_what_cannot_be_reported_is_refused_with_its_pointer(town, params, pointer):
    answer = await town.staff.get(URL, params=params)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_couriers_see_no_report(town):
    _, phone = await town.hire("Ana")
    assert (await phone.get(URL)).status_code == 403
