"""Places over HTTP: what they make, what they say of it, and who may."""

from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from app.web.auth import Role
from tests.acceptance.test_access import ALL, filled
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town  # noqa: F401 - fixtures

KITCHEN = {
    "name": "Adega",
    **RESTAURANT,
    "address": "Rua das Flores 1",
    "contact": {"phone": "+351 200 000 000"},
    "prepare_s": 600,
    "recipes": [{"item": "bacalhau", "minutes": 20}],
}
TOLERANCE = timedelta(minutes=5)
"""Longer than any machine takes between the steps of a test."""


@pytest.fixture
def opened(town, client_of):  # noqa: F811
    """A place, and a client with its token."""

    async def open_one(**facts):
        made = await town.staff.post("/v1/places", json=KITCHEN | facts)
        assert made.status_code == 201, made.text
        place = made.json()
        issued = await town.staff.post(f"/v1/places/{place['id']}/tokens")
        assert issued.status_code == 201, issued.text
        counter = await client_of(Role.VIEWER)
        counter.headers["Authorization"] = f"Bearer {issued.json()['token']}"
        return place, counter

    return open_one


def instant(text):
    return datetime.fromisoformat(text)


async def ordered(town, place, **facts):  # noqa: F811
    return await town.place(pickup={"place_id": place["id"]}, **facts)


async def test_a_place_makes_what_is_ordered_and_dispatch_goes_by_what_it_says(town, opened, settings):  # noqa: F811
    place, counter = await opened()
    first = await ordered(town, place, lines=[{"item": "bacalhau", "quantity": 1}])
    assert first["pickup"]["place_id"] == place["id"]
    assert (first["pickup"]["lat"], first["pickup"]["address"]) == (RESTAURANT["lat"], "Rua das Flores 1")
    assert first["ready_is_estimate"]
    took = instant(first["ready_at"]) - instant(first["placed_at"])
    assert timedelta(minutes=20) - TOLERANCE < took < timedelta(minutes=20) + TOLERANCE
    second = await ordered(town, place, external_id="two")
    assert instant(second["ready_at"]) > instant(first["ready_at"]) + timedelta(minutes=5), "one after the other"

    tasks = (await counter.get(f"/v1/places/{place['id']}/tasks")).json()["items"]
    assert [(one["order_id"], one["state"]) for one in tasks] == [(first["id"], "waiting"), (second["id"], "waiting")]
    assert tasks[0]["lines"] == [{"item": "bacalhau"}]
    assert instant(tasks[1]["starts_at"]) >= instant(tasks[0]["ends_at"])

    at = f"/v1/places/{place['id']}/tasks/{first['id']}"
    for _ in range(2):
        assert (await counter.post(f"{at}/start")).json()["state"] == "started"
    key = {"Idempotency-Key": "late"}
    for _ in range(2):
        delayed = await counter.post(f"{at}/delay", json={"minutes": 30, "reason": "oven"}, headers=key)
        assert delayed.status_code == 200, delayed.text
    told = [await town.order(one["id"]) for one in (first, second)]
    assert abs(instant(told[0]["ready_at"]) - instant(first["ready_at"]) - timedelta(minutes=30)) < TOLERANCE
    assert instant(told[1]["ready_at"]) > instant(told[0]["ready_at"]) + timedelta(minutes=5), "it waits behind"

    # Staff say that the other one is wanted later still: the place's next word leaves it at that.
    much_later = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    asked = await town.staff.patch(f"/v1/orders/{second['id']}", json={"ready_at": much_later})
    assert asked.status_code == 200, asked.text
    await counter.post(f"{at}/delay", json={"minutes": 1})
    assert instant((await town.order(second["id"]))["ready_at"]) == instant(much_later)
    await town.staff.patch(f"/v1/orders/{second['id']}", json={"ready_at": None})

    for _ in range(2):
        assert (await counter.post(f"{at}/ready")).json()["state"] == "ready"
    ready, waiting = [await town.order(one["id"]) for one in (first, second)]
    assert not ready.get("ready_is_estimate", False)
    assert instant(ready["ready_at"]) <= datetime.now(UTC)
    assert instant(waiting["ready_at"]) < datetime.now(UTC) + timedelta(minutes=10) + TOLERANCE
    assert "change" in await town.actions(first["id"])

    wrong = await counter.post(f"/v1/places/{place['id']}/tasks/{second['id']}/problem", json={"text": "no more fish"})
    assert (wrong.json()["problem"], wrong.status_code) == ("no more fish", 200)
    comments = (await town.staff.get(f"/v1/orders/{second['id']}/comments")).json()["items"]
    assert [one["text"] for one in comments] == ["Adega: no more fish"]
    tasks = (await counter.get(f"/v1/places/{place['id']}/tasks")).json()["items"]
    assert {one["order_id"]: one["cannot"] for one in tasks} == {first["id"]: None, second["id"]: "problem"}
    await town.staff.post(f"/v1/orders/{second['id']}/cancel")
    assert (await counter.post(f"/v1/places/{place['id']}/tasks/{second['id']}/ready")).status_code == 409

    connection = await asyncpg.connect(settings.database_url)
    types = await connection.fetch("SELECT type FROM outbox WHERE type LIKE 'postrider.place.%' ORDER BY n")
    await connection.close()
    assert [row["type"] for row in types] == [*["postrider.place.delayed"] * 2, "postrider.place.task_ready"]


