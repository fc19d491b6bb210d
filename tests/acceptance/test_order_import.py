"""Batches of orders, and the recipient's link."""

import json

import pytest

from app.web.auth import Role
from tests.acceptance.test_orders import HOME, MINIMAL, RESTAURANT, dispatcher, town

__all__ = ["dispatcher", "town"]

CSV = """external_id,pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,dropoff_to,dropoff_hard,units,mode,skills
C-1,41.1496,-8.6109,41.1579,-8.6291,2036-01-01T12:00:00Z,true,2,car;bicycle,cold;tall
C-2,41.1496,-8.6109,,,,,,,
C-3,41.1496,-8.6109,41.1579,-8.6291,,,,boat,
"""


async def send(town, body, kind, **headers):
    answer = await town.staff.post("/v1/orders/import", content=body, headers={"Content-Type": kind} | headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_ndjson_batch_tells_of_every_line(town):
    lines = [MINIMAL | {"external_id": "A"}, {"pickup": RESTAURANT}, MINIMAL | {"external_id": "A"}, MINIMAL]
    told = await send(town, "\n".join(map(json.dumps, lines)) + "\n{", "application/x-ndjson")
    assert [result["status"] for result in told["results"]] == ["created", "invalid", "exists", "created", "invalid"]
    assert "dropoff" in told["results"][1]["error"]
    assert told["results"][2]["id"] == told["results"][0]["id"]
    assert (told["n_created"], told["n_exist"], told["n_invalid"]) == (2, 1, 2)
    assert len((await town.staff.get("/v1/orders")).json()["items"]) == 2


async def test_csv_batch_tells_of_every_line(town):
    told = await send(town, CSV, "text/csv")
    assert [(result["line"], result["status"]) for result in told["results"]] == [
        (2, "created"),
        (3, "invalid"),
        (4, "invalid"),
    ]
    order = await town.order(told["results"][0]["id"])
    assert order["size"] == {"units": 2}
    assert (order["mode"], order["skills"]) == (["bicycle", "car"], ["cold", "tall"])
    assert order["dropoff"]["window"] == {"to": "2036-01-01T12:00:00Z", "hard": True}


async def test_batch_is_looked_at_before_anything_is_placed(town):
    await send(town, json.dumps(MINIMAL | {"external_id": "B"}), "application/x-ndjson")
    lines = [MINIMAL | {"external_id": "A"}, MINIMAL | {"external_id": "A"}, MINIMAL | {"external_id": "B"}, {}]
    body = "\n".join(map(json.dumps, lines))
    answer = await town.staff.post(
        "/v1/orders/import?preview=true", content=body, headers={"Content-Type": "application/x-ndjson"}
    )
    looked = answer.json()
    assert [(one["status"], "id" in one) for one in looked["results"]] == [
        ("created", False),
        ("exists", False),
        ("exists", True),
        ("invalid", False),
    ]
    assert len((await town.staff.get("/v1/orders")).json()["items"]) == 1
    told = await send(town, body, "application/x-ndjson")
    assert [one["status"] for one in told["results"]] == [one["status"] for one in looked["results"]]


async def test_one_odd_line_hinders_no_other_through_the_database(town):
    header = "external_id,pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,dropoff_address,ready_at"
    rows = [f"r{i},59.93,30.33,59.94,30.35,{address}" for i, address in enumerate(["a", "b\x00b", '"c "d"', "e"])]
    rows.append("r4,59.93,30.33,59.94,30.35,f,0001-01-01T00:00:00Z")
    told = await send(town, "\r\n".join([header, *rows]), "text/csv")
    assert [result["status"] for result in told["results"]] == ["created", "invalid", "invalid", "created", "invalid"]
    line = json.dumps(MINIMAL | {"customer_id": "x\x00y"})
    told = await send(town, f"{json.dumps(MINIMAL)}\n{line}", "application/x-ndjson")
    assert (told["n_created"], told["n_invalid"]) == (1, 1)
    told = await send(town, line, "application/x-ndjson")
    assert told["n_invalid"] == 1


async def test_batch_sent_again_with_its_key_creates_nothing_more(town):
    body = json.dumps(MINIMAL)
    first = await send(town, body, "application/x-ndjson", **{"Idempotency-Key": "batch"})
    again = await send(town, body, "application/x-ndjson", **{"Idempotency-Key": "batch"})
    assert first == again
    assert len((await town.staff.get("/v1/orders")).json()["items"]) == 1


async def test_batch_of_an_unknown_kind_is_refused(town):
    answer = await town.staff.post("/v1/orders/import", content="x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400


async def test_link_shows_the_order_only_until_it_is_delivered(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone, dropoff=HOME | {"address": "Rua <1>", "contact": {"phone": "123"}})
    link = (await town.staff.post(f"/v1/orders/{order['id']}/share")).json()
    recipient = await town.client_of(Role.VIEWER)
    recipient.headers.pop("Authorization")
    seen = (await recipient.get(link["url"])).json()
    assert seen["state"] == "accepted"
    assert "courier" not in seen
    assert "123" not in json.dumps(seen)
    await phone.post(f"/v1/orders/{order['id']}/picked-up")
    seen = (await recipient.get(link["url"])).json()
    assert seen["courier"]["lat"] == pytest.approx(RESTAURANT["lat"])
    assert seen["eta"]["p50"]
    page = await recipient.get(link["url"], headers={"Accept": "text/html"})
    assert "Rua &lt;1&gt;" in page.text
    await phone.post(f"/v1/orders/{order['id']}/delivered")
    assert (await recipient.get(link["url"])).status_code == 404
    assert (await recipient.get("/t/nonsense")).status_code == 404
