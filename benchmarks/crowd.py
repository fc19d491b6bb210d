"""
Everybody who is slow at once, as the law has it: for the benchmark of it (`benchmarks.edge`) and for its test.

3,000 connections on which nothing is said, 50 bodies that stay half sent, a viewer who asks for a year of stops, and
200 who apply one preview at the same moment.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import numpy as np

from benchmarks.connection import Connection
from tracking.batch import PositionColumns
from tracking.history.history import History

IDLE: Final = 3000
HALF_SENT: Final = 50
APPLIES: Final = 200
FIXES: Final = 50_000
"""Of the last week, one every 12 s: what a page of stops folds."""
ORDER: Final = {"pickup": {"lat": 41.15, "lon": -8.61}, "dropoff": {"lat": 41.16, "lon": -8.62}}


async def busy_week(pool: Any, courier_id: UUID) -> None:
    """Somebody who went to and fro all week."""
    seconds = np.arange(FIXES) * 12.0
    at_us = np.rint((datetime.now(UTC).timestamp() - 60 - seconds[::-1]) * 1e6).astype("<i8")
    unknown = np.full(FIXES, np.nan)
    columns = PositionColumns.from_floats(
        courier_ids=(courier_id,),
        courier=[0] * FIXES,
        fixed_us=at_us,
        received_us=at_us,
        lat=41.15 + 0.02 * np.sin(seconds / 900),
        lon=np.full(FIXES, -8.61),
        speed_mps=unknown,
        course_deg=unknown,
        accuracy_m=np.full(FIXES, 5.0),
        altitude_m=unknown,
        battery_pct=unknown,
        mode=np.ones(FIXES, dtype="<i1"),
        marks=np.zeros(FIXES, dtype=np.int64),
    )
    await History(pool).insert_many(columns)


@asynccontextmanager
async def silent(url: str, token: str, *, idle: int = IDLE) -> AsyncIterator[None]:
    """Connections on which nothing comes, and such on which half a body does."""
    address = httpx.URL(url)
    head = f"POST /v1/positions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n["
    words = [b""] * idle + [head.encode()] * HALF_SENT
    opened = [(await asyncio.open_connection(address.host, address.port))[1] for _ in words]
    for writer, said in zip(opened, words, strict=True):
        writer.write(said)
    yield
    for writer in opened:
        writer.close()


async def year_of_stops(client: httpx.AsyncClient, courier_id: UUID | str) -> int:
    """Page by page and week by week, from now backwards; how many there were."""
    n, until = 0, datetime.now(UTC)
    for _ in range(53):
        since = until - timedelta(days=7)
        wanted = {"from": since.isoformat(), "to": until.isoformat()}
        while wanted:
            answer = (await client.get(f"/v1/couriers/{courier_id}/stops", params=wanted)).raise_for_status().json()
            n += len(answer["items"])
            wanted = {"cursor": answer["next"]} if answer.get("next") else {}
        until = since
    return n


async def apply_at_once(url: str, token: str) -> Counter[int]:
    """
    One preview, applied by all of them at the same moment: what they were answered.

    Over connections that cost next to nothing: a pool of 200 takes more of the processor than what it asks for.
    """
    asked = {"add_orders": [ORDER]}
    async with AsyncExitStack() as stack:
        others = await asyncio.gather(*(stack.enter_async_context(Connection(url)) for _ in range(APPLIES)))
        _, previewed = await others[0].ask("POST", "/v1/plans/preview", token, json.dumps(asked).encode())
        wanted = json.dumps(asked | {"basis": json.loads(previewed)["basis"]}).encode()
        answers = await asyncio.gather(*(other.answer("POST", "/v1/plans/apply", token, wanted) for other in others))
    return Counter(status for status, _ in answers)