async def test_a_place_sees_and_says_its_own_and_nothing_else(town, opened):  # noqa: F811
    place, counter = await opened()
    other, _ = await opened(name="Other")
    theirs = await ordered(town, other)
    assert [one["id"] for one in (await counter.get("/v1/places")).json()["items"]] == [place["id"]]
    for path in ("", "/tasks"):
        assert (await counter.get(f"/v1/places/{other['id']}{path}")).status_code == 404
    said = await counter.post(f"/v1/places/{other['id']}/tasks/{theirs['id']}/ready")
    assert (said.status_code, said.json()["code"]) == (404, "place-not-found")
    said = await counter.post(f"/v1/places/{place['id']}/tasks/{theirs['id']}/ready")
    assert (said.status_code, said.json()["code"]) == (404, "order-not-found")
    for path, method, handler in ALL:
        is_theirs = any(Role.PLACE in getattr(guard, "postrider_also", ()) for guard in handler.guards or ())
        if not is_theirs and not handler.opt.get("public", False):
            answer = await counter.request(method, filled(path))
            assert (path, method, answer.status_code) == (path, method, 403)


async def test_what_a_full_or_paused_place_takes_and_when(town, opened):  # noqa: F811
    place, counter = await opened(max_queue=1)
    before = await town.staff.post(
        "/v1/plans/windows", json={"order": {"pickup": {"place_id": place["id"]}, "dropoff": HOME}}
    )
    assert before.status_code == 200, before.text
    order = await ordered(town, place)
    full = await town.staff.post("/v1/orders", json={"pickup": {"place_id": place["id"]}, "dropoff": HOME})
    assert (full.status_code, full.json()["code"], full.json()["n_waiting"]) == (409, "place-full", 1)
    paused = await counter.post(f"/v1/places/{place['id']}/pause", json={"minutes": 60})
    assert instant(paused.json()["paused_until"]) > datetime.now(UTC)
    hour_later = instant((await town.order(order["id"]))["ready_at"])
    assert abs(hour_later - instant(order["ready_at"]) - timedelta(hours=1)) < TOLERANCE
    again = await counter.post(f"/v1/places/{place['id']}/pause", json={"minutes": 0})
    assert again.json()["paused_until"] is None
    assert instant((await town.order(order["id"]))["ready_at"]) < hour_later - timedelta(minutes=50)


async def test_a_place_is_changed_in_part_and_removed_when_nothing_waits_there(town, opened):  # noqa: F811
    place, _ = await opened(external_id="adega")
    twice = await town.staff.post("/v1/places", json=KITCHEN | {"external_id": "adega"})
    assert (twice.status_code, twice.json()["code"]) == (409, "conflict")
    for wrong, pointer in (
        ({"hours": [{"from": "10:00", "to": "10:00"}]}, "/hours"),
        ({"recipes": [{"item": "a", "minutes": 1}, {"item": "a", "minutes": 2}]}, "/recipes"),
    ):
        refused = await town.staff.patch(f"/v1/places/{place['id']}", json=wrong)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, pointer)
    changed = await town.staff.patch(f"/v1/places/{place['id']}", json={"capacity": 3}, headers={"If-Match": '"1"'})
    assert (changed.json()["capacity"], changed.json()["name"], changed.headers["ETag"]) == (3, "Adega", '"2"')
    late = await town.staff.patch(f"/v1/places/{place['id']}", json={"capacity": 4}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (409, "version-conflict")
    order = await ordered(town, place)
    in_use = await town.staff.delete(f"/v1/places/{place['id']}")
    assert (in_use.status_code, in_use.json()["order_ids"]) == (409, [order["id"]])
    await town.staff.post(f"/v1/orders/{order['id']}/cancel")
    assert (await town.staff.delete(f"/v1/places/{place['id']}")).status_code == 204
    gone = await town.staff.post("/v1/orders", json={"pickup": {"place_id": place["id"]}, "dropoff": HOME})
    assert gone.json()["errors"][0]["pointer"] == "/pickup/place_id"
    lines = await town.staff.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": HOME, "lines": [{"item": "a"}]})
    assert lines.json()["errors"][0]["pointer"] == "/lines"


async def test_a_place_comes_in_by_a_link_that_works_once(town, opened, api, admin):  # noqa: F811
    place, _ = await opened(name="Taberna")
    made = await town.staff.post(f"/v1/places/{place['id']}/invitations")
    assert made.status_code == 201, made.text
    url, page = made.json()["url"], {"Accept": "text/html", "Accept-Language": "en"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://postrider") as tablet:
        for _ in range(2):
            shown = await tablet.get(url, headers=page)
            assert (shown.status_code, "Taberna" in shown.text, "set-cookie" in shown.headers) == (200, True, False)
        assert (await tablet.post(url, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
        answers = [await tablet.post(url, headers=page) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 404]
        assert answers[0].headers["location"] == "/place"
        assert [one["id"] for one in (await tablet.get("/v1/places")).json()["items"]] == [place["id"]]
        assert (await tablet.get("/v1/me")).status_code == 403
        assert (await tablet.post(f"/v1/places/{place['id']}/pause", json={"minutes": 5})).status_code == 401
        ours = {"Sec-Fetch-Site": "same-origin"}
        paused = await tablet.post(f"/v1/places/{place['id']}/pause", json={"minutes": 5}, headers=ours)
        assert paused.status_code == 200
        courier = await town.staff.post("/v1/couriers", json={"name": "Ana", "mode": "foot"})
        other = (await town.staff.post(f"/v1/couriers/{courier.json()['id']}/invitations")).json()["url"]
        assert (await tablet.post(f"{other}/place")).status_code == 404
        rows = (await admin.get("/v1/audit", params={"subject": f"place:{place['id']}"})).json()["items"]
        assert [row["action"] for row in rows if row["role"] == "place"] == ["place.pause", "session.begin"]
        await town.staff.delete(f"/v1/places/{place['id']}")
        assert (await tablet.post(url, headers=page)).status_code == 404
