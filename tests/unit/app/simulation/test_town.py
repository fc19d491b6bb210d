import itertools
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.simulation.courier import CRUISE_MPS, SimulatedCourier
from app.simulation.town import Town
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

CENTRE = LatLon(41.1579, -8.6291)
TOWN = Town.build(CENTRE, 800, 7)


def test_the_same_seed_makes_the_same_town_and_another_one_another() -> None:
    assert Town.build(CENTRE, 800, 7) == TOWN
    assert Town.build(CENTRE, 800, 8) != TOWN


def test_the_town_lies_within_its_radius() -> None:
    assert max(distance_m(CENTRE, corner) for corner in TOWN.corners) <= 810
    assert len(TOWN.corners) > 50


@settings(max_examples=50)
@given(st.data())
def test_there_is_a_way_along_streets_from_everywhere_to_everywhere(data: st.DataObject) -> None:
    corners = st.integers(0, len(TOWN.corners) - 1)
    start, end = data.draw(corners), data.draw(corners)
    way = TOWN.way(start, end)
    assert (way[0], way[-1]) == (start, end)
    for here, there in itertools.pairwise(way):
        assert there in {to for to, _ in TOWN.streets[here]}


def courier(mode: Mode = Mode.BICYCLE, seed: int = 1) -> SimulatedCourier:
    made = SimulatedCourier(mode=mode, at=TOWN.corners[0], random=Random(seed))
    made.go(TOWN.path(TOWN.way(0, len(TOWN.corners) - 1)))
    return made


@given(st.sampled_from(Mode), st.integers(0, 50), st.floats(0.5, 30))
def test_nobody_is_faster_than_the_mode_allows(mode: Mode, seed: int, step_s: float) -> None:
    one = courier(mode, seed)
    for _ in range(10):
        before = one.at
        one.step(step_s)
        assert distance_m(before, one.at) <= CRUISE_MPS[mode] * 1.15 * 1.2 * step_s + 0.01


def test_the_same_seed_makes_the_same_day() -> None:
    def day(seed: int) -> list[object]:
        one = courier(seed=seed)
        readings: list[object] = []
        for _ in range(50):
            one.step(5)
            readings.append(one.read())
        return readings

    assert day(3) == day(3)
    assert day(3) != day(4)


def test_a_courier_arrives_and_then_stands() -> None:
    one = courier(Mode.CAR)
    for _ in range(200):
        one.step(5)
    assert one.has_arrived
    assert one.at == TOWN.corners[-1]
    assert (one.speed_mps, one.read().speed_mps, one.read().course_deg) == (0, 0, None)


def test_a_frozen_courier_stays_and_goes_on_afterwards() -> None:
    one = courier()
    one.is_frozen = True
    one.step(60)
    assert one.at == TOWN.corners[0]
    one.is_frozen = False
    for _ in range(10):
        one.step(30)
    assert one.at != TOWN.corners[0]


@given(st.integers(0, 1000))
def test_the_receivers_error_wanders_within_metres(seed: int) -> None:
    one = courier(seed=seed)
    one.path = []
    for _ in range(100):
        reading = one.read()
        assert distance_m(one.at, LatLon(reading.lat, reading.lon)) < 30
        assert 0 < reading.accuracy_m < 20
