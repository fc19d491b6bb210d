"""A day under way: what was ordered, who has it, and where everybody is."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from app.simulation.city import made_up
from app.simulation.day import COLD_BOX, LATE, ON_A_JOB, Day, Step, Story
from app.simulation.places import split
from app.simulation.town import Town
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CITY = made_up(Town.build(LatLon(41.1579, -8.6291), 1500, 1), Random(1))
COURIERS = 60


def day(seed: int = 1) -> Day:
    modes = [list(Mode)[n % len(Mode)] for n in range(COURIERS)]
    return Day(city=CITY, kitchens=CITY.busy_kitchens(1), modes=modes, random=Random(seed))


def last(story: Story) -> Step | None:
    return story.steps[-1][0] if story.steps else None


def test_same_seed_makes_the_same_day() -> None:
    assert list(day().open(NOW)) == list(day().open(NOW)) != list(day(2).open(NOW))


def test_steps_of_every_order_follow_each_other_and_none_is_ahead_of_now() -> None:
    for made in (day(seed) for seed in range(5)):
        for story in [*made.past(100, NOW - timedelta(hours=5), NOW), *made.open(NOW)]:
            times = [story.placed_at, *(at for _, at in story.steps), NOW]
            assert all(a <= b for a, b in pairwise(times)), story


def test_day_has_orders_in_every_state_most_couriers_at_work_and_three_that_are_late() -> None:
    stories = list(day().open(NOW))
    states = Counter(last(story) for story in stories)
    assert set(states) == {None, Step.ASSIGN, Step.ACCEPT, Step.PICK_UP}
    at_work = {story.courier for story in stories if last(story) in {Step.ACCEPT, Step.PICK_UP}}
    assert len(at_work) == ON_A_JOB * COURIERS
    assert sum(story.due_at < NOW for story in stories) == LATE
    assert [story.skills for story in stories if story.skills] == [frozenset({COLD_BOX})]
    assert sum(story.leg is not None and story.leg.stands_s > 0 for story in stories) == 1


def test_past_is_over_and_mostly_in_time() -> None:
    past = list(day().past(400, NOW - timedelta(hours=5), NOW))
    ends = Counter(last(story) for story in past)
    assert set(ends) == {Step.DELIVER, Step.CANCEL, Step.TAKE_BACK}
    delivered = [story for story in past if last(story) is Step.DELIVER]
    on_time = sum(story.steps[-1][1] <= story.due_at for story in delivered) / len(delivered)
    assert 0.8 < on_time < 1
    assert all(story.contact["name"] and story.contact["phone"].startswith("+351 900 ") for story in past)


def test_way_is_split_at_its_share() -> None:
    way = [LatLon(0, 0), LatLon(0, 0.01), LatLon(0.01, 0.01)]
    whole_m = sum(distance_m(a, b) for a, b in pairwise(way))
    for share in (0.0, 0.2, 0.5, 0.9):
        behind, ahead = split(way, share)
        assert abs(sum(distance_m(a, b) for a, b in pairwise(behind)) - share * whole_m) < 1
        assert ahead[-1] == way[-1]
    assert split(way, 1.01) == (way, [])
    assert split(way[:1], 0.5) == (way[:1], [])
