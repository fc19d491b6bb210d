"""Kinds of alerts, and those that the planner heeds."""

from enum import StrEnum


class AlertKind(StrEnum):
    """What may be wrong with a courier or an order."""

    STUCK = "stuck"
    SILENT = "silent"
    FROZEN = "frozen"
    OFF_ROUTE = "off_route"
    LATE_RISK = "late_risk"
    LATE = "late"
    LOW_BATTERY = "low_battery"
    OUTSIDE_REGION = "outside_region"
    IMPOSSIBLE_JUMP = "impossible_jump"
    INTAKE_SILENT = "intake_silent"
    """Couriers fell silent together: it is our outage, nobody is judged by silence meanwhile; about the region."""
    UNASSIGNED = "unassigned"
    """An order has been without a courier for long, or little of the time that was promised is left."""
    UNACCEPTED = "unaccepted"
    """Offers of an order ran out or were refused, one after the other."""
    IMPOSSIBLE = "impossible"
    """Nobody can take an order any more, or ever could; `facts.reasons` says why."""
    GOODS_ON_BOARD = "goods_on_board"
    """A courier's shift is over, and what is on board was not handed over."""
    SET_ASIDE = "set_aside"
    """A part of the program cannot use a record and goes on without it; `facts.cause` says why."""
    WEBHOOK_OFF = "webhook_off"
    """Another system took no events for days and is sent none any more; `facts.reason` says why."""
    MESSAGE = "message"
    """A courier has written to support, and was not answered yet."""


TROUBLE_KINDS = frozenset({AlertKind.STUCK, AlertKind.SILENT})
"""While one of these is open, the courier is given nothing new; see `dispatch.region.store` for what is taken away."""

PLAN_KINDS = TROUBLE_KINDS | {AlertKind.FROZEN, AlertKind.LATE, AlertKind.LATE_RISK}
"""The plan is made anew when one of these is raised or ends; the others are for people."""
