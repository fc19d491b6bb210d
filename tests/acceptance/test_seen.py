"""
What an operator sees: every role tells of itself, and each alert fires on its cause.

One plant of all roles, each a process of its own, with a real Prometheus that reads them and the rules; the causes are
brought about side by side.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
import redis
import yaml

from app.machine.servers import PostgresServer, RedisServer, free_port
from app.machine.tokens import make_token
from app.web.auth import Role
from deploy.dashboards import BOARDS
from tests.acceptance.test_faults import Process
from tests.acceptance.test_orders import HOME, RESTAURANT
from tests.unit.deploy.test_alerts import ALERTS, RULES
from tests.unit.deploy.test_logs import misfits
from tests.waiting import PATIENCE_S, is_ready, wait_until
from tracking.log import RegionKeys
from tracking.position import Region

ROLES = ("api", "writer", "watch", "dispatch", "housekeeping", "gateway")
QUERIES = [query for _, panels in BOARDS.values() for *_, queries in panels for query in queries.values()]
BY_UNIT_TEST_ONLY = {
    "ApiBurnsSlowly", "ArrivalsUntrue", "DaysMissing", "IngestBurnsSlowly", "IngestSlow", "JobLate", "OffersBurnSlowly",
    "ReaderLost", "RegionNotPlanned", "Silence", "TaskDies", "VersionsMixed", "ViewersDropped",
}  # fmt: skip
"""Their causes take longer than a test may, or many clients; tests/unit/deploy/test_alerts.py has them as series."""


NO_MAPS = {"EngineDown", "MapsGuessed"}
"""From the beginning: the maps API that `dispatch` is told of does not answer."""
SLOWNESS = {"EventLoopBusy", "IngestSlow", "OffersBurnSlowly", "RoleDown", "RoleMissing", "Silence"}
"""What a machine that is busy with other tests may bring about by itself, and five couriers who rest."""


NOBODY = "http://127.0.0.1:9"


@dataclass
class Prometheus:
    url: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=PATIENCE_S).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"]

    def firing(self) -> set[str]:
        return {one["metric"]["alertname"] for one in self.ask('ALERTS{alertstate="firing"}')}


@dataclass
class Plant:
    postgres: PostgresServer
    redis: RedisServer
    url: str
    token: str
    folder: Path
    roles: dict[str, Process] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def of(self, role: str, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.ports[role]}{path}", timeout=PATIENCE_S)

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=PATIENCE_S)

    def sql(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(statement, values)

    def log_lines(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


@pytest.fixture(scope="module")
def plant(migrated_folder: Path) -> Iterator[Plant]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postrider-seen-")))
        folder.chmod(0o755)
        subprocess.run(["cp", "-a", migrated_folder, folder / "postgres"], check=True)
        postgres, server = PostgresServer(folder / "postgres"), RedisServer(folder / "redis")
        for store in (postgres, server):
            store.start()
            stack.callback(store.stop)
        port = free_port()
        token = asyncio.run(make_token(postgres.url, Role.ADMIN, "seen"))
        found = Plant(postgres, server, f"http://127.0.0.1:{port}", token, folder)
        for role in ROLES:
            found.ports[role] = free_port()
            environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")} | {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": server.url,
                "POSTRIDER_METRICS_PORT": str(found.ports[role]),
                "POSTRIDER_LOG_LEVEL": "DEBUG",
                "POSTRIDER_OSRM_URL": NOBODY if role == "dispatch" else "",
                "POSTRIDER_WEBHOOKS_PRIVATE": "1",
            }
            arguments = [role, "--port", str(port)] if role == "api" else [role]
            found.roles[role] = Process(arguments, environ, log=stack.enter_context((folder / f"{role}.log").open("w")))
            found.roles[role].start()
            stack.callback(end, found.roles[role].process)
        wait_until(lambda: is_ready(found.url))
        yield found


def end(process: subprocess.Popen) -> None:
    """Whatever it does, be it stopped."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def prometheus(plant: Plant) -> Iterator[Prometheus]:
    folder = Path(tempfile.mkdtemp(dir=plant.folder))
    rules = yaml.safe_load((RULES / "alerts.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["for"] = "0s"
    (folder / "alerts.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(RULES / "recording.yaml", folder)
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {"of": role}} for role, port in plant.ports.items()]
    jobs = [{"job_name": "postrider", "static_configs": targets}]
    pace = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": pace, "rule_files": [str(folder / "*.yaml")], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        made = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: _answers(made.url))
        yield made
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=PATIENCE_S).status_code == 200
    except httpx.HTTPError:
        return False


