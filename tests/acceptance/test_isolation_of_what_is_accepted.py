"""
Law: no record that an endpoint accepts can stop the planning, watching, storing or telling of any other record.

Hypothesis draws orders, couriers, shifts, fences and a region's settings from the description that the API gives of
itself, and posts them. Then dispatcher, watcher and keeper take their turns, and a plain order beside them is planned.
"""

from datetime import UTC, datetime
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.machine.tokens import make_token
from app.main import create_app
from app.settings import Settings
from app.web.auth import Role
from dispatch.alerts.observer import Vigilance
from dispatch.alerts.region_facts import FactsOfRegion
from tests.described import described
from tests.integration.dispatch.region.test_cycle import planning_of
from tests.integration.dispatch.test_isolation import REGION, beside, places, values
from tracking import lease
from tracking.position import LatLon

__all__ = ["beside"]

SHAPES = described().openapi_schema.to_schema()["components"]["schemas"]
SOON_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
instants = st.one_of(st.integers(0, 7_258_118_399), st.integers(SOON_S, SOON_S + 10**8)).map(
    lambda at: datetime.fromtimestamp(at, UTC).isoformat()
)
boxes = st.tuples(places, st.floats(1e-9, 5), st.floats(1e-9, 5)).map(
    lambda box: {"type": "Polygon", "coordinates": [_ring(*box)]}
)
points = places.map(lambda at: {"type": "Point", "coordinates": [at[1], at[0]]})


def _ring(corner, height, width):
    south, west = min(corner[0], 85.0), min(corner[1], 175.0)
    north, east = south + height, west + width
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def drawn(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema describes."""
    if "$ref" in schema:
        return shape(schema["$ref"].rpartition("/")[2])
    if options := schema.get("oneOf") or schema.get("anyOf"):
        beside_it = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf")}
        return st.one_of(*(drawn(beside_it | option) for option in options))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(*(int(bound) for bound in _bounds(schema, 0, 10**9)))
        case "number":
            low, high = _bounds(schema, 0, 1e9)
            tiny = [number for number in (low, high, 1e-170, 5e-324, 0.0) if low <= number <= high]
            return st.floats(low, high) | st.sampled_from(tiny)
        case "string" if schema.get("format") == "date-time":
            return instants
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        case "string":
            return st.text("ab é7", min_size=schema.get("minLength", 0), max_size=8)
        case "array":
            return st.lists(drawn(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
        case "object" if "properties" in schema:
            given_names = {name: drawn(each) for name, each in schema["properties"].items()}
            needed = {name: given_names.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(needed, optional=given_names)
        case "object":
            return st.dictionaries(
                st.text("ab", min_size=1, max_size=3), drawn(schema["additionalProperties"]), max_size=3
            )
    return values


def _bounds(schema, low, high):
    above = schema.get("exclusiveMinimum")
    return schema.get("minimum", low if above is None else above + 1e-9), schema.get("maximum", high)


def shape(name: str, **instead: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What a named shape describes, with some members drawn otherwise."""
    if name == "Shape":
        return boxes | points
    if name == "Outline":
        return boxes
    found = drawn(SHAPES[name])
    return st.builds(lambda body, more: body | more, found, st.fixed_dictionaries(instead)) if instead else found


odd = st.just(["odd"])
ends = {"pickup": shape("StopShape"), "dropoff": shape("StopShape"), "kind": st.just("delivery")}
orders = shape("NewOrderShape", region=st.just(REGION), skills=odd, **ends) | shape(
    "NewOrderShape", region=st.just(REGION), skills=odd
)
couriers = st.tuples(shape("NewCourier", region=st.just(REGION), skills=odd), places)
hours = st.sampled_from([[], [{"from": "22:00", "to": "02:00"}], [{"from": "00:00", "to": "24:00", "weekdays": [6]}]])
zones = st.sampled_from(["UTC", "Asia/Tokyo"])
fences = shape(
    "NewGeofence", region=st.just(REGION), timezone=zones, active=hours, radius_m=st.floats(1e-9, 100_000)
).map(lambda fence: fence if fence["geometry"]["type"] == "Point" else fence | {"radius_m": None})


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_that_an_endpoint_accepts_stops_the_others(beside, database_url, redis_url, data):
    async def fill(world):
        installation = Settings(database_url=database_url, redis_url=redis_url)
        token = await make_token(database_url, Role.ADMIN, "draws")
        api = create_app(installation)
        async with (
            api.lifespan(),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=api),
                base_url="http://postrider",
                headers={"Authorization": f"Bearer {token}"},
            ) as client,
        ):
            n_taken = 0

            async def send(method: str, path: str, body: Any) -> httpx.Response:
                nonlocal n_taken
                answer = await client.request(method, path, json=body)
                assert answer.status_code < 500, (path, body, answer.text)
                n_taken += answer.is_success
                return answer

            for body in data.draw(st.lists(orders, min_size=3, max_size=6)):
                await send("POST", "/v1/orders", body)
            for body, at in data.draw(st.lists(couriers, min_size=1, max_size=3)):
                answer = await send("POST", "/v1/couriers", body)
                if answer.is_success:
                    courier_id = answer.json()["id"]
                    world.seen.places[await _id(world, courier_id)] = LatLon(*at)
                    for shift in data.draw(st.lists(shape("NewShifts"), max_size=2)):
                        await send("POST", f"/v1/couriers/{courier_id}/shifts", shift)
            for body in data.draw(st.lists(fences, max_size=3)):
                await send("POST", "/v1/geofences", body)
            described = (await client.get(f"/v1/regions/{REGION}/settings/schema")).json()
            wanted = {"settings": data.draw(drawn(described)), "boundary": data.draw(boxes)}
            await send("PATCH", f"/v1/regions/{REGION}", wanted)
            assert n_taken
        await _take_turns(world)
        # What a region may set for itself may well keep its orders waiting: the plain one is for the usual settings.
        await world.city.pool.execute("UPDATE regions SET settings = '{}'")
        await world.city.pool.execute("TRUNCATE leases")

    beside(also=fill, watches=True)


async def _id(world, text):
    return await world.city.pool.fetchval("SELECT id FROM couriers WHERE id = $1::text::uuid", text)


async def _take_turns(world):
    """With the settings that were drawn: nothing is set aside of the region as a whole."""
    city = world.city
    held = await lease.take(city.pool, "dispatch", REGION, "drawn", ttl_s=600)
    for _ in range(2):
        await planning_of(city, world.seen).at_once(held)
    watching = await lease.take(city.pool, "watch", REGION, "drawn", ttl_s=600)
    await Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool)).tick(watching, datetime.now(UTC))
    told = await city.pool.fetch(
        "SELECT facts FROM alerts WHERE kind = 'set_aside' AND order_id IS NULL AND courier_id IS NULL"
    )
    assert not told, told
