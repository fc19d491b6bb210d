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
