"""What the ingest benchmarks stand on: servers of their own (or by URL), a fleet with tokens, and the report."""

import argparse
import asyncio
import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import redis
import redis.asyncio as aioredis

from app.machine.migrate import migrate
from app.machine.servers import PostgresServer, RedisServer
from app.web.auth import Role
from app.web.tokens import add_token
from sql import queries

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Migrated PostgreSQL or TimescaleDB, and an empty Redis."""

    database_url: str
    redis_url: str


@contextlib.contextmanager
def world() -> Iterator[World]:
    """
    Servers in a temporary folder, durable as in production.

    POSTRIDER_BENCH_DATABASE_URL names a database to use instead, such as a native TimescaleDB; it must be empty.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postrider-bench-")))
        folder.chmod(0o755)
        url = os.environ.get("POSTRIDER_BENCH_DATABASE_URL")
        if url is None:
            postgres = PostgresServer(folder / "postgres")
            postgres.start()
            stack.callback(postgres.stop)
            url = postgres.url
        server = RedisServer(folder / "redis")
        server.start()
        stack.callback(server.stop)
        migrate(url)
        yield World(database_url=url, redis_url=server.url)


@dataclass(frozen=True, slots=True)
class Phone:
    """A courier and its device's token."""

    courier_id: UUID
    token: str


def hire(world: World, n: int, *, with_tokens: bool = True) -> list[Phone]:
    """Couriers with a token each; without where others report for them."""

    async def insert() -> list[Phone]:
        connection = await asyncpg.connect(world.database_url)
        try:
            ids = [
                row["id"]
                for row in await connection.fetch(
                    "INSERT INTO couriers (name, mode, region)"
                    " SELECT 'courier ' || i, 'bicycle', 'default' FROM generate_series(1, $1) AS i RETURNING id",
                    n,
                )
            ]
            if not with_tokens:
                return [Phone(courier_id, "") for courier_id in ids]
            async with connection.transaction():
                made = [(await add_token(connection, Role.COURIER, "bench", courier_id=id_))[0] for id_ in ids]
        finally:
            await connection.close()
        return [Phone(courier_id, token.token) for courier_id, token in zip(ids, made, strict=True)]

    return asyncio.run(insert())


def groups_s(groups: Collection[int]) -> float:
    """Processor time that everything in these process groups has used (Linux; 0 elsewhere)."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[2]) in groups:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def redis_s(client: aioredis.Redis) -> float:
    """Processor time of a Redis so far."""
    told = await client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def engine_of(world: World) -> dict[str, str | None]:
    """Versions of what was measured."""

    async def ask() -> Any:
        connection = await asyncpg.connect(world.database_url)
        try:
            return await connection.fetchrow(queries["health.engine"])
        finally:
            await connection.close()

    row = asyncio.run(ask())
    with redis.Redis.from_url(world.redis_url) as client:
        info = client.info("server")
    version = info.get("valkey_version") or info["redis_version"]
    return {"postgresql": row["postgresql"], "timescaledb": row["timescaledb"], "redis": str(version)}


def commit_of(code: Path) -> str:
    """Which commit is checked out there."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=code, capture_output=True, text=True, check=False).stdout.strip()


def parser(name: str, documentation: str | None) -> argparse.ArgumentParser:
    """Options that all share."""
    options = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=documentation)
    options.add_argument("--json", action="store_true", help="print the result as JSON")
    options.add_argument("--save", action="store_true", help=f"write it to benchmarks/results/{name}.json too")
    return options


def report(name: str, arguments: argparse.Namespace, engines: dict[str, str | None], results: dict[str, Any]) -> None:
    """Print the result beside what it was measured on."""
    whole = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit_of(ROOT),
        "settings": {key: value for key, value in vars(arguments).items() if key not in {"json", "save"}},
        "machine": {
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[1], 2),
            "python": platform.python_version(),
            "granian": importlib.metadata.version("granian"),
            **engines,
        },
        "results": results,
    }
    if arguments.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=2) + "\n")
    if arguments.json:
        print(json.dumps(whole, indent=2))
        return
    for title, row in results.items():
        print(f"{title}: " + ", ".join(f"{key} {value}" for key, value in row.items()))
