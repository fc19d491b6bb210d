"""What may be wrong with a database that answers: each ailment is looked at by itself, and says what mends it."""

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.machine.finding import Result
from sql import queries
from tracking import outages

log = logging.getLogger(__name__)

SLOW_MS: Final = 250.0
OLD: Final = timedelta(minutes=5)
BEHIND_S: Final = 30.0
HELD_BYTES: Final = 2e9
SKEW_S: Final = 2.0
"""What is told by clocks of two machines may be so far apart; leases are judged by the database's alone."""
SHOWN: Final = 100
"""Of a statement, characters."""


async def ailments(connection: Any, *, has_timescale: bool) -> list[Result]:
    """All of them; what this user may not ask is said to be unknown."""
    looks: dict[str, Callable[[Any], Awaitable[Result]]] = {
        "clock": _clock,
        "slow statements": _slow,
        "transactions": _transactions,
        "bloat": _bloat,
        "replicas": _replicas,
        "replication slots": _slots,
        "indexes": _indexes,
    }
    if has_timescale:
        looks["jobs of TimescaleDB"] = _jobs
    else:
        looks["days of positions"] = _days
    return [await _looked(what, look, connection) for what, look in looks.items()]


async def _looked(what: str, look: Callable[[Any], Awaitable[Result]], connection: Any) -> Result:
    try:
        return await look(connection)
    except outages.DRIVERS as exc:
        return Result(what, f"unknown: {outages.words(exc)}", ok=True)


async def _clock(connection: Any) -> Result:
    before = time.time()
    theirs = await connection.fetchval(queries["ailments.clock"])
    skew_s = max(0.0, abs(theirs - (before + time.time()) / 2) - (time.time() - before))
    mend = "let both machines keep time by NTP" if skew_s > SKEW_S else ""
    return Result("clock", f"the database's is {skew_s:.1f} s off ours", ok=skew_s <= SKEW_S, mend=mend)


async def _slow(connection: Any) -> Result:
    what = "slow statements"
    if not await connection.fetchval(queries["ailments.statements_kept"]):
        mend = "shared_preload_libraries = 'pg_stat_statements', then CREATE EXTENSION pg_stat_statements"
        return Result(what, "unknown: pg_stat_statements is not there", ok=True, mend=mend)
    rows = await connection.fetch(queries["ailments.slow_statements"], SLOW_MS)
    if not rows:
        return Result(what, f"none takes longer than {SLOW_MS:g} ms", ok=True)
    told, mends = [], []
    for row in rows:
        text = " ".join(row["query"].split())
        told.append(f"{row['mean_ms']:.0f} ms × {row['calls']}: {text[:SHOWN]}")
        mends += await _missing_indexes(connection, row["query"])
    mend = "; ".join(dict.fromkeys(mends)) or "look at them with EXPLAIN (GENERIC_PLAN)"
    return Result(what, "; ".join(told), ok=False, mend=mend)


async def _missing_indexes(connection: Any, query: str) -> list[str]:
    """What the plan of a statement reads whole though it wants a part of it."""
    if not re.match(r"\s*(select|update|delete|with|insert)\b", query, re.IGNORECASE):
        return []
    try:
        raw = await connection.fetchval(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {query}", timeout=5)
    except outages.DRIVERS:
        return []
    return [f"an index on {table} for {condition}" for table, condition in whole_reads(json.loads(raw)[0]["Plan"])]


def whole_reads(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """(table, condition) of every sequential scan that filters, from the top of a plan down."""
    found = []
    if plan.get("Node Type") == "Seq Scan" and "Filter" in plan:
        found.append((plan["Relation Name"], plan["Filter"]))
    for part in plan.get("Plans", ()):
        found += whole_reads(part)
    return found


async def _transactions(connection: Any) -> Result:
    rows = await connection.fetch(queries["ailments.long_transactions"], OLD)
    told = [
        f"{row['application_name'] or 'somebody'} (pid {row['pid']}), {row['state']} for {row['age_s']:.0f} s"
        for row in rows
    ]
    mend = f"end it: SELECT pg_terminate_backend({rows[0]['pid']})" if rows else ""
    return Result("transactions", "; ".join(told) or f"none is older than {OLD}", ok=not rows, mend=mend)


async def _bloat(connection: Any) -> Result:
    rows = await connection.fetch(queries["ailments.bloated"])
    told = [f"{row['name']}: {row['n_dead']:,} dead rows beside {row['n_live']:,}" for row in rows]
    mend = f"VACUUM (ANALYZE) {rows[0]['name']}; does autovacuum run?" if rows else ""
    return Result("bloat", "; ".join(told) or "none to speak of", ok=not rows, mend=mend)


async def _replicas(connection: Any) -> Result:
    rows = await connection.fetch(queries["ailments.replicas"])
    late = [row for row in rows if row["lag_s"] > BEHIND_S]
    told = "; ".join(f"{row['name']}: {row['lag_s']:.0f} s behind" for row in rows) or "there are none"
    return Result("replicas", told, ok=not late, mend="look at its disk and the network between" if late else "")


async def _slots(connection: Any) -> Result:
    rows = [r for r in await connection.fetch(queries["ailments.idle_slots"]) if r["held_bytes"] > HELD_BYTES]
    told = "; ".join(f"{row['name']} is not read and holds {row['held_bytes'] / 1e9:.1f} GB" for row in rows)
    mend = f"start who reads it, or SELECT pg_drop_replication_slot('{rows[0]['name']}')" if rows else ""
    return Result("replication slots", told or "none holds anything back", ok=not rows, mend=mend)


async def _indexes(connection: Any) -> Result:
    names = [row["name"] for row in await connection.fetch(queries["ailments.invalid_indexes"])]
    found = f"invalid: {', '.join(names)}" if names else "all valid"
    return Result("indexes", found, ok=not names, mend="`postrider migrate` makes them anew" if names else "")


async def _jobs(connection: Any) -> Result:
    rows = await connection.fetch(queries["ailments.failing_jobs"])
    told = ", ".join(f"{row['name']} ({row['job_id']})" for row in rows)
    mend = "SELECT * FROM timescaledb_information.job_errors says why" if rows else ""
    return Result("jobs of TimescaleDB", f"failing: {told}" if rows else "none fails", ok=not rows, mend=mend)


async def _days(connection: Any) -> Result:
    today = datetime.now(UTC).date()
    rows = await connection.fetch(queries["housekeeping.missing_days"], today, today + timedelta(days=1))
    told = "no part of the table for " + ", ".join(str(row["day"]) for row in rows)
    mend = "does housekeeping run? What comes meanwhile is kept in positions_default" if rows else ""
    return Result("days of positions", told if rows else "there for today and tomorrow", ok=not rows, mend=mend)
