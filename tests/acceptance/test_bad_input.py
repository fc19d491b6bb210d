"""What nobody can mean is refused with a pointer, wherever it enters; nothing of it is a defect of the server."""

import base64
import json

import pytest

from tests.described import described

PLACE = {"lat": 41.15, "lon": -8.61}
ORDER = {"pickup": PLACE, "dropoff": PLACE}
NOBODY = "00000000-0000-0000-0000-000000000001"


def refused(answer):
    """The pointers of a refusal."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "bad-input"
    return [error["pointer"] for error in answer.json()["errors"]]


def operations(parameter):
    """Method and path of every operation with that parameter."""
    schema = described().openapi_schema.to_schema()
    found = [
        (method, path)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        for one in operation.get("parameters", [])
        if one["name"] == parameter
    ]
    assert found
    return sorted(found)


def filled(path):
    """The path with an id, a name for each of its parameters."""
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + NOBODY + rest.partition("}")[2]
    return path


def cursor(*key):
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


CURSORS = [
    "x" * 5000,
    "é",
    "\x00",
    cursor(),
    cursor({}),
    cursor(2**63),
    cursor(-1),
    cursor(10**400),
    cursor("0001-01-01T00:00:00+14:00"),
    cursor("9999-12-31T23:59:59-12:00"),
    cursor("2026-01-01T00:00:00"),
    cursor("0001-01-01T00:00:00+14:00", NOBODY),
    cursor("9999-12-31T23:59:59-12:00", NOBODY),
    cursor("2026-01-01T00:00:00", NOBODY),
    cursor("2026-01-01T00:00:00Z", NOBODY, NOBODY, "\x00"),
]


@pytest.mark.parametrize(("method", "path"), operations("cursor"))
async def test_a_made_up_cursor_is_refused(admin, method, path):
    for made_up in CURSORS:
        answer = await admin.request(method, filled(path), params={"cursor": made_up})
        if answer.status_code != 404:  # of a thing that is not there
            assert refused(answer)[0] == "/cursor"


@pytest.mark.parametrize(("method", "path"), operations("If-Match"))
async def test_a_made_up_version_is_refused(admin, method, path):
    things, body = ("couriers", {"name": "A", "mode": "car"}) if "/couriers" in path else ("orders", ORDER)
    thing = (await admin.post(f"/v1/{things}", json=body)).json()
    change = {"name": "Ana", "priority": 1, "courier_id": NOBODY, "reason": "why", "pinned": True}
    for made_up in ('"x"', "9" * 5000, str(2**31), "-1", "1_0", "٣", '""', "1.5"):
        headers = {"If-Match": made_up.encode()}
        answer = await admin.request(method, filled(path).replace(NOBODY, thing["id"]), json=change, headers=headers)
        assert refused(answer) == ["/If-Match"], made_up


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/couriers", {"name": "A\x00", "mode": "car"}, "/name"),
        ("/v1/couriers", {"name": "A", "mode": "car", "skills": ["a", "\x00"]}, "/skills/1"),
        ("/v1/couriers", {"name": "A", "mode": "car", "attributes": {"a/b": {"~": ["\x00"]}}}, "/attributes/a~1b/~0/0"),
        ("/v1/couriers", {"name": "A", "mode": "car", "attributes": {"\x00": 1}}, "/attributes"),
        ("/v1/orders", ORDER | {"dropoff": PLACE | {"address": "\x00"}}, "/dropoff/address"),
        ("/v1/orders", ORDER | {"external_id": "\x00"}, "/external_id"),
        ("/v1/orders", ORDER | {"ready_error_s": 2**40}, "/ready_error_s"),
        ("/v1/orders", ORDER | {"ready_error_s": -5}, "/ready_error_s"),
        ("/v1/orders", ORDER | {"size": {"units": 2**40}}, "/size"),
        ("/v1/plans/preview", {"add_orders": [ORDER | {"customer_id": "\x00"}]}, "/add_orders/0/customer_id"),
        ("/v1/sign-in", {"token": "\x00"}, "/token"),
    ],
)
async def test_text_with_nul_and_numbers_beyond_their_column_are_refused(admin, path, body, pointer):
    assert refused(await admin.post(path, json=body)) == [pointer]


async def test_numbers_beyond_their_column_are_refused_in_a_change_too(admin):
    order = (await admin.post("/v1/orders", json=ORDER)).json()
    for body in ({"ready_error_s": 2**40}, {"ready_error_s": -5}):
        assert refused(await admin.patch(f"/v1/orders/{order['id']}", json=body)) == ["/ready_error_s"]


async def test_nul_in_addresses_and_queries_is_refused(admin):
    assert refused(await admin.get("/v1/couriers?q=a%00")) == ["/q"]
    assert refused(await admin.get("/v1/orders?external_id=%00")) == ["/external_id"]
    assert refused(await admin.get("/v1/couriers/nearby?lat=1&lon=1&mode=%00")) == ["/mode"]
    assert refused(await admin.get("/problems/a%00")) == [""]
    assert refused(await admin.get("/t/a%00")) == [""]


@pytest.mark.parametrize("path", ["/v1/couriers", "/v1/orders", "/v1/geofences", "/v1/plans/preview"])
async def test_json_nested_without_end_is_refused(admin, path):
    for deep in (b"[" * 200_000, b'{"attributes":' * 50_000, b'{"attributes":' + b"[" * 50_000 + b"]" * 50_000 + b"}"):
        answer = await admin.post(path, content=deep, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text
