"""
What couriers' apps read: route, day and offers, with and without the copy that an app has already.

    python -m benchmarks.courier [--couriers 50] [--at-once 16] [--seconds 5] [--rounds 3] [--json]

Starts `postrider up` with embedded servers in a temporary folder. Each courier has an accepted order. As many
connections as are asked for read without a pause, each time for the next courier; in turn without and with the tag of
what was read last (`If-None-Match`), so that both meet the same minutes of the machine, which the client shares.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from benchmarks.connection import Connection
from benchmarks.offer_latency import scattered
from benchmarks.whole import postrider_up
from benchmarks.world import ROOT, commit_of

READS: Final = {"route": "/v1/couriers/{}/route", "day": "/v1/couriers/{}/day", "offers": "/v1/offers?state=open"}
NO_LIMITS: Final = {"POSTRIDER_RATE_COURIER": "0", "POSTRIDER_RATE_ADDRESS": "0", "POSTRIDER_RATE_SERVICE": "0"}


@dataclass(frozen=True, slots=True)
class Phone:
    """A courier's app, and the tags of what it read last."""

    courier_id: str
    token: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Seen:
    """Of one read: how long, how much, and how often there was nothing new."""

    took_s: list[float] = field(default_factory=list)
    n_bytes: int = 0
    n_known: int = 0


async def hire(url: str, token: str, n: int, seed: int) -> list[Phone]:
    """Couriers who have accepted an order each."""
    dice, phones = random.Random(seed), []
    async with _client(url, token) as staff:
        for number in range(n):
            courier = (await staff.post("/v1/couriers", json={"name": f"C{number}", "mode": "bicycle"})).json()["id"]
            made = (await staff.post(f"/v1/couriers/{courier}/tokens")).json()["token"]
            order = {"pickup": scattered(dice), "dropoff": scattered(dice)}
            order_id = (await staff.post("/v1/orders", json=order)).json()["id"]
            given = {"courier_id": courier, "reason": "benchmark", "force": True}
            (await staff.post(f"/v1/orders/{order_id}/reassign", json=given)).raise_for_status()
            async with _client(url, made) as phone:
                for offer in (await phone.get("/v1/offers", params={"state": "open"})).json()["items"]:
                    await phone.post(f"/v1/offers/{offer['id']}/accept")
            phones.append(Phone(courier, made))
    return phones


def _client(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0)


async def read(url: str, turns: Iterator[Phone], seen: dict[str, Seen], *, has_copy: bool, until: float) -> None:
    """One connection, until then."""
    async with Connection(url) as connection:
        while time.monotonic() < until:
            phone = next(turns)
            for name, path in READS.items():
                known = phone.tags.get(name, "") if has_copy else ""
                began = time.perf_counter()
                status, content = await connection.answer(
                    "GET", path.format(phone.courier_id), phone.token, known=known
                )
                took_s = time.perf_counter() - began
                if status not in {200, 304}:
                    raise RuntimeError(f"{path}: {status} {content[:200]!r}")
                phone.tags[name] = connection.tag
                one = seen[name]
                one.took_s.append(took_s)
                one.n_bytes += len(content)
                one.n_known += status == 304


async def measure(options: argparse.Namespace, url: str, phones: Sequence[Phone]) -> dict[str, Any]:
    """Both ways in turn; milliseconds, by read."""
    found = {way: {name: Seen() for name in READS} for way in ("without", "with")}
    warm_up = {name: Seen() for name in READS}
    for way, seen in [("without", warm_up), *itertools.chain(*([*found.items()] for _ in range(options.rounds)))]:
        turns = itertools.cycle(phones)
        until = time.monotonic() + options.seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(options.at_once):
                group.create_task(read(url, turns, seen, has_copy=way == "with", until=until))
    return {way: {name: _figures(one) for name, one in seen.items()} for way, seen in found.items()}


def _figures(seen: Seen) -> dict[str, float]:
    cuts = statistics.quantiles(seen.took_s, n=100)
    n = len(seen.took_s)
    return {
        "n": n,
        "p50_ms": round(1000 * cuts[49], 1),
        "p95_ms": round(1000 * cuts[94], 1),
        "p99_ms": round(1000 * cuts[98], 1),
        "bytes": round(seen.n_bytes / n),
        "nothing_new": round(seen.n_known / n, 3),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--couriers", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    load_before = round(os.getloadavg()[0], 2)
    with postrider_up(NO_LIMITS) as whole:
        phones = asyncio.run(hire(whole.url, whole.token, options.couriers, options.seed))
        results = asyncio.run(measure(options, whole.url, phones))
    found = {
        "benchmark": "courier",
        "commit": commit_of(ROOT),
        "settings": {key: value for key, value in vars(options).items() if key != "json"},
        "machine": {"cores": os.cpu_count(), "load_before": load_before, "python": platform.python_version()},
        "results": results,
    }
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for way, reads in results.items():
        for name, row in reads.items():
            print(f"{name}, {way} a copy: " + ", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
