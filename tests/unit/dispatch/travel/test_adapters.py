"""What adapters send and read, by the shapes that the services document. OSRM and Valhalla: also tests/integration."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dispatch.travel.client import EngineClient
from dispatch.travel.google import Google
from dispatch.travel.osrm import Osrm
from dispatch.travel.polyline import decode
from dispatch.travel.times import UNKNOWN, UNROUTABLE, EngineFailed, Source
from dispatch.travel.valhalla import Valhalla
from dispatch.travel.yandex import Yandex
from tracking.position import LatLon, Mode

KEY = "s3cret-key"
SOON = datetime.now(UTC) + timedelta(hours=1)
A, B, C = LatLon(55.75, 37.61), LatLon(55.76, 37.62), LatLon(55.77, 37.63)


class Server:
    """Remembers requests, answers all alike."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []

    def client(self, source):
        def respond(request):
            self.requests.append(request)
            return httpx.Response(200, json=self.answer)

        return EngineClient(source=source, http=httpx.AsyncClient(transport=httpx.MockTransport(respond)))


# Google Routes

GOOGLE_MATRIX = [
    {
        "originIndex": 1,
        "destinationIndex": 0,
        "status": {},
        "distanceMeters": 822,
        "duration": "160s",
        "condition": "ROUTE_EXISTS",
    },
    {"destinationIndex": 1, "status": {}, "distanceMeters": 2919, "duration": "361.4s", "condition": "ROUTE_EXISTS"},
    {"status": {}, "condition": "ROUTE_NOT_FOUND"},
    {"originIndex": 1, "destinationIndex": 1, "status": {"code": 14, "message": "unavailable"}},
]


async def test_google_matrix_is_read_in_any_order_with_zeros_left_out():
    server = Server(GOOGLE_MATRIX)
    google = Google(client=server.client(Source.GOOGLE), key=KEY)
    durations, distances = await google.matrix(Mode.CAR, [A, B], [A, C], SOON)
    assert durations.tolist() == [[UNROUTABLE, 361], [160, UNKNOWN]]
    assert distances[0, 1] == 2919
    request = server.requests[0]
    assert request.url == "https://routes.googleapis.com/distanceMatrix/v2:computeRouteMatrix"
    assert request.headers["X-Goog-Api-Key"] == KEY
    assert "originIndex" in request.headers["X-Goog-FieldMask"]
    body = json.loads(request.content)
    assert body["travelMode"] == "DRIVE"
    assert body["routingPreference"] == "TRAFFIC_AWARE"
    assert body["departureTime"] == SOON.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert body["origins"][1] == {"waypoint": {"location": {"latLng": {"latitude": 55.76, "longitude": 37.62}}}}


async def test_google_is_not_told_of_traffic_for_walkers_nor_of_a_departure_in_the_past():
    server = Server(GOOGLE_MATRIX)
    google = Google(client=server.client(Source.GOOGLE), key=KEY)
    await google.matrix(Mode.FOOT, [A, B], [A, C], SOON)
    await google.matrix(Mode.CAR, [A, B], [A, C], SOON - timedelta(days=1))
    walking, past = (json.loads(request.content) for request in server.requests)
    assert walking["travelMode"] == "WALK"
    assert "routingPreference" not in walking
    assert "departureTime" not in past


async def test_google_route_has_a_leg_for_each_pair():
    leg = {"distanceMeters": 772, "duration": "165s", "polyline": {"encodedPolyline": "_p~iF~ps|U_ulLnnqC_mqNvxq`@"}}
    server = Server({"routes": [{"legs": [leg, leg]}]})
    legs = await Google(client=server.client(Source.GOOGLE), key=KEY).route(Mode.BICYCLE, [A, B, C], SOON)
    assert [(x.duration_s, x.distance_m, x.source) for x in legs] == [(165, 772, Source.GOOGLE)] * 2
    assert legs[0].geometry == (LatLon(38.5, -120.2), LatLon(40.7, -120.95), LatLon(43.252, -126.453))
    assert len(json.loads(server.requests[0].content)["intermediates"]) == 1


