"""
What kill -9 does, with real processes and recorded tracks: every fix answered with 2xx is in history exactly once.

One plant of PostgreSQL, Redis, API and writer serves the module; each test has couriers of its own and leaves the plant
running.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import httpx
import psycopg
import pytest
import redis

from app.machine.migrate import migrate
from app.machine.servers import PostgresServer, RedisServer, free_port
from app.machine.tokens import make_token
from app.simulation.recordings import Recording, read_all
from app.simulation.replay import ReplayParams, Summary
from app.simulation.replay import replay as post_recordings
from app.web.auth import Role
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[2]
N_FIXES = 12_000
"""Of the recording, in the tests that kill; the whole of it is replayed in the last test."""


@dataclass
class Process:
    """A role's process, that can be killed and started again."""

    arguments: list[str]
    environ: dict[str, str]
    process: subprocess.Popen | None = field(default=None)
    log: IO[str] | None = None
    """Where its lines go; None: where ours go."""
    root: Path = ROOT
    """Where its code is."""

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", *self.arguments],
            cwd=self.root,
            env=self.environ,
            stderr=self.log,
            start_new_session=True,
        )

    def kill(self) -> None:
        """As a crash: the process and its children, without a farewell."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=PATIENCE_S)


@dataclass
class Plant:
    postgres: PostgresServer
    redis: RedisServer
    api: Process
    writer: Process
    url: str
    token: str

    def rows_of(self, name: str) -> list[tuple]:
        """What is stored of the courier with that external id."""
        with psycopg.connect(self.postgres.url) as connection:
            return connection.execute(
                "SELECT p.fixed_at, p.lat_e7, p.lon_e7, p.accuracy_dm, p.speed_cmps, p.marks FROM positions p"
                " JOIN couriers c ON c.id = p.courier_id WHERE c.external_id = %s ORDER BY p.fixed_at",
                (name,),
            ).fetchall()

    def wait_until_stored(self, name: str, n: int) -> list[tuple]:
        return wait_until(lambda: (rows := self.rows_of(name)) and len(rows) >= n and rows)

    def replay(self, *recordings: Recording, batch: int = 200, meanwhile=None) -> Summary:
        """Post the recordings, and do something in the middle of it."""
        return asyncio.run(self._replay(recordings, batch, meanwhile))

    async def _replay(self, recordings, batch, meanwhile) -> Summary:
        params = ReplayParams(files=(), url=self.url, token=self.token, batch=batch, keep_times=True)
        n = sum(len(recording.fixes) for recording in recordings)
        half = asyncio.Event()
        answered = 0

        async def count(response: httpx.Response) -> None:
            nonlocal answered
            if response.status_code == 202:
                answered += batch
                if answered > n / 2:
                    half.set()

        async with (
            httpx.AsyncClient(
                base_url=self.url,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=PATIENCE_S,
                event_hooks={"response": [count]},
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            posting = group.create_task(post_recordings(client, recordings, params))
            await half.wait()
            if meanwhile is not None:
                await asyncio.to_thread(meanwhile)
        return posting.result()


@pytest.fixture(scope="module")
def plant(servers_folder: Path) -> Iterator[Plant]:
    postgres, server = PostgresServer(servers_folder / "plant-postgres"), RedisServer(servers_folder / "plant-redis")
    port = free_port()
    try:
        for store in (postgres, server):
            store.start()
        migrate(postgres.url)
        environ = {
            **os.environ,
            "DATABASE_URL": postgres.url,
            "REDIS_URL": server.url,
            "POSTRIDER_WRITER_TAKEOVER_S": "1",
            "POSTRIDER_LOG_LEVEL": "ERROR",
        }
        api, writer = Process(["api", "--port", str(port)], environ), Process(["writer"], environ)
        token = asyncio.run(make_token(postgres.url, Role.ADMIN, "faults"))
        found = Plant(postgres, server, api, writer, f"http://127.0.0.1:{port}", token)
        for role in (api, writer):
            role.start()
        wait_until(lambda: is_ready(found.url))
        yield found
    finally:
        for process in (api, writer, server, postgres):
            process.stop()


@pytest.fixture(scope="module")
def recording(data_folder: Path) -> Recording:
    """The recorded track, without long gaps, ending now."""
    file = data_folder / "gps" / "geolife_001.csv.gz"
    if not file.exists():
        pytest.skip("no recorded track: geolife_001.csv.gz")
    [found], _ = read_all([file])
    return found.without_gaps().ending_at(datetime.now(UTC))


def part(recording: Recording, name: str, n: int = N_FIXES) -> Recording:
    return replace(recording, name=name, fixes=recording.fixes[-n:])


@pytest.mark.parametrize("victim", ["api", "writer", "redis", "postgres"])
def test_kill_in_the_middle_of_a_replay_loses_and_doubles_nothing(plant, recording, victim):
    def kill_and_restart():
        store = getattr(plant, victim)
        store.kill()
        time.sleep(0.3)
        store.start()

    track = part(recording, f"killed {victim}")
    summary = plant.replay(track, meanwhile=kill_and_restart)
    # The phone feels it when the API or Redis dies; the writer and PostgreSQL may be away without its knowing.
    assert (summary.repeated_requests > 0) == (victim in {"api", "redis"})
    assert summary.accepted == len(track.fixes)
    rows = plant.wait_until_stored(track.name, len(track.fixes))
    assert [row[0] for row in rows] == sorted(fix.fixed_at for fix in track.fixes)


def test_two_writers_at_once_double_nothing(plant, recording):
    second = Process(["writer"], plant.writer.environ)
    second.start()
    try:
        track = part(recording, "two writers")
        assert plant.replay(track).accepted == len(track.fixes)
        assert len(plant.wait_until_stored(track.name, len(track.fixes))) == len(track.fixes)
    finally:
        second.stop()


def test_shuffled_repeated_and_split_over_two_phones_gives_the_same_rows(plant, recording):
    track = part(recording, "in order", 4000)
    plant.replay(track)
    expected = plant.wait_until_stored(track.name, len(track.fixes))
    with httpx.Client(
        base_url=plant.url, headers={"Authorization": f"Bearer {plant.token}"}, timeout=PATIENCE_S
    ) as staff:
        courier = staff.post("/v1/couriers", json={"name": "x", "mode": "car", "external_id": "shuffled"}).json()["id"]
        phones = [staff.post(f"/v1/couriers/{courier}/tokens", json={}).json()["token"] for _ in range(2)]
        fixes = [{"fixed_at": fix.fixed_at.isoformat(), **fix.values} for fix in track.fixes] * 2
        random.Random(3).shuffle(fixes)
        for i in range(0, len(fixes), 250):
            headers = {"Authorization": f"Bearer {phones[i // 250 % 2]}"}
            answer = staff.post("/v1/positions", json=fixes[i : i + 250], headers=headers)
            assert answer.json() == {"accepted": 250, "quarantined": []}
    assert plant.wait_until_stored("shuffled", len(expected)) == expected


def test_emptied_redis_shows_the_last_positions_again(plant, recording):
    track = part(recording, "emptied", 500)
    plant.replay(track)
    plant.wait_until_stored(track.name, len(track.fixes))
    with httpx.Client(
        base_url=plant.url, headers={"Authorization": f"Bearer {plant.token}"}, timeout=PATIENCE_S
    ) as staff:
        [courier] = staff.get("/v1/couriers", params={"external_id": "emptied"}).json()["items"]
        address = f"/v1/couriers/{courier['id']}/position"
        before = staff.get(address).json()
        with redis.Redis.from_url(plant.redis.url) as client:
            client.flushall()
        wait_until(lambda: staff.get(address).status_code == 200)
        after = staff.get(address).json()
    assert [after[name] for name in ("fixed_at", "lat", "lon")] == [before[name] for name in ("fixed_at", "lat", "lon")]
    assert before["fixed_at"] == max(fix.fixed_at for fix in track.fixes).isoformat().replace("+00:00", "Z")


def test_phone_an_hour_ahead_is_quarantined_for_staff_to_see_and_not_shown(plant):
    with httpx.Client(
        base_url=plant.url, headers={"Authorization": f"Bearer {plant.token}"}, timeout=PATIENCE_S
    ) as staff:
        courier = staff.post("/v1/couriers", json={"name": "ahead", "mode": "car"}).json()["id"]
        phone = staff.post(f"/v1/couriers/{courier}/tokens", json={}).json()["token"]
        at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        fix = {"fixed_at": at, "lat": 41.15, "lon": -8.61}
        answer = staff.post("/v1/positions", json=fix, headers={"Authorization": f"Bearer {phone}"})
        assert answer.json() == {"accepted": 0, "quarantined": [{"index": 0, "reason": "future"}]}
        assert staff.get(f"/v1/couriers/{courier}/position").status_code == 404
        items = wait_until(lambda: staff.get("/v1/quarantine", params={"courier_id": courier}).json()["items"])
    assert [(item["reason"], item["source"]) for item in items] == [("future", "api")]
    assert "41.15" in items[0]["payload"]


def test_whole_recording_at_full_speed_is_accepted_and_stored_to_the_fix(plant, recording, data_folder):
    summary = plant.replay(replace(recording, name="whole"), batch=1000)
    rows = plant.wait_until_stored("whole", len(recording.fixes))
    assert summary.quarantined.total() == 0
    assert summary.accepted == len(recording.fixes) == len(rows)
