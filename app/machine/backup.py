"""
`postrider backup` and `restore`: one folder from which another installation goes on, to the fix and the order.

    redis.zst          first: every acknowledged fix is in it, or in the database already
    database.dump      then: what was stored meanwhile is in both, and nothing is stored twice
    manifest.json      last: versions, and the sums of both files; without it the folder is no backup

It may be made while everything runs. PostgreSQL's own programs copy the database, of its version or a newer one.
"""

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.machine import copied_log
from app.machine.servers import NotInstalled, postgres_programs
from app.settings import Settings
from app.wiring.resources import open_redis
from app.wiring.schema import schema_of
from app.wiring.vitals import installed_version

DATABASE: Final = "database.dump"
REDIS: Final = "redis.zst"
MANIFEST: Final = "manifest.json"


class BackupError(RuntimeError):
    """A backup cannot be made or used."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    version: str
    schema: str
    made_at: datetime
    """Everything acknowledged before is in it."""
    n_log_entries: int
    sums: dict[str, str]
    """SHA-256 of the files."""


async def backup(settings: Settings, folder: Path) -> Manifest:
    """Make one in a folder that does not exist yet. Raises BackupError, and what the drivers raise."""
    partial = _begin(folder)
    made_at = datetime.now(UTC)
    redis = open_redis(settings)
    try:
        n = await copied_log.export(redis, partial / REDIS)
    finally:
        await redis.aclose()
    connection = await asyncpg.connect(settings.database_url, timeout=10, statement_cache_size=0)
    try:
        schema = (await schema_of(connection)).words
        programs = _programs(connection.get_server_version().major)
    finally:
        await connection.close()
    await _run(
        settings, programs / "pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={partial / DATABASE}"
    )
    sums = {name: _sum(partial / name) for name in (REDIS, DATABASE)}
    made = Manifest(version=installed_version(), schema=schema, made_at=made_at, n_log_entries=n, sums=sums)
    (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(made)))
    partial.rename(folder)
    return made


async def restore(settings: Settings, folder: Path, *, jobs: int = 2, keep_redis: bool = False) -> Manifest:
    """
    Fill an empty database and an empty Redis from a backup; start the roles afterwards.

    `keep_redis`: only the database was lost. Redis stays as it is, and everything that its log still has is stored
    again: what was taken since the backup is not lost as far as the log reaches back.

    Raises BackupError where the backup is not whole, or something is there already; nothing is written then.
    """
    made = read(folder)
    connection = await asyncpg.connect(settings.database_url, timeout=10, statement_cache_size=0)
    redis = open_redis(settings)
    try:
        if await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"):
            raise BackupError("the database is not empty: a backup is restored into an empty one only")
        if not keep_redis and not await copied_log.is_empty(redis):
            raise BackupError("this Redis is not empty: a backup is restored into an empty one only")
        programs = _programs(connection.get_server_version().major)
        has_timescale = "timescaledb" in await _run(
            settings, programs / "pg_restore", "--list", str(folder / DATABASE), connects=False
        )
        if has_timescale:  # its own catalogue must not be filled by its own triggers
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            await connection.execute("SELECT timescaledb_pre_restore()")
        try:
            options = ["--no-owner", "--no-acl", "--exit-on-error", f"--jobs={1 if has_timescale else jobs}"]
            await _run(settings, programs / "pg_restore", *options, str(folder / DATABASE))
        finally:
            if has_timescale:
                await connection.execute("SELECT timescaledb_post_restore()")
        await connection.execute("ANALYZE")
        if keep_redis:
            await copied_log.store_again(redis)
        else:
            await copied_log.restore(redis, folder / REDIS)
    finally:
        await redis.aclose()
        await connection.close()
    return made


def read(folder: Path) -> Manifest:
    """What a folder says of itself, if it is whole. Raises BackupError."""
    try:
        made = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as exc:
        raise BackupError(f"{folder} is no backup: {exc}") from exc
    for name, wanted in made.sums.items():
        if not (folder / name).is_file() or _sum(folder / name) != wanted:
            raise BackupError(f"{folder / name} is not as it was written")
    return made


def _begin(folder: Path) -> Path:
    if folder.exists():
        raise BackupError(f"{folder} exists: a backup gets a folder of its own")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    return partial


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _run(settings: Settings, program: Path, *arguments: str, connects: bool = True) -> str:
    """One of PostgreSQL's programs; the password goes by the environment, where no list of processes shows it."""
    words = conninfo_to_dict(settings.database_url)
    environ = {**os.environ, "PGPASSWORD": str(words.pop("password", "") or "")}
    target = [f"--dbname={make_conninfo(**{name: str(word) for name, word in words.items()})}"] if connects else []
    command = [str(program), *target, *arguments]
    done = await asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupError(f"{program.name}: {done.stderr.strip() or f'ended with {done.returncode}'}")
    return done.stdout


def _programs(server: int) -> Path:
    """The folder of PostgreSQL's programs, of the server's version or a newer one; raises BackupError."""
    found = [Path(name).parent for name in [shutil.which("pg_dump")] if name]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    with suppress(NotInstalled):
        found.append(postgres_programs())
    for folder in found:
        with suppress(OSError, subprocess.CalledProcessError, ValueError):
            if _version_of(folder / "pg_dump") >= server:
                return folder
    raise BackupError(f"pg_dump {server} or newer is missing: install PostgreSQL's client programs of that version")


def _version_of(program: Path) -> int:
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return int(re.findall(r"\d+", said)[0]) if re.search(r"\d", said) else 0
