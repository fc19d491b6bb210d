"""Two processes of every role, turns longer than the lease, one stopped and continued: what counts is the holder's."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.dispatch.arrivals.test_answers import put_on_route
from tests.integration.dispatch.conftest import RESTAURANT
from tests.waiting import PATIENCE_S, until
from tracking import events
from tracking.batch import MODES
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Upload
from tracking.position import Mode, Region

ROOT = Path(__file__).parents[3]
REGIONS = (Region("default"), Region("second"))
JOBS = {"dispatch", "watch", "arrivals"}


@pytest.fixture
def start(database_url, redis_url, tmp_path):
    processes = []

    def begin():
        with (tmp_path / f"{len(processes)}.jsonl").open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.dispatch.slow_roles", database_url, redis_url],
                cwd=ROOT,
                stdout=said,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def told(tmp_path):
    """What the processes said, by time."""
    lines = [line for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    return sorted((json.loads(line) for line in lines), key=lambda said: said["at"])


async def holders(city):
    """Process id by job and region, of the leases in force."""
    rows = await city.pool.fetch("SELECT job, region, holder FROM leases WHERE expires_at > clock_timestamp()")
    return {(row["job"], row["region"]): int(row["holder"].split(":")[1]) for row in rows}


async def stand_still(city, courier_id, region):
    """The courier's phone sends the last ten minutes, which it has spent at one place."""
    now = datetime.now(UTC)
    readings = [
        Reading(fixed_at=now - timedelta(seconds=s), lat=RESTAURANT.lat, lon=RESTAURANT.lon, accuracy_m=5.0)
        for s in range(600, 0, -10)
    ]
    sender = Sender(courier_id, region, MODES.index(Mode.BICYCLE))
    ingest = Ingest(city.redis)
    await ingest.accept(Upload(region=region, readings=readings, senders=[sender] * len(readings)))
    await ingest.close()


async def populate(city):
    """In each region a courier on a route, one who is free, and an order that waits: the couriers, and the orders."""
    await city.pool.execute("INSERT INTO regions (id, name) VALUES ('second', 'Second')")
    couriers, waiting = [], []
    for region in REGIONS:
        busy, free = await city.hire("Ana"), await city.hire("Rui")
        await city.pool.execute("UPDATE couriers SET region = $1 WHERE id = any($2::uuid[])", region, [busy, free])
        carried = await city.place(region=region)
        await put_on_route(city, carried, busy)
        await city.pool.execute("UPDATE routes SET region = $1 WHERE courier_id = $2", region, busy)
        couriers += [(busy, region), (free, region)]
        waiting.append((await city.place(region=region)).id)
    return couriers, waiting


async def test_what_counts_is_the_holders_when_one_is_stopped_in_its_turn_and_goes_on(city, start, tmp_path):
    first, second = start(), start()
    pids = {first.pid, second.pid}
    couriers, waiting = await populate(city)

    async def work_is_shared_out():
        found = await holders(city)
        return Counter(found.values()) == dict.fromkeys(pids, len(JOBS)) and len(found) == 2 * len(JOBS)

    await until(work_is_shared_out)
    for courier_id, region in couriers:
        await stand_still(city, courier_id, region)

    async def in_all_turns():
        last = {(said["pid"], said["job"], said["region"]): said["event"] for said in told(tmp_path)}
        held = [key for key, pid in (await holders(city)).items() if pid == first.pid]
        return {job for job, region in held if last.get((first.pid, job, region)) == "begun"} == JOBS

    await until(in_all_turns)
    first.send_signal(signal.SIGSTOP)

    async def second_has_everything():
        found = await holders(city)
        return len(found) == 2 * len(JOBS) and set(found.values()) == {second.pid}

    await until(second_has_everything)
    for courier_id, region in couriers:
        await stand_still(city, courier_id, region)

    async def second_has_done_everything():
        said_by = [said for said in told(tmp_path) if said["event"] == "written" and said["pid"] == second.pid]
        return {(said["job"], said["region"]) for said in said_by} == {
            (job, region) for job in JOBS for region in REGIONS
        }

    await until(second_has_done_everything)
    first.send_signal(signal.SIGCONT)
    n_before = len(told(tmp_path))

    async def first_works_again():
        return any(said["pid"] == first.pid and said["event"] == "begun" for said in told(tmp_path)[n_before:])

    await until(first_works_again)
    for process in (first, second):
        process.terminate()
    assert [await asyncio.to_thread(process.wait, PATIENCE_S) for process in (first, second)] == [0, 0]
    newest = Counter()
    for said in told(tmp_path):
        if said["event"] == "written":
            key = (said["job"], said["region"])
            assert said["token"] >= newest[key], said
            newest[key] = said["token"]
    for order_id in waiting:
        assert (await city.actions(order_id)).count("assign") == 1
        assert await city.pool.fetchval("SELECT count(*) FROM offers WHERE order_id = $1", order_id) == 1
    for region in REGIONS:
        begun = [
            (event.facts["courier_id"], event.facts["arrived_at"])
            for event in await events.read(city.redis, region, after=events.START)
            if event.type == "stay.began"
        ]
        assert begun
        assert len(begun) == len(set(begun))
