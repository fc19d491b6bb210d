"""
From POST of an order to the offer on the courier's stream, through the whole system.

    python -m benchmarks.offer_latency [--couriers 150] [--orders 200] [--per-second 2] [--json]

Starts `postrider up` with embedded servers in a temporary folder, or uses a running one with `--url` and `--token`.
Couriers stand scattered over a city, listen to their streams, accept every offer and deliver it at once; besides there
are orders that are open all the time, because they will be ready only in fifty minutes. No courier is busy for long, on
purpose: the planner commits late, so it keeps an order back whose best courier is not free yet, and that wait is not
what is measured. The client shares the machine with the system.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import httpx

from benchmarks.whole import postrider_up

CENTRE = (41.155, -8.62)
SPREAD_DEG = 0.03
"""About 3 km around the centre."""
READY_IN = timedelta(minutes=50)
"""Of the orders that stay open."""
OFFER_WITHIN_S = 15.0
"""An order that nobody was offered for so long is counted as missed."""


@dataclass(slots=True)
class Run:
    """What was seen."""

    posted: dict[str, float] = field(default_factory=dict)
    """Moment of the POST by order id."""
    offered: dict[str, float] = field(default_factory=dict)
    post_s: list[float] = field(default_factory=list)
    waits: dict[str, asyncio.Event] = field(default_factory=dict)


def scattered(dice: random.Random) -> dict[str, float]:
    """A place in the city."""
    return {
        axis: centre + dice.uniform(-SPREAD_DEG, SPREAD_DEG)
        for axis, centre in zip(("lat", "lon"), CENTRE, strict=True)
    }


@contextmanager
def system(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Address and administrator's token of a Postrider."""
    if options.url:
        yield options.url, options.token
        return
    with postrider_up() as whole:
        yield whole.url, whole.token


async def courier(
    url: str, staff: httpx.AsyncClient, run: Run, place: dict[str, float], number: int, over: asyncio.Event
) -> None:
    """One courier at work: reports where they are, listens, accepts and delivers."""
    courier_id = (await staff.post("/v1/couriers", json={"name": f"C{number}", "mode": "bicycle"})).json()["id"]
    token = (await staff.post(f"/v1/couriers/{courier_id}/tokens")).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as phone,
        asyncio.TaskGroup() as group,
    ):
        reporting = group.create_task(_report(phone, place))
        listening = group.create_task(_listen(phone, courier_id, run, group))
        await over.wait()
        reporting.cancel()
        listening.cancel()


async def _report(phone: httpx.AsyncClient, place: dict[str, float]) -> None:
    while True:
        await phone.post("/v1/positions", json=place | {"fixed_at": datetime.now(UTC).isoformat()})
        await asyncio.sleep(5)


async def _listen(phone: httpx.AsyncClient, courier_id: str, run: Run, group: asyncio.TaskGroup) -> None:
    async with phone.stream("GET", f"/v1/couriers/{courier_id}/route/stream", timeout=None) as stream:
        event = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event == "offer":
                offer = json.loads(line[6:])
                run.offered.setdefault(offer["order_id"], monotonic())
                run.waits.setdefault(offer["order_id"], asyncio.Event()).set()
                group.create_task(_carry(phone, offer))


async def _carry(phone: httpx.AsyncClient, offer: dict[str, Any]) -> None:
    if (await phone.post(f"/v1/offers/{offer['id']}/accept")).status_code != httpx.codes.OK:
        return
    for step in ("picked-up", "delivered"):
        await phone.post(f"/v1/orders/{offer['order_id']}/{step}")


async def measure(options: argparse.Namespace, url: str, token: str) -> Run:
    """Place the orders at random moments, at the rate that was asked for."""
    dice, run, over = random.Random(options.seed), Run(), asyncio.Event()
    async with AsyncExitStack() as stack:
        staff = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        )
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for number in range(options.couriers):
            group.create_task(courier(url, staff, run, scattered(dice), number, over))
        await asyncio.sleep(5 + options.couriers / 50)
        ready_at = (datetime.now(UTC) + READY_IN).isoformat()
        for _ in range(options.open):
            await _place(staff, run, dice, counts=False, ready_at=ready_at)
        placing = []
        for number in range(-options.warm_up, options.orders):
            placing.append(group.create_task(_place(staff, run, dice, counts=number >= 0)))
            await asyncio.sleep(dice.expovariate(options.per_second))
        await asyncio.gather(*placing)
        waits = [run.waits.setdefault(order_id, asyncio.Event()).wait() for order_id in run.posted]
        await asyncio.wait([asyncio.create_task(wait) for wait in waits], timeout=OFFER_WITHIN_S)
        over.set()
    return run


async def _place(
    staff: httpx.AsyncClient, run: Run, dice: random.Random, *, counts: bool, ready_at: str | None = None
) -> None:
    order = {"pickup": scattered(dice), "dropoff": scattered(dice), "ready_at": ready_at}
    began = monotonic()
    answer = await staff.post("/v1/orders", json=order)
    if counts:
        run.post_s.append(monotonic() - began)
        run.posted[answer.json()["id"]] = began


def summary(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """The figures, milliseconds."""
    latencies = sorted(run.offered[i] - began for i, began in run.posted.items() if i in run.offered)
    return {
        "settings": {name: getattr(options, name) for name in ("couriers", "orders", "per_second", "open", "seed")},
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "n_offered": len(latencies),
        "n_missed": len(run.posted) - len(latencies),
        "post_p50_ms": round(1000 * statistics.median(run.post_s), 1),
        **{f"offer_p{q}_ms": round(1000 * _quantile(latencies, q / 100), 1) for q in (50, 95, 99)},
        "offer_max_ms": round(1000 * latencies[-1], 1),
    }


def _quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--couriers", type=int, default=150)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--warm-up", type=int, default=20, help="orders placed first that do not count")
    parser.add_argument("--per-second", type=float, default=2.0)
    parser.add_argument("--open", type=int, default=50, help="orders that stay open")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="a running Postrider; its administrator's token with --token")
    parser.add_argument("--token", default="")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    with system(options) as (url, token):
        found = summary(asyncio.run(measure(options, url, token)), options)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
