"""What administrators ask of the installation itself."""

import csv
import io
from datetime import UTC, datetime, timedelta

from app.machine.finding import Result


async def test_check_says_what_the_command_line_says_and_asks_once_for_many(api, admin):
    told = (await admin.get("/v1/installation/check")).json()
    by_name = {one["what"]: one for one in told["items"]}
    assert by_name["schema"]["ok"]
    assert by_name["appendonly"]["found"]
    assert told["ok"] == all(one["ok"] for one in told["items"])
    asked = []

    async def look():
        asked.append(1)
        return [Result("database", "does not answer", ok=False)]

    api.state.checkup = type(api.state.checkup)(look)
    for _ in range(3):
        told = (await admin.get("/v1/installation/check")).json()
    assert (told["ok"], [one["found"] for one in told["items"]], len(asked)) == (False, ["does not answer"], 1)


async def test_what_is_kept_how_long_is_what_is_set(admin):
    items = (await admin.get("/v1/installation/retention")).json()["items"]
    days = {one["setting"]: one["days"] for one in items}
    assert days["POSTRIDER_RETENTION_RAW_DAYS"] == 30
    assert days["POSTRIDER_RETENTION_PAY_DAYS"] == 3650
    assert len(days) == 9


async def test_the_audit_log_is_had_by_span_and_as_a_file(admin):
    for name in ("Al", "Bo"):
        await admin.post("/v1/users", json={"name": name, "role": "viewer", "password": "seven rivers of stone"})
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    async def rows(since, until):
        asked = {"action": "user.add", "from": since.isoformat(), "to": until.isoformat()}
        page = (await admin.get("/v1/audit", params=asked)).json()["items"]
        file = await admin.get("/v1/audit", params={**asked, "format": "csv"})
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        read = list(csv.DictReader(io.StringIO(file.text)))
        assert [row["id"] for row in read] == [str(entry["id"]) for entry in page]
        return read

    assert [row["action"] for row in await rows(now - hour, now + hour)] == ["user.add"] * 2
    assert await rows(now - 2 * hour, now - hour) == []
    assert await rows(now + hour, now + 2 * hour) == []
    refused = await admin.get("/v1/audit", params={"from": "yesterday"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/from")


async def test_tokens_are_listed_by_kind_and_by_whether_they_work(admin):
    made = {}
    for role in ("viewer", "service"):
        made[role] = (await admin.post("/v1/tokens", json={"role": role, "name": role})).json()["id"]

    async def listed(**asked):
        return {one["id"] for one in (await admin.get("/v1/tokens", params=asked)).json()["items"]}

    assert made["viewer"] in await listed(kind="staff")
    assert await listed(kind="service") == {made["service"]}
    assert await listed(kind="session") == set()
    assert await listed(kind="service", active=True) == {made["service"]}
    await admin.delete(f"/v1/tokens/{made['service']}")
    assert await listed(kind="service", active=True) == set()
    assert await listed(kind="service") == {made["service"]}
