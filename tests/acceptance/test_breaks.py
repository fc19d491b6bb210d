"""Breaks over HTTP: told, recorded, taken once, and known to the plan and to arrivals."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest_asyncio

from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town  # noqa: F401 - fixtures
from tests.waiting import until
from tracking import events

MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def rows(database_url):
    connection = await asyncpg.connect(database_url)
    yield connection.fetch
    await connection.close()


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_break_is_recorded_with_the_time_of_the_phone_and_told_to_listeners(town):  # noqa: F811
    ana, phone = await town.hire("Ana")
    url = f"/v1/couriers/{ana}/breaks"
    began = datetime.now(UTC) - 40 * MINUTE
    ended = began + 20 * MINUTE
    first = await phone.post(f"{url}/start", json={"at": began.isoformat(), "duration_s": 1800})
    assert first.status_code == 200, first.text
    assert instant(first.json()["began_at"]) == began
    assert instant(first.json()["until"]) == began + 30 * MINUTE
    again = await phone.post(f"{url}/start")
    assert again.json()["id"] == first.json()["id"]
    over = await phone.post(f"{url}/end", json={"at": ended.isoformat()})
    assert instant(over.json()["ended_at"]) == ended
    assert (await phone.post(f"{url}/end")).json() == over.json()
    # Not before the break before has ended, whatever the phone says.
    second = await town.staff.post(f"{url}/start", json={"at": began.isoformat()})
    assert instant(second.json()["began_at"]) == ended
    listed = (await phone.get(url)).json()["items"]
    assert [rest["id"] for rest in listed] == [first.json()["id"], second.json()["id"]]
    told = await events.read(town.redis, "default", after=events.START)
    told = [event.type for event in told if "break" in event.type]
    assert told == ["courier.break_started", "courier.break_ended", "courier.break_started"]


async def test_only_the_courier_and_support_tell_of_breaks_and_only_of_those_there_can_be(town, client_of):  # noqa: F811
    ana, phone = await town.hire("Ana")
    _, other = await town.hire("Rui")
    url = f"/v1/couriers/{ana}/breaks"
    assert (await other.post(f"{url}/start")).status_code == 403
    assert (await other.get(url)).status_code == 403
    assert (await phone.post(f"{url}/end")).json()["code"] == "no-break"
    bad = await phone.post(f"{url}/start", json={"at": "0001-01-01T00:00:00+14:00"})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/at")
    assert (await phone.post(f"{url}/start")).status_code == 200
    assert (await phone.post(f"/v1/couriers/{ana}/off-duty")).status_code == 200
    [rest] = (await phone.get(url)).json()["items"]
    assert "ended_at" in rest
    refused = await phone.post(f"{url}/start")
    assert (refused.status_code, refused.json()["code"]) == (409, "not-at-work")


async def test_nothing_is_offered_on_a_break_and_what_was_offered_is_taken_back(town, dispatcher):  # noqa: F811
    ana, phone = await town.hire("Ana")
    first = await town.place()
    await town.offered(phone, first["id"])
    await phone.post(f"/v1/couriers/{ana}/breaks/start", json={"duration_s": 1800})
    assert (await town.order(first["id"]))["state"] == "placed"
    rui, other = await town.hire("Rui", HOME)
    await town.offered(other, first["id"])
    await town.staff.post(f"/v1/couriers/{rui}/off-duty")
    await town.staff.post(f"/v1/orders/{first['id']}/cancel")
    second = await town.place()

    async def thought_of():
        planned = await town.staff.get(f"/v1/couriers/{ana}/route", params={"planned": True})
        return second["id"] in {stop["order_id"] for stop in planned.json()["stops"]}

    await until(thought_of)  # for after the break
    assert (await phone.get("/v1/offers", params={"state": "open"})).json()["items"] == []
    await phone.post(f"/v1/couriers/{ana}/breaks/end")
    await town.offered(phone, second["id"])


async def test_arrivals_know_of_a_break_and_say_so(town, dispatcher, rows):  # noqa: F811
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    now = datetime.now(UTC)
    eta = (await town.staff.get(f"/v1/orders/{order['id']}/eta")).json()
    assert instant(eta["p50"]) < now + 25 * MINUTE
    await phone.post(f"/v1/couriers/{ana}/breaks/start", json={"duration_s": 1800})

    async def told_later():
        eta = (await town.staff.get(f"/v1/orders/{order['id']}/eta")).json()
        return instant(eta["p50"]) > now + 30 * MINUTE and "on_break" in eta["warnings"]

    await until(told_later)

    async def planned_later():
        [row] = await rows("SELECT (stops -> 0 ->> 'arrives_at')::int AS at FROM routes WHERE courier_id = $1", ana)
        return row["at"] >= int((now + 30 * MINUTE).timestamp())

    await until(planned_later)


async def test_planned_break_is_taken_once(town, dispatcher, rows):  # noqa: F811
    ana, phone = await town.hire("Ana")
    now = datetime.now(UTC)
    # The window closes soon: nothing can be delivered before the break.
    pauses = [
        {"from": (now + 200 * MINUTE).isoformat(), "to": (now + 210 * MINUTE).isoformat(), "duration_s": 600},
        {"from": (now - 10 * MINUTE).isoformat(), "to": (now + 5 * MINUTE).isoformat(), "duration_s": 1800},
    ]
    shift = {"starts_at": (now - 60 * MINUTE).isoformat(), "ends_at": (now + 240 * MINUTE).isoformat()}
    answer = await town.staff.post(f"/v1/couriers/{ana}/shifts", json=shift | {"breaks": pauses})
    assert answer.status_code == 201, answer.text
    order = await town.place(pickup=RESTAURANT | {"service_s": 0})

    async def planned_at():
        found = await rows(
            "SELECT (stop ->> 'arrives_at')::int AS at, stop ->> 'break_s' AS break_s FROM routes,"
            " jsonb_array_elements(stops) AS stop WHERE stop ->> 'order_id' = $1 AND stop ->> 'kind' = 'pickup'",
            order["id"],
        )
        return found[0] if found else None

    before = await until(planned_at)
    assert before["break_s"] == "1800"
    assert before["at"] >= int((now + 30 * MINUTE).timestamp())
    shown = (await town.staff.get(f"/v1/couriers/{ana}/route", params={"planned": True})).json()["stops"]
    assert shown[0]["break_s"] == 1800
    assert instant(shown[0]["break_at"]) <= instant(shown[0]["eta"]["p50"]) - 30 * MINUTE
    began = await phone.post(f"/v1/couriers/{ana}/breaks/start")
    assert began.json()["planned"]["duration_s"] == 1800
    await phone.post(f"/v1/couriers/{ana}/breaks/end")
    await town.offered(phone, order["id"])
    after = await planned_at()
    assert after["break_s"] is None
    assert after["at"] < (now + 25 * MINUTE).timestamp()
    second = (await phone.post(f"/v1/couriers/{ana}/breaks/start")).json()
    assert "planned" not in second
