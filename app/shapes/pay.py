"""Pay over HTTP: amounts are whole minor units (cents) of the currency beside them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.shapes.orders import Instant
from dispatch.orders.rows import from_json
from dispatch.pay.simulating import Simulated
from dispatch.pay.source import LARGEST

Minor = int
"""Minor units."""
Text = Annotated[str, Meta(max_length=500)]
Source = Annotated[str, Meta(min_length=1, max_length=LARGEST)]
Given = Annotated[int, Meta(ge=-100_000_000, le=100_000_000)]


class NewPayRules(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Rules for a region."""

    rules: Source
    """YAML; what cannot be used is told with line and column."""
    region: str | None = None
    in_force_from: Instant | None = None
    """None: now. Up to 31 days ago: what was booked since is put right by entries for the difference."""
    note: Text = ""


class PayRules(msgspec.Struct, kw_only=True):
    """A version of a region's rules; of those that have begun the one that began last is in force."""

    region: str
    version: int
    in_force_from: datetime
    rules: str
    note: str
    created_at: datetime
    created_by: str


class PaySimulation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which period, by which rules: a text, or a version that there is."""

    from_: date = msgspec.field(name="from")
    to: date
    """Both days included, by the region's clock; 31 at most."""
    region: str | None = None
    rules: Source | None = None
    version: Annotated[int, Meta(ge=1)] | None = None


class SimulatedPay(msgspec.Struct, kw_only=True):
    """A courier's period."""

    courier_id: UUID
    name: str
    booked: Minor
    simulated: Minor
    difference: Minor
    by_rule: dict[str, int]


class PaySimulated(msgspec.Struct, kw_only=True):
    """What would have been paid, and what was."""

    region: str
    currency: str
    digits: int
    from_: date = msgspec.field(name="from")
    to: date
    booked: Minor
    simulated: Minor
    difference: Minor
    couriers: list[SimulatedPay]


class PayEntry(msgspec.Struct, kw_only=True):
    """A line of the ledger."""

    id: UUID
    courier_id: UUID
    region: str
    kind: Literal["accrual", "tip", "correction", "reversal"]
    rule: str
    version: int | None
    """Of the rules."""
    amount: Minor
    currency: str
    at: datetime
    """When it was earned."""
    day: date
    written_at: datetime
    order_id: UUID | None
    facts: dict[str, Any]
    """What it was computed from."""
    reverses: UUID | None
    actor: str
    reason: str | None


class NewPayEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A tip that was given, of which the courier has what the rules say; or a correction by hand."""

    courier_id: UUID
    kind: Literal["tip", "correction"]
    amount: Given
    """Minor units; of a correction also less than nothing."""
    order_id: UUID | None = None
    at: Instant | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    """A correction needs one."""


class Reversal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why an entry is taken back."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class PaySum(msgspec.Struct, kw_only=True):
    """What one rule brought, or one kind of entry of people."""

    rule: str
    title: str
    kind: str
    amount: Minor
    n: int


class CourierPay(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A statement: sums by rule, and the entries they are made of."""

    courier_id: UUID
    region: str
    timezone: str
    currency: str | None
    """null: there are no rules, and no entry."""
    digits: int
    from_: datetime = msgspec.field(name="from")
    to: datetime
    total: Minor
    sums: list[PaySum]
    items: list[PayEntry]
    next: str | None = None


class MoneyShape(msgspec.Struct, kw_only=True):
    """An amount in minor units of a currency that has so many digits after the point."""

    amount: Minor
    currency: str
    digits: int


def entry_shape(row: Any) -> PayEntry:
    """Of a row of `pay_entries`."""
    names = PayEntry.__struct_fields__
    return PayEntry(**{**{name: row[name] for name in names}, "facts": from_json(row["facts"])})


def simulated_shape(one: Simulated) -> SimulatedPay:
    """Of a courier."""
    return SimulatedPay(
        courier_id=one.courier_id,
        name=one.name,
        booked=one.booked,
        simulated=one.simulated,
        difference=one.difference,
        by_rule=one.by_rule,
    )
