"""How the planner sees a region: jobs, workers and places out of orders, couriers and routes in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from dispatch.orders.courier import Courier, Rest, Shift, ShiftBreak
from dispatch.orders.order import Order, OrderState, OrderStop, Window
from dispatch.planning.snapshot import TravelMatrix
from dispatch.region.world import OVERRUN_S, RouteInForce, StopInForce, SurveyParams, Whereabouts, World, survey, unix_s
from dispatch.stop import PlannedStop, StopKind
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KITCHEN, DOOR, CORNER = LatLon(41.15, -8.61), LatLon(41.16, -8.62), LatLon(41.14, -8.60)
ANA, RUI = UUID(int=101), UUID(int=102)


def order(number: int, **facts) -> Order:
    known = {
        "id": UUID(int=number),
        "region": "default",
        "pickup": OrderStop(at=KITCHEN),
        "dropoff": OrderStop(at=DOOR),
        "state": OrderState.PLACED,
        "version": 1,
        "placed_at": NOON,
    }
    return Order(**(known | facts))


def courier(courier_id=ANA, **facts) -> Courier:
    return Courier(id=courier_id, region="default", mode=Mode.BICYCLE, **facts)


def world(*orders: Order, couriers=None, **facts) -> World:
    couriers = [courier()] if couriers is None else couriers
    return World(region="default", now=NOON, orders=orders, couriers=tuple(couriers), **facts)


SEEN = {ANA: Whereabouts(at=CORNER, age_s=5), RUI: Whereabouts(at=CORNER, age_s=5)}


def route_of(*stops: tuple[int, StopKind], fixed: bool = False) -> RouteInForce:
    at = unix_s(NOON) + 60
    return RouteInForce(
        version=3,
        stops=tuple(
            StopInForce(
                stop=PlannedStop(UUID(int=number), kind), arrives_at=at, starts_at=at, leaves_at=at, fixed=fixed
            )
            for number, kind in stops
        ),
    )


def timely(opens_in: timedelta, params: SurveyParams | None = None, **facts):
    """The job of an order that is to be handed over from then on, ten minutes on the way from its pickup."""
    dropoff = OrderStop(at=DOOR, window=Window(opens_at=NOON + opens_in))
    seen = survey(world(order(1, dropoff=dropoff, **facts)), SEEN, params=params)
    durations = np.full((len(seen.places), len(seen.places)), 600, dtype=np.int32)
    travel = TravelMatrix(durations_s={Mode.BICYCLE: durations}, distances_m={Mode.BICYCLE: durations})
    (job,) = seen.snapshot(travel).jobs
    return job


def test_what_is_to_be_handed_over_later_is_collected_as_late_as_sensible():
    job = timely(24 * HOUR)
    latest = unix_s(NOON + 23 * HOUR) - 600 - job.pickup.service_s
    assert job.pickup.opens_at == latest
    assert timely(24 * HOUR, SurveyParams(collect_ahead_s=0)).pickup.opens_at == latest + 3600


def test_nobody_waits_for_what_cannot_be_handed_over_yet():
    assert timely(24 * HOUR).ready_at == unix_s(NOON + 24 * HOUR)
    assert timely(-HOUR).ready_at == unix_s(NOON)


def test_pickup_is_never_later_than_it_may_be():
    closes_at = NOON + HOUR
    job = timely(24 * HOUR, pickup=OrderStop(at=KITCHEN, window=Window(closes_at=closes_at)))
    assert job.pickup.opens_at == unix_s(closes_at)


def test_whoever_has_been_given_an_order_may_collect_it_at_once():
    facts = {"state": OrderState.ACCEPTED, "courier_id": ANA}
    assert timely(24 * HOUR, **facts).pickup.opens_at == unix_s(NOON)


def test_hot_food_that_is_handed_over_later_is_not_collected_before_it_can_be():
    job = timely(2 * HOUR, max_on_board_s=900, state=OrderState.ACCEPTED, courier_id=ANA)
    assert job.pickup.opens_at == unix_s(NOON + 2 * HOUR) - 900 - job.pickup.service_s


def test_hot_food_on_board_has_its_time_from_when_it_was_collected():
    facts = {"state": OrderState.PICKED_UP, "courier_id": ANA, "picked_up_at": NOON, "max_on_board_s": 900}
    (job,) = survey(world(order(1, **facts)), SEEN).jobs
    assert job.dropoff.closes_at == unix_s(NOON) + 900
    (back,) = survey(world(order(1, **(facts | {"state": OrderState.RETURNING}))), SEEN).jobs
    assert back.dropoff.closes_at > unix_s(NOON + 24 * HOUR)


def test_goods_not_ready_yet_open_the_pickup_later():
    ready_at = NOON + HOUR
    (job,) = survey(world(order(1, ready_at=ready_at)), SEEN).jobs
    assert job.pickup.opens_at == job.ready_at == unix_s(ready_at)


def test_goods_without_a_ready_time_were_ready_when_placed():
    (job,) = survey(world(order(1)), SEEN).jobs
    assert job.ready_at == unix_s(NOON)


def test_window_becomes_what_is_late_and_what_is_not_allowed():
    window = Window(opens_at=NOON, due_at=NOON + HOUR, closes_at=NOON + 2 * HOUR)
    (job,) = survey(world(order(1, dropoff=OrderStop(at=DOOR, window=window))), SEEN).jobs
    assert (job.dropoff.due_at, job.dropoff.closes_at) == (unix_s(NOON + HOUR), unix_s(NOON + 2 * HOUR))


@pytest.mark.parametrize(
    ("state", "onboard", "pinned"),
    [
        (OrderState.PLACED, None, None),
        (OrderState.ASSIGNED, None, ANA),
        (OrderState.ACCEPTED, None, ANA),
        (OrderState.PICKED_UP, ANA, ANA),
    ],
)
def test_order_stays_with_the_courier_who_is_asked_or_has_it(state, onboard, pinned):
    held = order(1, state=state, courier_id=None if state is OrderState.PLACED else ANA)
    (job,) = survey(world(held), SEEN).jobs
    assert (job.onboard_of, job.pinned_to) == (onboard, pinned)


def test_places_are_numbered_once_and_couriers_come_last():
    found = survey(world(order(1), order(2)), SEEN)
    assert found.places == (KITCHEN, DOOR, CORNER)
    assert found.n_destinations == 2
    assert found.workers[0].start == 2


def test_courier_outside_the_shift_is_not_asked():
    shift = Shift(starts_at=NOON + HOUR, ends_at=NOON + 2 * HOUR)
    assert survey(world(order(1), couriers=[courier(shifts=(shift,))]), SEEN).workers == ()
    at_work = replace(shift, starts_at=NOON - HOUR)
    (worker,) = survey(world(order(1), couriers=[courier(shifts=(at_work,))]), SEEN).workers
    assert worker.shift_ends_at == unix_s(NOON + 2 * HOUR)


def test_courier_off_duty_with_goods_on_board_has_room_for_nothing_more():
    carried = order(1, state=OrderState.PICKED_UP, courier_id=ANA, picked_up_at=NOON)
    (worker,) = survey(world(carried, couriers=[courier(on_duty=False)]), SEEN).workers
    assert worker.max_orders == 1


def test_courier_in_trouble_gets_nothing_new():
    (worker,) = survey(world(order(1), troubled=frozenset({ANA})), SEEN).workers
    assert worker.max_orders == 0


def test_courier_who_let_offers_run_out_gets_nothing_new():
    (worker,) = survey(world(order(1), paused=frozenset({ANA})), SEEN).workers
    assert worker.max_orders == 0


def test_break_that_is_over_is_forgotten():
    over = ShiftBreak(opens_at=NOON - HOUR, closes_at=NOON - HOUR / 2, duration_s=60)
    ahead = ShiftBreak(opens_at=NOON, closes_at=NOON + HOUR, duration_s=60)
    shift = Shift(starts_at=NOON - HOUR, ends_at=NOON + HOUR, breaks=(over, ahead))
    (worker,) = survey(world(order(1), couriers=[courier(shifts=(shift,))]), SEEN).workers
    assert [pause.opens_at for pause in worker.breaks] == [unix_s(NOON)]


def test_old_position_is_not_fresh_and_an_unknown_one_neither():
    aged = {ANA: Whereabouts(at=CORNER, age_s=SurveyParams().fresh_within_s + 1)}
    assert [w.has_fresh_position for w in survey(world(order(1)), aged).workers] == [False]
    assert [w.has_fresh_position for w in survey(world(order(1)), {}).workers] == [False]


@pytest.mark.parametrize(
    ("seen", "is_fresh"),
    [
        ({"age_s": 60, "contact_age_s": 60}, True),
        ({"age_s": 61, "contact_age_s": 5}, False),
        ({"age_s": 61, "contact_age_s": 60, "at_rest": True}, True),
        ({"age_s": 600, "contact_age_s": 60, "at_rest": True}, True),
        ({"age_s": 601, "contact_age_s": 5, "at_rest": True}, False),
        ({"age_s": 61, "contact_age_s": 61, "at_rest": True}, False),
    ],
)
def test_phone_that_pauses_at_rest_is_still_there_while_it_is_heard_of(seen, is_fresh):
    params = SurveyParams(fresh_within_s=60, at_rest_within_s=600)
    (worker,) = survey(world(order(1)), {ANA: Whereabouts(at=CORNER, **seen)}, params=params).workers
    assert worker.has_fresh_position is is_fresh


def test_region_s_radius_is_every_courier_s_range():
    (worker,) = survey(world(order(1)), SEEN, params=SurveyParams(radius_m=900)).workers
    assert worker.range_m == 900


def test_stops_of_closed_orders_and_of_others_are_not_in_the_route():
    mine = order(1, state=OrderState.ACCEPTED, courier_id=ANA)
    elsewhere = order(2, state=OrderState.ACCEPTED, courier_id=RUI)
    route = route_of((3, StopKind.PICKUP), (2, StopKind.PICKUP), (1, StopKind.PICKUP), (1, StopKind.DROPOFF))
    (worker,) = survey(world(mine, elsewhere, routes={ANA: route}), SEEN).workers
    assert [stop.order_id for stop in worker.route] == [mine.id, mine.id]


def test_leg_being_driven_is_locked_and_an_intention_is_not():
    route = route_of((1, StopKind.PICKUP), (1, StopKind.DROPOFF))
    driven = order(1, state=OrderState.ACCEPTED, courier_id=ANA)
    for one, n_locked in ((driven, 1), (order(1), 0)):
        (worker,) = survey(world(one, routes={ANA: route}), SEEN).workers
        assert worker.n_locked == n_locked


@pytest.mark.parametrize(("starts_in_s", "leg_s", "n_locked"), [(1500, 1500, 1), (1500, 600, 0), (1500, 2000, 1)])
def test_a_long_leg_is_locked_once_the_courier_must_have_left(starts_in_s, leg_s, n_locked):
    """An accepted pickup in 25 minutes: driven to by who needs as long, not yet by who needs ten minutes."""
    at = unix_s(NOON) + starts_in_s
    stops = tuple(
        StopInForce(stop=PlannedStop(UUID(int=1), kind), arrives_at=at, starts_at=at, leaves_at=at) for kind in StopKind
    )
    route = RouteInForce(version=1, stops=stops)
    found = survey(world(order(1, state=OrderState.ACCEPTED, courier_id=ANA), routes={ANA: route}), SEEN)
    legs = np.full((3, 3), leg_s, dtype=np.int32)
    travel = TravelMatrix(durations_s={Mode.BICYCLE: legs}, distances_m={Mode.BICYCLE: legs})
    (worker,) = found.snapshot(travel).workers
    assert worker.n_locked == n_locked
    offered = order(1, state=OrderState.ASSIGNED, courier_id=ANA)
    (worker,) = survey(world(offered, routes={ANA: route}), SEEN).snapshot(travel).workers
    assert worker.n_locked == 0


def test_sequence_fixed_by_hand_is_locked():
    held = order(1, state=OrderState.ASSIGNED, courier_id=ANA)
    route = route_of((1, StopKind.PICKUP), (1, StopKind.DROPOFF), fixed=True)
    (worker,) = survey(world(held, routes={ANA: route}), SEEN).workers
    assert worker.n_locked == 2


def test_who_refused_is_told_to_the_planner():
    (job,) = survey(world(order(1), refusals={UUID(int=1): {RUI: NOON}}), SEEN).jobs
    assert job.refused_by == {RUI}


def test_stays_are_planned_as_they_were_learned_not_as_they_were_declared():
    known = Learned()
    held = order(1, state=OrderState.ACCEPTED, courier_id=ANA, pickup=OrderStop(at=KITCHEN, service_s=600))
    (job,) = survey(world(held), SEEN, stays=known).jobs
    assert (job.pickup.service_s, job.dropoff.service_s) == (333, 44)
    assert known.asked == [
        ("default", StopKind.PICKUP, KITCHEN, ANA, 600),
        ("default", StopKind.DROPOFF, DOOR, ANA, 120),
    ]


class Learned:
    """What was learned of stays, and of when goods are ready."""

    def __init__(self):
        self.asked = []

    def stay_s(self, *known):
        self.asked.append(known)
        return 333.3 if known[1] is StopKind.PICKUP else 44.4

    def ready_error_s(self, region, at, ready_at):
        assert (region, at) == ("default", KITCHEN)
        return 200.0 if ready_at.hour == NOON.hour else 90.0


def test_how_sure_it_is_when_goods_are_ready_is_said_by_the_order_or_learned_by_place_and_hour():
    def error_s(**facts):
        (job,) = survey(world(order(1, **facts)), SEEN, stays=Learned()).jobs
        return job.ready_error_s

    assert error_s(ready_at=NOON) == 200
    assert error_s(ready_at=NOON + 3 * HOUR) == 90
    assert error_s(ready_at=NOON, ready_error_s=30) == 30
    assert error_s(ready_at=NOON, ready_error_s=0) == 0
    assert error_s() == 0
    late = OrderStop(at=KITCHEN, window=Window(opens_at=NOON + HOUR))
    assert error_s(ready_at=NOON, pickup=late) == 0, "what opens later is ready by then"


def test_courier_on_a_break_is_free_when_it_is_meant_to_end_or_some_time_after():
    rest = Rest(began_at=NOON - HOUR / 2, duration_s=3600)
    base = courier()
    [worker] = survey(world(couriers=[replace(base, rests=(rest,))]), {}).workers
    assert worker.available_at == unix_s(NOON + HOUR / 2)
    [worker] = survey(world(couriers=[replace(base, rests=(replace(rest, duration_s=60),))]), {}).workers
    assert worker.available_at == unix_s(NOON) + OVERRUN_S
    over = replace(rest, ended_at=NOON - HOUR / 4)
    [worker] = survey(world(couriers=[replace(base, rests=(over,))]), {}).workers
    assert worker.available_at == unix_s(NOON)


def test_what_is_planned_ahead_waits_for_the_courier_of_a_shift_that_is_about_to_begin():
    """Ten minutes after its beginning nobody waits any more: others get it."""
    route = route_of((1, StopKind.PICKUP), (1, StopKind.DROPOFF))
    for minutes, waits in ((-30, True), (9, True), (11, False)):
        begins_at = NOON - timedelta(minutes=minutes)
        late = replace(route, stops=tuple(replace(stop, arrives_at=unix_s(begins_at) + 60) for stop in route.stops))
        absent = courier(on_duty=False, shifts=(Shift(starts_at=begins_at, ends_at=begins_at + 8 * HOUR),))
        here = courier(RUI)
        seen = survey(world(order(1), order(2), couriers=[absent, here], routes={ANA: late}), SEEN)
        assert [job.order_id.int for job in seen.jobs] == ([2] if waits else [1, 2])
        assert [worker.courier_id for worker in seen.workers] == [RUI]


def test_who_has_come_to_work_is_planned_with_what_was_planned_ahead():
    route = route_of((1, StopKind.PICKUP), (1, StopKind.DROPOFF))
    ana = courier(shifts=(Shift(starts_at=NOON - HOUR, ends_at=NOON + HOUR),))
    seen = survey(world(order(1), couriers=[ana], routes={ANA: route}), SEEN)
    assert [stop.order_id.int for stop in seen.workers[0].route] == [1, 1]
    assert [job.order_id.int for job in seen.jobs] == [1]


def test_route_left_over_from_a_shift_that_is_over_keeps_no_order_from_others():
    route = route_of((1, StopKind.PICKUP), (1, StopKind.DROPOFF))
    gone = courier(on_duty=False, shifts=(Shift(starts_at=NOON - 9 * HOUR, ends_at=NOON - HOUR),))
    seen = survey(world(order(1), couriers=[gone, courier(RUI)], routes={ANA: route}), SEEN)
    assert [job.order_id.int for job in seen.jobs] == [1]


def test_from_where_a_courier_is_travel_times_are_asked_to_pickups_and_to_what_is_on_board():
    far = LatLon(41.2, -8.5)
    carried = order(1, state=OrderState.PICKED_UP, courier_id=ANA, picked_up_at=NOON, dropoff=OrderStop(at=far))
    found = survey(
        world(carried, order(2), couriers=[courier(), replace(courier(RUI), mode=Mode.CAR)]),
        {ANA: Whereabouts(at=CORNER, age_s=5), RUI: Whereabouts(at=LatLon(41.3, -8.4), age_s=5)},
    )
    at = {one.courier_id: one.start for one in found.workers}
    kitchen, home = found.places.index(KITCHEN), found.places.index(far)
    assert found.onwards[Mode.BICYCLE] == {at[ANA]: {kitchen}, at[RUI]: frozenset()}
    assert found.onwards[Mode.CAR] == {at[ANA]: frozenset(), at[RUI]: {kitchen}}
    assert (at[ANA], home) in found.ways


def test_who_stands_at_a_door_asks_for_all_that_one_may_go_to_from_there():
    found = survey(world(order(1)), {ANA: Whereabouts(at=KITCHEN, age_s=5)})
    assert found.onwards == {Mode.BICYCLE: {}}
