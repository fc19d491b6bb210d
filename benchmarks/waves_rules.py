"""
The published rules of the dispatch waves, and their cost, written apart from the planner.

A route decided in epoch e leaves the depot at `epoch_s` e + `margin_s`; service starts within the window (whoever is
early waits), and the vehicle is back before the depot closes. Every request is served once, not before its epoch.
Cost: seconds driven.
"""

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Of the pool that requests are drawn from."""

    window_s: tuple[int, int]
    service_s: int
    demand: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and when it becomes known."""

    id: int
    epoch: int
    customer: int
    """Row of `durations_s`; 0 is the depot."""
    window_s: tuple[int, int]
    service_s: int
    demand: int


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day as the file has it."""

    name: str
    capacity: int
    closes_s: int
    epoch_s: int
    margin_s: int
    first_epoch: int
    last_epoch: int
    requests: list[Asked]
    customers: list[Customer]
    durations_s: list[list[int]]


class Driven(msgspec.Struct, frozen=True, kw_only=True):
    """A route, and the epoch it was decided in."""

    epoch: int
    request_ids: tuple[int, ...]


def read(path: Path) -> Day:
    """A day; raises OSError or ValueError when the file is none."""
    with gzip.open(path) as file:
        return msgspec.json.decode(file.read(), type=Day)


def cost(day: Day, routes: Sequence[Driven]) -> int:
    """Seconds driven by all."""
    customer = {one.id: one.customer for one in day.requests}
    total = 0
    for route in routes:
        stops = [0, *(customer[request_id] for request_id in route.request_ids), 0]
        total += sum(day.durations_s[a][b] for a, b in pairwise(stops))
    return total


def violations(day: Day, routes: Sequence[Driven]) -> Iterator[str]:
    """Every rule that is broken, in words."""
    asked = {one.id: one for one in day.requests}
    served = Counter(request_id for route in routes for request_id in route.request_ids)
    yield from (f"request {request_id} is not served" for request_id in asked.keys() - served.keys())
    yield from (f"request {request_id} is served {n} times" for request_id, n in served.items() if n > 1)
    yield from (f"request {request_id} is not of this day" for request_id in served.keys() - asked.keys())
    for number, route in enumerate(routes):
        if not day.first_epoch <= route.epoch <= day.last_epoch:
            yield f"route {number} leaves in epoch {route.epoch}"
        requests = [asked[request_id] for request_id in route.request_ids if request_id in asked]
        if sum(one.demand for one in requests) > day.capacity:
            yield f"route {number} carries more than {day.capacity}"
        clock, place = day.epoch_s * route.epoch + day.margin_s, 0
        for one in requests:
            if one.epoch > route.epoch:
                yield f"route {number} leaves in epoch {route.epoch} with request {one.id}, known from {one.epoch} on"
            clock = max(clock + day.durations_s[place][one.customer], one.window_s[0])
            if clock > one.window_s[1]:
                yield f"route {number} serves request {one.id} at {clock}, after {one.window_s[1]}"
            clock, place = clock + one.service_s, one.customer
        if clock + day.durations_s[place][0] > day.closes_s:
            yield f"route {number} is back after the depot closes"
