"""What it takes to make an order, and what dispatch is told of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from dispatch.places.counter import ready_times
from dispatch.places.place import LONGEST_S, Line, Place, Preparation, Recipe, Task, TaskState, hours_from, preparation
from dispatch.stop import OrderId
from tracking.position import LatLon, Region

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLACE = Place(
    id=UUID(int=1),
    region=Region("default"),
    name="Adega",
    at=LatLon(41.15, -8.61),
    recipes={"pizza": Recipe(minutes=8, batch=4, shelf_life_minutes=20), "soup": Recipe(minutes=3)},
)


def task(minutes=10, **facts):
    made = Preparation(duration_s=minutes * 60)
    return Task(order_id=OrderId(uuid4()), preparation=made, placed_at=NOW, order_ready_at=None, **facts)


def ends(tasks, place=PLACE):
    """In minutes from now, in the sequence of the tasks; None where nothing is said."""
    times = ready_times(place, tasks, NOW)
    return [None if one.order_id not in times else (times[one.order_id] - NOW) / MINUTE for one in tasks]


def test_lines_are_made_side_by_side_each_in_as_many_goes_as_it_needs():
    assert preparation([], PLACE) == Preparation(duration_s=600)
    two = [Line(item="pizza", quantity=5), Line(item="soup", quantity=4)]
    assert preparation(two, PLACE) == Preparation(duration_s=16 * 60, shelf_s=1200)
    assert preparation([Line(item="cake", quantity=2)], PLACE).duration_s == 1200, (
        "no recipe: as long as the place says"
    )
    assert preparation([Line(item="soup", minutes=1)], PLACE).duration_s == 60, "the order's own word counts"
    assert preparation([Line(item="soup", quantity=10_000, minutes=1440)], PLACE).duration_s == LONGEST_S


def test_what_is_of_one_thing_and_less_than_goes_in_at_once_may_share():
    made = preparation([Line(item="pizza", quantity=3)], PLACE)
    assert (made.batch, made.amount) == ("pizza", 3)
    for lines in ([Line(item="pizza", quantity=4)], [Line(item="pizza"), Line(item="soup")], [Line(item="soup")]):
        assert preparation(lines, PLACE).batch is None


def test_what_was_made_ahead_takes_less_time():
    soup = Recipe(minutes=15, batch=4, shelf_life_minutes=60, ahead_minutes=2)
    place = replace(PLACE, recipes={**PLACE.recipes, "soup": soup})
    line = Line(item="soup", quantity=3)
    fresh = preparation([line], place)
    assert fresh == Preparation(duration_s=900, batch="soup", amount=3, shelf_s=3600)
    assert preparation([line], place, {"soup": 3}) == Preparation(duration_s=120, shelf_s=3600)
    assert preparation([line], place, {"soup": 2}).duration_s == 900, "one of them is made now"
    two = [line, replace(line, quantity=4)]
    assert preparation(two, place, {"soup": 7}).duration_s == 120
    assert preparation(two, place, {"soup": 6}).duration_s == 900
    assert preparation([line], place, {"pizza": 3}) == fresh
    assert preparation([Line(item="pizza")], place, {"pizza": 1}).duration_s == 480, "not of what is not marked"


def test_orders_wait_for_those_before_them_and_what_is_wanted_later_keeps_nobody_waiting():
    later = task(opens_at=NOW + 300 * MINUTE)
    assert ends([later, task(), task()]) == [300, 10, 20]
    assert ends([task(), task()], replace(PLACE, capacity=2)) == [10, 10]


def test_nothing_is_ready_before_the_order_or_the_place_says_so():
    assert ends([task(asked_ready_at=NOW + 45 * MINUTE)]) == [45]
    assert ends([task(not_before=NOW + 30 * MINUTE), task()]) == [30, 10]
    assert ends([task()], replace(PLACE, paused_until=NOW + 20 * MINUTE)) == [30]


def test_what_has_begun_is_ready_when_it_was_said_and_is_late_by_now_at_the_most():
    begun = task(state=TaskState.STARTED, started_at=NOW, until_at=NOW + 4 * MINUTE)
    assert ends([begun, task()]) == [4, 14]
    assert ends([replace(begun, until_at=NOW - 9 * MINUTE), task()]) == [0, 10]


def test_what_is_ready_by_anybodys_word_or_cannot_be_made_takes_no_place():
    ready = task(state=TaskState.READY, ready_at=NOW)
    told = replace(task(), order_ready_at=NOW - MINUTE, is_estimate=False)
    guessed = replace(task(), order_ready_at=NOW - MINUTE, is_estimate=True)
    assert ends([ready, told, task(problem="no fish"), task()]) == [None, None, None, 10]
    assert ends([guessed, task()]) == [10, 20]


def test_nothing_is_said_of_what_the_hours_leave_no_room_for():
    mornings = replace(PLACE, hours=hours_from([{"from": "08:00", "to": "08:05"}]))
    assert ends([task()], mornings) == [None]


def test_a_job_is_wanted_when_the_courier_comes_or_else_when_it_was_asked_for():
    one = task(asked_ready_at=NOW + 45 * MINUTE, closes_at=NOW + 90 * MINUTE)
    assert (one.job(NOW).wanted_s, one.job(NOW).earliest_s, one.job(NOW).latest_s) == (2700, 2100, 5400)
    assert one.job(NOW, courier_at=NOW + 50 * MINUTE).wanted_s == 3000
    assert one.job(NOW, courier_at=NOW - 50 * MINUTE).wanted_s == 0
    told = replace(one, order_ready_at=NOW + 60 * MINUTE)
    assert told.job(NOW).wanted_s == 3600, "while nobody has it, what dispatch was told"
