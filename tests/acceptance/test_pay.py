"""Pay over HTTP: rules by version, the ledger, and what a courier sees of it."""

from datetime import UTC, datetime, timedelta

import asyncpg

from dispatch.pay.booking import Booking
from tests.acceptance.test_orders import dispatcher, town  # noqa: F401 - fixtures

RULES = """\
currency: EUR
rules:
  - {id: base, title: Each delivery, kind: amount, amount: 2.80}
  - {id: tips, kind: tips, share: 0.5}
"""


async def test_a_courier_earns_by_rules_and_people_put_right_what_was_wrong(town, dispatcher, admin, settings):  # noqa: F811
    refused = await admin.post("/v1/pay/rules", json={"rules": RULES.replace("2.80", "2.805")})
    assert refused.status_code == 400
    fault = "line 3, column 60: expected at most 2 digits after the point"
    assert refused.json()["errors"] == [{"pointer": "/rules", "detail": fault}]
    body = {"rules": RULES, "in_force_from": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
    first = await admin.post("/v1/pay/rules", json=body, headers={"Idempotency-Key": "1"})
    assert (first.status_code, first.json()["version"]) == (201, 1)
    again = await admin.post("/v1/pay/rules", json=body, headers={"Idempotency-Key": "1"})
    assert again.json() == first.json()
    other = await admin.post("/v1/pay/rules", json=body | {"rules": RULES.replace("EUR", "USD")})
    assert other.json()["errors"][0]["detail"].startswith("expected EUR")

    courier_id, phone = await town.hire("Ana")
    _, stranger = await town.hire("Ben", at=None)
    order = await town.place()
    await town.offered(phone, order["id"])
    [offer] = (await phone.get(f"/v1/couriers/{courier_id}/route")).json()["offers"]
    assert offer["pay"] == {"amount": 280, "currency": "EUR", "digits": 2}
    await phone.post(f"/v1/offers/{offer['id']}/accept")
    for step in ("picked-up", "delivered"):
        assert (await phone.post(f"/v1/orders/{order['id']}/{step}")).status_code == 200
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=2) as pool:
        await Booking(pool, town.redis).once()
    pay = (await phone.get(f"/v1/couriers/{courier_id}/pay", params={"from": body["in_force_from"]})).json()
    assert (pay["total"], pay["currency"], pay["digits"]) == (280, "EUR", 2)
    assert pay["sums"] == [{"rule": "base", "title": "Each delivery", "kind": "accrual", "amount": 280, "n": 1}]
    [entry] = pay["items"]
    assert (entry["order_id"], entry["version"], entry["facts"]) == (order["id"], 1, {})
    assert (await stranger.get(f"/v1/couriers/{courier_id}/pay")).status_code == 403
    assert (await town.staff.get(f"/v1/couriers/{courier_id}/pay")).status_code == 403

    tip = {"courier_id": courier_id, "kind": "tip", "amount": 101, "order_id": order["id"]}
    for _ in range(2):
        given = await admin.post("/v1/pay/entries", json=tip, headers={"Idempotency-Key": "tip"})
        assert (given.status_code, given.json()["amount"]) == (201, 51)
    wrong = await admin.post("/v1/pay/entries", json=tip | {"kind": "correction", "amount": -5})
    assert wrong.json()["errors"][0]["pointer"] == "/reason"
    path = f"/v1/pay/entries/{entry['id']}/reverse"
    back = await admin.post(path, json={"reason": "never happened"})
    assert (back.json()["amount"], back.json()["reverses"]) == (-280, entry["id"])
    assert (await admin.post(path, json={"reason": "never happened"})).status_code == 409
    since = {"from": body["in_force_from"]}
    items = (await admin.get("/v1/pay/entries", params=since | {"courier_id": courier_id})).json()["items"]
    assert [(one["kind"], one["amount"]) for one in items] == [("accrual", 280), ("tip", 51), ("reversal", -280)]
    lines = (await admin.get("/v1/pay/entries", params=since | {"format": "csv"})).text.splitlines()
    assert [line.rsplit(",", 2)[1:] for line in lines[1:]] == [["2.80", "EUR"], ["0.51", "EUR"], ["-2.80", "EUR"]]

    period = {
        "from": (datetime.now(UTC) - timedelta(days=1)).date().isoformat(),
        "to": datetime.now(UTC).date().isoformat(),
    }
    tried = await admin.post("/v1/pay/rules/simulate", json={"rules": RULES.replace("2.80", "3.00"), **period})
    assert tried.status_code == 200, tried.text
    shown = tried.json()
    assert (shown["booked"], shown["simulated"], shown["difference"]) == (280, 300, 20)
    assert [one["courier_id"] for one in shown["couriers"]] == [courier_id]


async def test_a_courier_writes_to_support_and_is_answered(town, client_of, admin):  # noqa: F811
    courier_id, phone = await town.hire("Ana")
    _, stranger = await town.hire("Ben", at=None)
    path = f"/v1/couriers/{courier_id}/messages"
    for _ in range(2):
        sent = await phone.post(path, json={"text": "My bag is torn"}, headers={"Idempotency-Key": "1"})
        assert (sent.status_code, sent.json()["role"]) == (201, "courier")
    assert (await phone.post(path, json={"text": "  "})).status_code == 400
    assert (await stranger.post(path, json={"text": "hello"})).status_code == 403
    assert (await stranger.get(path)).status_code == 403
    alerts = (await town.staff.get("/v1/alerts", params={"kind": "message"})).json()["items"]
    assert [(one["kind"], one["courier_id"], one["state"]) for one in alerts] == [("message", courier_id, "open")]
    assert (await town.staff.post(path, json={"text": "There is one at the depot"})).status_code == 201
    told = (await phone.get(path)).json()["items"]
    assert [(one["role"], one["text"]) for one in told] == [
        ("dispatcher", "There is one at the depot"),
        ("courier", "My bag is torn"),
    ]
    [over] = (await town.staff.get("/v1/alerts", params={"kind": "message", "state": "resolved"})).json()["items"]
    assert over["courier_id"] == courier_id
    done = (await admin.get("/v1/audit", params={"action": "courier.message"})).json()["items"]
    assert [one["role"] for one in done] == ["dispatcher", "courier"]
