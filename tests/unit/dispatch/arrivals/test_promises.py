"""What was told of an order goes with it to its next courier."""

from dataclasses import replace
from uuid import UUID

from dispatch.arrivals import promises
from dispatch.arrivals.following import Following
from dispatch.stop import StopKind
from tests.unit.dispatch.arrivals.test_following import ANA, NOW, START, call, forecaster, route
from tracking.position import CourierId

RUI = CourierId(UUID(int=8))
BOTH = call(1, 500, StopKind.PICKUP), call(1, 1500)


def followed(courier_id, *calls):
    one = Following(replace(route(*calls), courier_id=courier_id))
    one.see(START, NOW)
    return one


def of_order(etas):
    return tuple(eta for eta in etas if eta.stop.order_id == UUID(int=1))


def test_an_order_that_nobody_has_keeps_what_was_told_until_somebody_has_it():
    ana = followed(ANA, *BOTH, call(2, 3000))
    told = ana.tell(forecaster(), NOW)
    ana.change(route(call(2, 3000), version=2))
    waiting = promises.lost({ANA: told}, {ANA: ana})
    assert waiting == {UUID(int=1): of_order(told)}
    rui = followed(RUI, *BOTH)
    followings = {ANA: ana, RUI: rui}
    assert promises.hand_on(waiting, followings, [RUI]) == {UUID(int=1)}
    assert (waiting, rui.said) == ({}, of_order(told))


def test_an_order_is_handed_on_also_when_its_new_courier_is_heard_of_first():
    ana = followed(ANA, *BOTH)
    told = ana.tell(forecaster(), NOW)
    rui = followed(RUI, *BOTH)
    assert promises.hand_on({}, {ANA: ana, RUI: rui}, [RUI]) == {UUID(int=1)}
    assert rui.said == told


def test_a_courier_who_goes_on_with_an_order_is_promised_nothing_again():
    ana = followed(ANA, *BOTH)
    told = ana.tell(forecaster(), NOW)
    ana.change(route(call(1, 1500), version=2))
    assert promises.lost({ANA: told}, {ANA: ana}) == {}
    assert promises.hand_on({}, {ANA: ana}, [ANA]) == set()