async def test_google_without_a_route_has_failed():
    with pytest.raises(EngineFailed):
        await Google(client=Server({}).client(Source.GOOGLE), key=KEY).route(Mode.CAR, [A, B], SOON)


# Yandex

YANDEX_MATRIX = {
    "rows": [
        {
            "elements": [
                {"status": "OK", "distance": {"value": 1200}, "duration": {"value": 240.6}},
                {"status": "FAIL"},
            ]
        }
    ]
}
YANDEX_ROUTE = {
    "traffic": "realtime",
    "route": {
        "legs": [
            {
                "status": "OK",
                "steps": [
                    {
                        "duration": 60.2,
                        "length": 400.4,
                        "mode": "driving",
                        "waiting_duration": 2,
                        "polyline": {"points": [[55.75, 37.61], [55.755, 37.615]]},
                    },
                    {
                        "duration": 30,
                        "length": 200,
                        "mode": "driving",
                        "waiting_duration": 0,
                        "polyline": {"points": [[55.755, 37.615], [55.76, 37.62]]},
                    },
                ],
            }
        ]
    },
}


async def test_yandex_matrix_leaves_failed_pairs_to_the_fallback():
    server = Server(YANDEX_MATRIX)
    durations, distances = await Yandex(client=server.client(Source.YANDEX), key=KEY).matrix(
        Mode.CAR, [A], [B, C], SOON
    )
    assert durations.tolist() == [[241, UNROUTABLE]]
    assert distances[0, 0] == 1200
    query = server.requests[0].url.params
    assert query["origins"] == "55.750000,37.610000"
    assert query["destinations"] == "55.760000,37.620000|55.770000,37.630000"
    assert query["mode"] == "driving"
    assert query["departure_time"] == str(int(SOON.timestamp()))
    assert query["apikey"] == KEY


async def test_yandex_route_is_summed_over_its_steps():
    (leg,) = await Yandex(client=Server(YANDEX_ROUTE).client(Source.YANDEX), key=KEY).route(Mode.CAR, [A, B], SOON)
    assert (leg.duration_s, leg.distance_m) == (92, 600)
    assert leg.geometry == (LatLon(55.75, 37.61), LatLon(55.755, 37.615), LatLon(55.76, 37.62))


async def test_yandex_leg_without_a_way_has_failed():
    answer = {"route": {"legs": [{"status": "FAIL"}]}}
    with pytest.raises(EngineFailed):
        await Yandex(client=Server(answer).client(Source.YANDEX), key=KEY).route(Mode.CAR, [A, B], SOON)


# All

ENGINES = {
    "osrm": lambda client: Osrm(client=client, urls=dict.fromkeys(Mode, "http://osrm.test")),
    "valhalla": lambda client: Valhalla(client=client, url="http://valhalla.test"),
    "google": lambda client: Google(client=client, key=KEY),
    "yandex": lambda client: Yandex(client=client, key=KEY),
}


@pytest.mark.parametrize("answer", [{}, [], {"code": "Ok"}, {"rows": [{}]}, {"rows": [{"elements": []}]}, 7, None])
@pytest.mark.parametrize("name", ENGINES)
async def test_an_answer_of_another_shape_is_a_failure_not_a_crash(name, answer):
    engine = ENGINES[name](Server(answer).client(Source(name)))
    with pytest.raises(EngineFailed):
        await engine.route(Mode.CAR, [A, B], SOON)
    try:
        durations, _ = await engine.matrix(Mode.CAR, [A], [B], SOON)
    except EngineFailed:
        return
    assert durations.tolist() == [[UNKNOWN]]  # Google: an empty list answers no pair


@pytest.mark.parametrize("name", ["google", "yandex"])
def test_the_key_is_not_in_the_text_of_an_engine(name):
    assert KEY not in repr(ENGINES[name](Server({}).client(Source(name))))


def test_polyline_of_the_published_example():
    assert decode("_p~iF~ps|U_ulLnnqC_mqNvxq`@", precision=5)[0] == LatLon(38.5, -120.2)
