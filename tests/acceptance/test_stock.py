"""Goods over HTTP: what a scanner tells, and what there is by that."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
import redis.asyncio as aioredis

from dispatch.stock.outbox import Outbox
from tests.acceptance.test_orders import HOME, dispatcher, town  # noqa: F401 - fixtures
from tests.acceptance.test_places import opened  # noqa: F401 - a fixture

GTIN = "09506000134352"


@pytest.fixture
async def told(settings):
    """What `housekeeping` does four times a second: what is remembered of places whose goods changed is let go."""
    async with (
        asyncpg.create_pool(settings.database_url, min_size=0, max_size=1) as pool,
        aioredis.Redis.from_url(settings.redis_url) as redis,
    ):
        yield Outbox(pool, redis).once


async def test_goods_are_scanned_in_and_out_late_repeated_and_wrong(town, opened):  # noqa: F811
    place, counter = await opened()
    kept = await town.staff.post("/v1/stock/items", json={"item": "cola", "gtin": GTIN[1:], "name": "Cola 0,33"})
    assert (kept.status_code, kept.json()["gtin"], kept.json()["unit"]) == (201, GTIN, "piece")
    twice = await town.staff.post("/v1/stock/items", json={"item": "cola"})
    assert (twice.status_code, twice.json()["code"]) == (409, "conflict")
    wrong = await town.staff.post("/v1/stock/items", json={"item": "beer", "gtin": "9506000134353"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/gtin")
    assert [one["item"] for one in (await counter.get("/v1/stock/items")).json()["items"]] == ["cola"]
    assert (await counter.post("/v1/stock/items", json={"item": "beer"})).status_code == 403

    stock = f"/v1/places/{place['id']}/stock"
    long_ago, soon = "200101", (datetime.now(UTC) + timedelta(days=40)).strftime("%y%m%d")
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    received = {"id": str(uuid4()), "kind": "receive", "barcode": f"01{GTIN}17{soon}10L1", "quantity": 12}
    movements = [
        received,
        received | {"id": str(uuid4()), "barcode": f"01{GTIN}17{long_ago}10OLD", "quantity": 3, "at": an_hour_ago},
        {"id": str(uuid4()), "kind": "ship", "item": "cola", "quantity": 13},
        {"id": str(uuid4()), "kind": "receive", "barcode": "05?"},
        {"id": str(uuid4()), "kind": "receive", "item": "wine"},
        {"id": str(uuid4()), "kind": "adjust", "item": "cola", "quantity": -1},
        {"id": str(uuid4()), "kind": "ship", "barcode": GTIN[1:]},
    ]
    done = (await counter.post(f"{stock}/movements", json={"movements": movements})).json()
    assert (done["n_done"], done["n_failed"]) == (3, 4)
    assert [one["status"] for one in done["results"]] == [200, 200, 409, 400, 404, 400, 200]
    problems = [one["problem"] for one in done["results"] if "problem" in one]
    assert [one["code"] for one in problems] == ["out-of-stock", "bad-input", "item-not-found", "bad-input"]
    assert problems[0]["missing"] == [{"item": "cola", "wanted": 13, "available": 12}]
    assert problems[1]["errors"][0]["pointer"] == "/movements/3/barcode"
    assert datetime.fromisoformat(done["results"][1]["at"]) == datetime.fromisoformat(an_hour_ago)
    assert done["results"][6]["parts"][0]["quantity"] == -1

    again = (await counter.post(f"{stock}/movements", json={"movements": movements[:1]})).json()
    assert (again["n_done"], again["results"][0]["repeated"]) == (1, True)
    (cola,) = (await counter.get(stock)).json()["items"]
    assert (cola["item"], cola["on_hand"], cola["available"]) == ("cola", 14, 11)
    assert [(one["lot"], one["quantity"], one["is_good"]) for one in cola["batches"]] == [
        ("OLD", 3, False),
        ("L1", 11, True),
    ]
    page = (await counter.get(f"{stock}/movements", params={"limit": 2})).json()
    rest = (await counter.get(f"{stock}/movements", params={"limit": 2, "cursor": page["next"]})).json()
    told = [(one["kind"], one["quantity"], one["lot"]) for one in page["items"] + rest["items"]]
    assert told == [("receive", 12, "L1"), ("receive", 3, "OLD"), ("ship", -1, "L1")]
    newest = (await counter.get(f"{stock}/movements", params={"limit": 2, "newest": "true"})).json()
    first = (await counter.get(f"{stock}/movements", params={"newest": "true", "cursor": newest["next"]})).json()
    assert [one["n"] for one in newest["items"] + first["items"]] == [
        one["n"] for one in reversed(page["items"] + rest["items"])
    ]
    only = [await counter.get(stock, params={"item": item}) for item in ("cola", "wine")]
    assert [[one["item"] for one in answer.json()["items"]] for answer in only] == [["cola"], []]

    # Counted: eleven of the one, none of the other.
    lines = [{"barcode": f"(01){GTIN}(10)L1", "quantity": 11}, {"item": "cola", "lot": "OLD", "quantity": 0}]
    counts, count_id = f"{stock}/counts", str(uuid4())
    told = await counter.post(counts, json={"id": count_id, "lines": lines})
    assert (told.status_code, sorted(told.json()), told.json()["state"]) == (
        201,
        ["at", "id", "n_lines", "state"],
        "open",
    )
    assert (await counter.get(counts)).status_code == 403, "whoever counts does not learn what is expected"
    assert (await counter.post(f"{counts}/{count_id}/approve")).status_code == 403
    (shown,) = (await town.staff.get(counts, params={"state": "open"})).json()["items"]
    assert [(one["lot"], one["difference"]) for one in shown["lines"]] == [("L1", 0), ("OLD", -3)]
    approved = await town.staff.post(f"{counts}/{count_id}/approve", json={"reason": "thrown away"})
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    again = await town.staff.post(f"{counts}/{count_id}/reject")
    assert (again.status_code, again.json()["code"]) == (409, "count-decided")
    assert (await counter.get(stock)).json()["items"][0]["on_hand"] == 11

    other, _ = await opened(name="Other")
    for path in ("", "/movements"):
        assert (await counter.get(f"/v1/places/{other['id']}/stock{path}")).status_code == 404
    theirs = await counter.post(f"/v1/places/{other['id']}/stock/movements", json={"movements": movements})
    assert (theirs.status_code, theirs.json()["code"]) == (404, "place-not-found")
    item = f"/v1/stock/items/{kept.json()['id']}"
    assert (await town.staff.patch(item, json={"name": "Cola"})).json()["name"] == "Cola"
    in_stock = await town.staff.delete(item)
    assert (in_stock.status_code, in_stock.json()["place_ids"]) == (409, [place["id"]])
    rest = {"kind": "adjust", "item": "cola", "quantity": -11, "reason": "thrown away", "id": str(uuid4())}
    assert (await counter.post(f"{stock}/movements", json={"movements": [rest]})).json()["n_done"] == 1
    assert (await town.staff.delete(item)).status_code == 204
    assert (await counter.get(stock)).json()["items"] == []


async def test_orders_take_goods_that_run_out_and_a_courier_says_what_was_missing(town, opened, dispatcher, told):  # noqa: F811
    place, counter = await opened(prepare_s=0)
    stock = f"/v1/places/{place['id']}/stock"
    await town.staff.post("/v1/stock/items", json={"item": "cola"})
    some = {"id": str(uuid4()), "kind": "receive", "item": "cola", "quantity": 5}
    assert (await counter.post(f"{stock}/movements", json={"movements": [some]})).json()["n_done"] == 1
    ordered = {"pickup": {"place_id": place["id"]}, "lines": [{"item": "cola", "quantity": 3}, {"item": "soup"}]}

    _, phone = await town.hire("Ana")
    order = await town.accepted(phone, external_id="first", **ordered)
    refused = await town.staff.post("/v1/orders", json={"dropoff": HOME} | ordered)
    assert (refused.status_code, refused.json()["code"]) == (409, "out-of-stock")
    assert refused.json()["missing"] == [{"item": "cola", "wanted": 3, "available": 2}]
    repeated = await town.staff.post("/v1/orders", json={"dropoff": HOME, "external_id": "first"} | ordered)
    assert (repeated.status_code, repeated.json()["code"]) == (409, "conflict")
    assert repeated.json()["id"] == order["id"]

    async def cola():
        await told()
        (found,) = (await counter.get(stock)).json()["items"]
        return found["on_hand"], found["reserved"], found["available"]

    assert await cola() == (5, 3, 2)
    picked_up = f"/v1/orders/{order['id']}/picked-up"
    wrong = await phone.post(picked_up, json={"missing": [{"item": "cola", "quantity": 4}]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/missing/0")
    gone = await phone.post(picked_up, json={"missing": [{"item": "cola"}, {"item": "soup"}]})
    assert gone.json()["state"] == "picked_up", gone.text
    assert await cola() == (3, 0, 3)
    events = (await town.staff.get(f"/v1/orders/{order['id']}/events")).json()["items"]
    (collected,) = [one for one in events if one["action"] == "picked_up"]
    assert collected["facts"]["missing"] == [{"item": "cola", "quantity": 1}, {"item": "soup", "quantity": 1}]

    assert (await phone.post(f"/v1/orders/{order['id']}/failed", json={"reason": "nobody there"})).status_code == 200
    assert (await phone.post(f"/v1/orders/{order['id']}/returned")).json()["state"] == "returned"
    assert await cola() == (5, 0, 5)
    again = await town.staff.post(f"/v1/orders/{order['id']}/retry", json={"reason": "at home now"})
    assert again.status_code == 200, again.text
    assert await cola() == (5, 3, 2)
    await town.staff.post(f"/v1/orders/{order['id']}/cancel")
    assert await cola() == (5, 0, 5)
