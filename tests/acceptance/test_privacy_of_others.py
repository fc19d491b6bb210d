"""Recipients and staff may have what is held of them, and have it erased, but for what must be kept."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from tests.acceptance.test_orders import HOME, RESTAURANT, town  # noqa: F401 - fixtures

RITA = {"name": "Rita Zamora", "phone": "+351 912 345 678", "email": "rita@example.org"}
MARKS = ("Zamora", "912 345 678", "rita@example.org", "Rua do Almada", "Ring twice")


async def tables(pool):
    names = await pool.fetch(
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND table_name NOT IN (SELECT inhrelid::regclass::text FROM pg_inherits)"  # a day of positions
    )
    rows = {row["name"]: await pool.fetch(f'SELECT t::text AS row FROM "{row["name"]}" AS t') for row in names}
    return {name: "\n".join(row["row"] for row in found) for name, found in rows.items()}


def named_in(found, marks):
    return {table for table, text in found.items() if any(mark in text for mark in marks)}


async def test_of_a_recipient_nothing_is_left_once_the_orders_are_closed(town, admin, settings):  # noqa: F811
    door = HOME | {"address": "Rua do Almada 7", "instructions": "Ring twice", "contact": RITA}
    closed = await town.place(dropoff=door, external_id="shop-1")
    await town.staff.post(f"/v1/orders/{closed['id']}/share")
    await town.staff.post(f"/v1/orders/{closed['id']}/comments", json={"text": "Rita Zamora is not in"})
    await town.staff.post(f"/v1/orders/{closed['id']}/cancel", json={"reason": "test"})
    sent = await town.place(pickup=RESTAURANT | {"contact": RITA | {"name": "RITA zamora "}})
    other = await town.place(dropoff=HOME | {"contact": {"name": "Rita Zamorano"}})
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=2) as pool:
        # What is under way stays; what other systems were told is told without it.
        for contact in ("rita ZAMORA", "Rita@Example.org", "(+351) 912-345-678"):
            found = await admin.post("/v1/recipients/held", json={"contact": contact})
            assert (found.json()["orders"], found.json()["open"]) == (2, 1), contact
        for contact in ("Rita", "345678", "zamora"):
            found = await admin.post("/v1/recipients/held", json={"contact": contact})
            assert found.json()["orders"] == 0, contact
        assert (await admin.post("/v1/recipients/held", json={"contact": " "})).status_code == 400
        assert (await town.staff.post("/v1/recipients/held", json={"contact": "Rita"})).status_code == 403
        exported = await admin.post("/v1/recipients/export", json={"contact": RITA["phone"]})
        lines = {line["id"]: line for line in map(json.loads, exported.text.splitlines())}
        assert lines.keys() == {closed["id"], sent["id"]}
        assert lines[closed["id"]]["dropoff"]["address"] == "Rua do Almada 7"
        assert "dropoff" not in lines[sent["id"]]
        erased = await admin.post("/v1/recipients/erase", json={"contact": RITA["email"]})
        assert erased.json() == {"orders": 1, "open": 1}
        await town.staff.post(f"/v1/orders/{sent['id']}/cancel", json={"reason": "test"})
        erased = await admin.post("/v1/recipients/erase", json={"contact": RITA["email"]})
        assert erased.json() == {"orders": 1, "open": 0}
        await pool.execute("DELETE FROM idempotency_keys")  # forgotten within a day
        left = await tables(pool)
        left["orders"] = "\n".join(line for line in left["orders"].splitlines() if "Zamorano" not in line)
        left["outbox"] = "\n".join(line for line in left["outbox"].splitlines() if other["id"] not in line)
        assert named_in(left, MARKS) == set()
        events = await pool.fetch("SELECT data FROM outbox WHERE subject = $1", closed["id"])
        assert events
    assert (await town.order(closed["id"]))["external_id"] == "shop-1"
    assert (await town.order(other["id"]))["dropoff"]["contact"] == {"name": "Rita Zamorano"}


async def test_of_a_person_of_the_staff_the_name_is_left_where_it_must_be_known_who_did_it(admin, api, settings):
    made = await admin.post("/v1/users", json={"name": "Otto Quandt", "role": "dispatcher", "partner": "Quandt & Co"})
    user_id = made.json()["id"]
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=2) as pool:
        await pool.execute("INSERT INTO user_identities VALUES ('https://id.example', 'otto-7', $1)", user_id)
        await pool.execute(
            "INSERT INTO tokens (kind, role, name, prefix, hash, user_id, ip, agent)"
            " VALUES ('staff', 'dispatcher', 'session', 'p', sha256($1), $2, '198.51.100.7', 'OttoBrowser')",
            uuid4().bytes,
            user_id,
        )
        await pool.execute(
            "INSERT INTO audit_log (at, actor, role, action, subject, ip)"
            " VALUES ($1, 'dispatcher:Otto Quandt', 'dispatcher', 'order.cancel', 'order:1', '198.51.100.7')",
            datetime.now(UTC),
        )
        exported = await admin.get(f"/v1/users/{user_id}/export")
        records = [json.loads(line) for line in exported.text.splitlines()]
        assert [one["record"] for one in records] == ["user", "identity", "session", "audit"]
        assert not {"password_hash", "totp_secret", "hash"} & {name for one in records for name in one}
        assert (await admin.delete(f"/v1/users/{user_id}", params={"erase": True})).status_code == 204
        assert (await admin.get(f"/v1/users/{user_id}")).status_code == 404
        left = await tables(pool)
        assert named_in(left, ("otto-7", "198.51.100.7", "OttoBrowser", "Quandt & Co")) == set()
        assert named_in(left, ("Otto Quandt",)) == {"users", "audit_log"}
    # Done again it is the same, also of one who was removed before.
    assert (await admin.delete(f"/v1/users/{user_id}", params={"erase": True})).status_code == 204
    assert (await admin.delete(f"/v1/users/{user_id}")).status_code == 404
