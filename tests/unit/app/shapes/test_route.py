"""What a courier learns of a route: when an answer says something else than the one before."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from app.shapes.arrivals import EtaShape
from app.shapes.route import LineString, RouteShape, RouteStop, said_by
from app.web.conditional import tag_of

NOW = datetime(2026, 5, 4, 12, 0, 20, tzinfo=UTC)
ETA = EtaShape(p50=NOW, p90=NOW + timedelta(minutes=5), computed_at=NOW, source="learned", confidence=0.8, warnings=[])
STOP = RouteStop(order_id=UUID(int=1), kind="dropoff", lat=41.1, lon=-8.6, state="picked_up", eta=ETA)
ROUTE = RouteShape(courier_id=UUID(int=2), version=3, stops=[STOP])


def with_stop(**facts):
    return msgspec.structs.replace(ROUTE, stops=[msgspec.structs.replace(STOP, **facts)])


def with_eta(**facts):
    return with_stop(eta=msgspec.structs.replace(ETA, **facts))


@pytest.mark.parametrize(
    "other",
    [
        with_eta(computed_at=NOW + timedelta(seconds=9), confidence=0.7, p50=NOW + timedelta(seconds=30)),
        msgspec.structs.replace(ROUTE, geometry=LineString(coordinates=[(-8.6, 41.1), (-8.5, 41.1)])),
    ],
    ids=["made anew", "begins elsewhere"],
)
def test_a_route_that_says_the_same_has_the_same_tag(other):
    assert tag_of(said_by(other)) == tag_of(said_by(ROUTE))


@pytest.mark.parametrize(
    "other",
    [
        with_eta(p50=NOW + timedelta(seconds=50)),
        with_eta(p90=None),
        with_eta(warnings=["traffic"]),
        with_stop(eta=None),
        with_stop(state="returning"),
        with_stop(instructions="Ring twice"),
        msgspec.structs.replace(ROUTE, stops=[]),
        msgspec.structs.replace(ROUTE, version=4),
    ],
)
def test_a_route_that_says_something_else_has_another(other):
    assert tag_of(said_by(other)) != tag_of(said_by(ROUTE))