def fix(courier_id: str, **facts: Any) -> dict[str, Any]:
    return {"courier_id": courier_id, "fixed_at": datetime.now(UTC).isoformat(), **RESTAURANT} | facts


def test_every_role_is_healthy_and_tells_of_itself_on_a_port_of_its_own(plant):
    for role in ROLES:
        wait_until(lambda role=role: _is_well(plant, role))
        assert plant.of(role, "/health/live").json() == {"status": "ok"}
        text = plant.of(role, "/metrics").text
        assert f'role="{role}"' in next(line for line in text.splitlines() if line.startswith("postrider_build_info{"))
        lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (role, lint.returncode, lint.stdout + lint.stderr) == (role, 0, "")
        assert not re.search(r'="[0-9a-f]{8}-[0-9a-f]{4}-', text)  # nobody's id


def _is_well(plant: Plant, role: str) -> bool:
    try:
        return plant.of(role, "/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def test_every_query_of_the_dashboards_is_answered(plant, prometheus):
    with plant.api() as api:
        courier = api.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"}).json()["id"]
        assert api.post("/v1/positions", json=[fix(courier)]).json()["accepted"] == 1
        assert api.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": HOME}).status_code == 201
    wait_until(lambda: prometheus.ask("postrider_order_offer_seconds_count > 0"))
    wait_until(lambda: prometheus.ask("sum(postrider_fixes_stored_total) > 0"))
    wait_until(lambda: prometheus.ask('postrider_orders{state="assigned"} == 1'))
    for query in QUERIES:
        prometheus.ask(query)
    told = {"postrider_ingest_wait_seconds_count", "postrider_ingest_commit_seconds_count",
            "postrider_writer_store_seconds_count", "postrider_event_loop_lag_seconds_count",
            'postrider_dispatch_step_seconds_count{step="propose"}',
            'postrider_job_success_timestamp_seconds{work="census"}',
            'postrider_events_told_total{type="offer.made"}', "postrider_couriers_on_duty > 0",
            'postrider_redis_connections{use="waiting",state="free"} > 0'}  # fmt: skip
    for query in told:
        assert wait_until(lambda query=query: prometheus.ask(query))


def test_each_cause_fires_its_alert(plant, prometheus):
    calm = prometheus.firing()
    client = redis.Redis.from_url(plant.redis.url)
    with plant.api() as api:
        courier = api.post("/v1/couriers", json={"name": "Rui", "mode": "bicycle"}).json()["id"]
        assert api.post("/v1/regions", json={"name": "north"}).status_code == 201

        # Fixes that cannot be used, and an entry of the log that cannot be read.
        client.xadd(RegionKeys(Region("default")).log, {"n": 1, "total": 99, "fixes": b"rubbish"})
        wait_until(lambda: "DeadLetters" in prometheus.firing())
        unusable = [fix(courier, lat=95) for _ in range(50)]
        wait_until(lambda: api.post("/v1/positions", json=unusable) and "ManyUnusable" in prometheus.firing())

        # A receiver that has not taken an event for days, what makes no sense, and no maps.
        assert api.post("/v1/webhooks", json={"url": f"{NOBODY}/hook"}).status_code == 201
        order = {"pickup": RESTAURANT, "dropoff": HOME, "region": "north"}
        odd = api.post("/v1/orders", json=order).json()["id"]
        plant.sql("UPDATE orders SET ready_at = 'infinity' WHERE id = %s", odd)
        nowhere = json.dumps({"type": "Polygon", "coordinates": []})
        plant.sql("INSERT INTO geofences (region, name, geometry) VALUES ('default', 'odd', %s)", nowhere)

        homes = ({"lat": HOME["lat"] + n / 1000, "lon": HOME["lon"]} for n in range(1, 1000))

        def is_given_up_after_the_last_attempt() -> bool:
            plant.sql("UPDATE outbox_queue SET attempts = 10, due_at = now()")
            api.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": next(homes)})  # maps are asked again
            time.sleep(0.5)  # not as many orders as there are looks
            return {"EventsGivenUp", "LeftOut", "FencesLeftOut"} | NO_MAPS <= prometheus.firing()

        wait_until(is_given_up_after_the_last_attempt)

        # A region whose readers stand still: its log has an entry of ten minutes ago.
        os.kill(plant.roles["writer"].process.pid, signal.SIGSTOP)
        log = RegionKeys(Region("north")).log
        client.delete(log)
        client.xadd(log, {"n": 1, "total": 1}, id=f"{int(time.time() * 1000) - 600_000}-1")
        for group in ("history", "somebody"):
            client.xgroup_create(log, group, id="0")
        # An order nobody comes for, and an event nobody sends.
        plant.roles["gateway"].kill()
        assert api.post("/v1/orders", json=order).status_code == 201
        plant.sql("UPDATE orders SET placed_at = placed_at - interval '1 hour' WHERE region = 'north'")
        plant.sql("UPDATE outbox SET written_at = written_at - interval '1 hour'")
        plant.roles["watch"].kill()
        wait_until(lambda: {"LogLag", "ReaderLag", "OrdersWait", "EventsWait"} <= prometheus.firing())
        wait_until(lambda: {"RoleDown", "RoleMissing"} <= prometheus.firing())

        # A process that stands still again and again.
        def stumble() -> bool:
            for number in (signal.SIGSTOP, signal.SIGCONT):
                os.kill(plant.roles["housekeeping"].process.pid, number)
                time.sleep(1.2)  # how long it stands still is the fault
            return "EventLoopBusy" in prometheus.firing()

        wait_until(stumble)

        # The database lacks what the program wants; then it is held by somebody.
        plant.sql("ALTER TABLE orders RENAME COLUMN ready_at TO ready")
        wanted = {"Mistakes", "LaneFails", "ApiBurnsFast"}
        wait_until(lambda: api.get("/v1/orders").status_code >= 500 and wanted <= prometheus.firing())
        plant.sql("ALTER TABLE orders RENAME COLUMN ready TO ready_at")
        hold_everything(plant, lambda: "PoolExhausted" in prometheus.firing())

        plant.redis.kill()

        def is_refused_and_seen() -> bool:
            answer = api.post("/v1/positions", json=[fix(courier)])
            return answer.status_code == 503 and "IngestBurnsFast" in prometheus.firing()

        wait_until(is_refused_and_seen)

    for role in plant.roles.values():
        end(role.process)
    wait_until(lambda: "NobodyTells" in prometheus.firing())
    fired = {one["metric"]["alertname"] for one in prometheus.ask('max_over_time(ALERTS{alertstate="firing"}[1h])')}
    assert ALERTS.keys() - fired <= BY_UNIT_TEST_ONLY
    assert calm <= SLOWNESS | NO_MAPS  # nothing cried wolf


def test_no_line_of_any_log_tells_where_somebody_is_or_a_secret(plant):
    """After all of the above, with every detail logged, and whatever failed."""
    lines = plant.log_lines().splitlines()
    assert {"lease_taken", "region_planned"} <= {json.loads(line).get("event.action") for line in lines}
    assert {name for line in lines for name in misfits(line)} == set()  # Elastic has a field for each
    secrets = [plant.token, plant.postgres.url, plant.redis.url, "Bearer"]
    for value in (*secrets, *(str(number) for place in (RESTAURANT, HOME) for number in place.values())):
        assert [line for line in lines if value in line] == []


def hold_everything(plant: Plant, is_seen: Any) -> None:
    """Keep a table until all connections of the API wait for it and that is seen."""
    with psycopg.connect(plant.postgres.url) as connection:
        connection.execute("LOCK TABLE geofences IN ACCESS EXCLUSIVE MODE")
        threads = [Thread(target=_ask, args=(f"{plant.url}/v1/geofences", plant.token)) for _ in range(12)]
        for thread in threads:
            thread.start()
        wait_until(is_seen)
    for thread in threads:
        thread.join(PATIENCE_S)


def _ask(url: str, token: str) -> None:
    httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)
