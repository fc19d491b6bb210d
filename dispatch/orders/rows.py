"""Database rows to domain values and back. JSON columns travel as text: connections need no codec."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from dispatch.orders.courier import Courier, Rest, Shift, ShiftBreak
from dispatch.orders.offer import Offer, OfferState
from dispatch.orders.order import NewOrder, Order, OrderKind, OrderState, OrderStop, Window
from tracking.position import LatLon, Mode

Row = Mapping[str, Any]


def to_json(value: object) -> str:
    """JSON text for a `jsonb` parameter."""
    return msgspec.json.encode(value).decode()


def from_json(value: Any) -> Any:
    """Value of a `jsonb` column, whether the connection has a codec for it or not."""
    return msgspec.json.decode(value) if isinstance(value, str | bytes) else value


def order_from_row(row: Row) -> Order:
    """An order from a row of `orders`."""
    modes = row["modes"]
    return Order(
        id=row["id"],
        region=row["region"],
        external_id=row["external_id"],
        customer_id=row["customer_id"],
        partner=row["partner"],
        state=OrderState(row["state"]),
        version=row["version"],
        pickup=_stop(row, "pickup"),
        dropoff=_stop(row, "dropoff"),
        placed_at=row["placed_at"],
        ready_at=row["ready_at"],
        ready_is_estimate=row["ready_is_estimate"],
        ready_error_s=row["ready_error_s"],
        size=from_json(row["size"]),
        modes=None if modes is None else frozenset(Mode(mode) for mode in modes),
        skills=frozenset(row["skills"]),
        priority=row["priority"],
        max_on_board_s=row["max_on_board_s"],
        kind=OrderKind(row["kind"]),
        depot=row["depot"],
        depot_named=row.get("depot_named", True),  # not in events that were told before there was any
        place_id=row.get("place_id"),  # nor this
        group_id=row["group_id"],
        courier_id=row["courier_id"],
        pinned=row["pinned"],
        assigned_at=row["assigned_at"],
        accepted_at=row["accepted_at"],
        picked_up_at=row["picked_up_at"],
        delivered_at=row["delivered_at"],
        closed_at=row["closed_at"],
        close_reason=row["close_reason"],
        proof=from_json(row["proof"]),
        attempt=row["attempt"],
        returns_to=_return_place(row),
    )


def _return_place(row: Row) -> OrderStop | None:
    if row["return_lat"] is None:
        return None
    at = LatLon(row["return_lat"], row["return_lon"])
    return OrderStop(at=at, address=row["return_address"], service_s=row["pickup_service_s"])


def _stop(row: Row, end: str) -> OrderStop:
    return OrderStop(
        at=LatLon(row[f"{end}_lat"], row[f"{end}_lon"]),
        address=row[f"{end}_address"],
        contact=from_json(row[f"{end}_contact"]),
        instructions=row[f"{end}_instructions"],
        window=Window(opens_at=row[f"{end}_opens_at"], due_at=row[f"{end}_due_at"], closes_at=row[f"{end}_closes_at"]),
        service_s=row[f"{end}_service_s"],
    )


def stop_values(stop: OrderStop) -> tuple[Any, ...]:
    """The columns of one end of an order, in the order of the table."""
    window = stop.window
    return (
        stop.at.lat,
        stop.at.lon,
        stop.address,
        None if stop.contact is None else to_json(stop.contact),
        stop.instructions,
        window.opens_at,
        window.due_at,
        window.closes_at,
        stop.service_s,
    )


def demand_values(order: NewOrder) -> tuple[Any, ...]:
    """The columns that say what an order needs, in the order of the table: ready time to time on board."""
    return (
        order.ready_at,
        order.ready_is_estimate,
        order.ready_error_s,
        to_json(order.size),
        None if order.modes is None else sorted(order.modes),
        sorted(order.skills),
        order.priority,
        order.max_on_board_s,
    )


def offer_from_row(row: Row) -> Offer:
    """An offer from a row of `offers`."""
    return Offer(
        id=row["id"],
        order_id=row["order_id"],
        courier_id=row["courier_id"],
        region=row["region"],
        state=OfferState(row["state"]),
        offered_at=row["offered_at"],
        expires_at=row["expires_at"],
        answered_at=row["answered_at"],
        reason=row["reason"],
        facts=from_json(row["facts"]),
        bundle_id=row["bundle_id"],
    )


def shift_from_row(row: Row) -> Shift:
    """A shift from a row of `shifts`."""
    return Shift(
        id=row["id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        breaks=tuple(
            ShiftBreak(
                opens_at=datetime.fromisoformat(pause["opens_at"]),
                closes_at=datetime.fromisoformat(pause["closes_at"]),
                duration_s=pause["duration_s"],
            )
            for pause in from_json(row["breaks"])
        ),
        start=None if row["start_lat"] is None else LatLon(row["start_lat"], row["start_lon"]),
        end=None if row["end_lat"] is None else LatLon(row["end_lat"], row["end_lon"]),
        series_id=row["series_id"],
    )


def rest_from_row(row: Row) -> Rest:
    """A break from a row of `breaks`."""
    return Rest(id=row["id"], began_at=row["began_at"], duration_s=row["duration_s"], ended_at=row["ended_at"])


def courier_from_row(row: Row, shifts: Sequence[Shift], rests: Sequence[Rest] = ()) -> Courier:
    """A courier from a row of `couriers`, the courier's shifts and breaks."""
    return Courier(
        id=row["id"],
        region=row["region"],
        mode=Mode(row["mode"]),
        name=row["name"],
        capacity=tuple(row["capacity"]),
        skills=frozenset(row["skills"]),
        partner=row["partner"],
        apart=row["apart"],
        max_orders=row["max_orders"],
        on_duty=row["on_duty"],
        by_shifts=row["by_shifts"],
        areas=frozenset(row["areas"]),
        home=None if row["home_lat"] is None or row["home_lon"] is None else LatLon(row["home_lat"], row["home_lon"]),
        range_m=row["range_m"],
        shifts=tuple(shifts),
        rests=tuple(rests),
    )
