"""The board of a region is made of rows that others wrote."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from app.shapes.board import board_of
from dispatch.arrivals.book import Told
from dispatch.arrivals.eta import Eta
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import CourierId, Region

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
PORTO = Region("porto")


def stop(courier_id: UUID, kind: str = "pickup", **facts: object) -> dict[str, object]:
    row: dict[str, object] = {
        "courier_id": courier_id, "mode": "bicycle", "version": 3, "scheduled_at": str(AT + 60), "break_at": None,
        "break_s": None, "rests_until": None, "order_id": uuid4(), "kind": kind, "is_assigned": True,
        "pickup_lat": 41.15, "pickup_lon": -8.61, "pickup_opens_at": None, "pickup_promised_at": None,
        "pickup_service_s": 120, "pickup_opens_when_ready": False, "ready_error_s": None, "dropoff_lat": 41.16,
        "dropoff_lon": -8.62, "dropoff_opens_at": None, "dropoff_promised_at": NOW, "dropoff_service_s": None,
    }  # fmt: skip
    return row | facts


def board(stops: list[dict[str, object]], told: dict[CourierId, Told] | None = None, **more: list[dict[str, object]]):
    return board_of(PORTO, NOW, stops=stops, told=told or {}, shifts=more.get("shifts", []), resting=[])


def test_arrivals_are_those_that_are_kept_for_this_route_and_the_plans_own_where_there_are_none():
    ana, rui, order = uuid4(), uuid4(), uuid4()
    eta = Eta(
        stop=PlannedStop(OrderId(order), StopKind.PICKUP),
        p10=AT, p50=AT + 300, p90=AT + 500, computed_at=AT, source="learned", confidence=0.9,
    )  # fmt: skip
    told = {
        CourierId(ana): Told(route_version=3, computed_at=AT, etas=(eta,)),
        CourierId(rui): Told(route_version=2, computed_at=AT, etas=(eta,)),
    }
    found = board([stop(ana, order_id=order), stop(ana, "dropoff", is_assigned=False), stop(rui, order_id=order)], told)
    [[first, second], [third]] = [route.stops for route in found.routes]
    assert [one.arrives_at and one.arrives_at.timestamp() - AT for one in (first, second, third)] == [300, 60, 60]
    assert (first.latest_at is None, second.latest_at, third.latest_at) == (False, None, None)
    assert (first.planned, second.planned, first.service_s, second.due_at) == (False, True, 120, NOW)


def test_record_that_cannot_be_read_leaves_out_its_courier_and_nobody_else():
    ana, odd, tired = uuid4(), uuid4(), uuid4()
    shift = {"courier_id": ana, "starts_at": NOW, "ends_at": NOW, "breaks": "[]"}
    shifts = [shift | {"courier_id": tired, "breaks": '[{"opens_at": "soon"}]'}, shift]
    found = board([stop(odd, scheduled_at="soon"), stop(ana)], shifts=shifts)
    assert [route.courier_id for route in found.routes] == [ana]
    assert [one.courier_id for one in found.shifts] == [ana]
    assert found.left_out == [odd, tired]
    assert board([stop(odd, scheduled_at="1e300"), stop(ana)]).left_out == [odd]
