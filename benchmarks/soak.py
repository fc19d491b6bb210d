"""
What grows when nothing should: `python -m benchmarks.soak --minutes 30 --json`.

Starts `postrider up` with embedded servers and gives it the demo's work (couriers on the move, 600 orders an hour) and
other phones besides, 2,000 fixes a second in all. Every ten seconds it looks at each process (memory, with its share of
what is shared, and open files) and at the servers' folders; the phones' answers are timed. The first third is warm-up.
A slope is the median of the slopes between all pairs of samples (Theil and Sen), so that a single peak is nothing.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.whole import ROOT, Whole, postrider_up
from benchmarks.world import parser, report

SAMPLE_S: Final = 10.0
EVERY_S: Final = 5.0
"""A phone sends a fix so often."""
BATCH: Final = 50
MOST_PAIRS: Final = 20_000


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(file.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(file.parent.name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def name_of(pid: int) -> str:
    """What a process does: a role, its worker, or a server's name."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if "postgres" in words[0]:
        return "postgres"
    if "valkey" in words[0] or "redis" in words[0]:
        return "redis"
    if "app" in words:
        return words[words.index("app") + 1]
    if "multiprocessing" not in " ".join(words):
        return Path(words[0]).name
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return f"{name_of(parent)} {'tracker' if 'resource_tracker' in ' '.join(words) else 'worker'}"


def measures(pids: Sequence[int]) -> dict[str, dict[str, float]]:
    """By name: proportional memory in MB, and open files."""
    found: dict[str, dict[str, float]] = {}
    for pid in pids:
        with suppress(OSError, IndexError, ValueError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kb = {key: int(rest.split()[0]) for key, _, rest in (line.partition(":") for line in lines[1:])}
            n_files, name = len(list(Path(f"/proc/{pid}/fd").iterdir())), name_of(pid)
            # What PostgreSQL's processes share is its buffers: of a fixed size, told as used when first touched.
            shared_kb = kb["Pss_Shmem"] if name == "postgres" else 0
            for part, part_kb, files in ((name, kb["Pss"] - shared_kb, n_files), (f"{name}, buffers", shared_kb, 0)):
                if part_kb:
                    row = found.setdefault(part, {"memory_mb": 0.0, "files": 0.0})
                    row["memory_mb"] += part_kb / 1024
                    row["files"] += files
    return found


def slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Change an hour: the median slope over all pairs (Sen 1968)."""
    pairs = list(combinations(range(len(values)), 2))
    step = max(1, len(pairs) // MOST_PAIRS)
    slopes = [(values[j] - values[i]) / (times_s[j] - times_s[i]) for i, j in pairs[::step]]
    return statistics.median(slopes) * 3600 if slopes else 0.0


def flatness(samples: Sequence[tuple[float, Mapping[str, float]]], what: str) -> dict[str, float]:
    """First and last value of a measure, the median, and its slope an hour."""
    times_s, values = [at for at, _ in samples], [row[what] for _, row in samples]
    middle, change = statistics.median(values), slope(times_s, values)
    return {
        "first": round(values[0], 1),
        "last": round(values[-1], 1),
        "per_hour": round(change, 2),
        "per_hour_pct": round(100 * change / middle, 2) if middle else 0.0,
    }


def disk_mb(folder: Path) -> dict[str, float]:
    """What each server's folder takes."""
    found = {}
    for part in ("postgres", "redis"):
        total = 0
        for path in (folder / part).rglob("*"):
            with suppress(OSError):  # removed meanwhile
                total += path.stat().st_blocks * 512
        found[part] = total / 2**20
    return found


async def hire(client: httpx.AsyncClient, n: int) -> list[str]:
    """Couriers off duty: their phones report, and no order is theirs."""
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> str:
        async with gate:
            body = {"name": f"Other {number}", "mode": "bicycle", "on_duty": False}
            answer = await client.post("/v1/couriers", json=body)
            answer.raise_for_status()
            courier_id: str = answer.json()["id"]
            return courier_id

    return await asyncio.gather(*(one(number) for number in range(n)))


async def post_for_ever(client: httpx.AsyncClient, ids: Sequence[str], waits: list[tuple[float, float]]) -> None:
    """Each courier's fix every EVERY_S, so many couriers a request; notes when it was sent and how long it took."""
    n_requests = max(1, len(ids) // BATCH)
    pause_s, due, turn = EVERY_S / n_requests, time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + pause_s, time.monotonic() - 1)
            part = [ids[(turn * BATCH + i) % len(ids)] for i in range(BATCH)]
            group.create_task(_post(client, part, turn, waits))
            turn += 1


async def _post(client: httpx.AsyncClient, ids: Sequence[str], turn: int, waits: list[tuple[float, float]]) -> None:
    now = datetime.now(UTC).isoformat()
    fixes = [
        {
            "courier_id": i,
            "fixed_at": now,
            "lat": 41.15 + hash(i) % 997 * 1e-5 + turn % 991 * 1e-6,
            "lon": -8.61,
            "accuracy_m": 5,
        }
        for i in ids
    ]
    began = time.monotonic()
    with suppress(httpx.TransportError):
        answer = await client.post("/v1/positions", json=fixes)
        waits.append((began, time.monotonic() - began if answer.is_success else float("inf")))


async def watch(whole: Whole, options: Any) -> dict[str, Any]:
    """The figures."""
    samples: list[tuple[float, dict[str, dict[str, float]]]] = []
    waits: list[tuple[float, float]] = []
    headers = {"Authorization": f"Bearer {whole.token}"}
    async with httpx.AsyncClient(base_url=whole.url, headers=headers, timeout=30) as client:
        ids = await hire(client, round((options.fixes_per_s * EVERY_S) - options.couriers))
        service = (await client.post("/v1/tokens", json={"role": "service", "name": "soak"})).json()["token"]
        phones = httpx.AsyncClient(base_url=whole.url, headers={"Authorization": f"Bearer {service}"}, timeout=30)
        about = ("--couriers", str(options.couriers), "--orders-per-hour", str(options.orders_per_hour))
        command = (sys.executable, "-m", "app", "simulate", "--url", whole.url, "--token", whole.token, *about)
        simulation = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.DEVNULL)
        posting = asyncio.create_task(post_for_ever(phones, ids, waits))
        try:
            began = time.monotonic()
            while time.monotonic() - began < options.minutes * 60:
                await asyncio.sleep(SAMPLE_S)
                if posting.done():
                    posting.result()
                row = await asyncio.to_thread(lambda: measures(tree(whole.pid)))
                disk = await asyncio.to_thread(disk_mb, whole.folder)
                row |= {f"disk of {name}": {"memory_mb": size, "files": 0.0} for name, size in disk.items()}
                samples.append((time.monotonic(), row))
        finally:
            posting.cancel()
            simulation.terminate()
            await asyncio.wait_for(simulation.wait(), 20)
            await phones.aclose()
        orders = {
            state: len((await client.get("/v1/orders", params={"state": state, "limit": 500})).json()["items"])
            for state in ("placed", "accepted", "delivered")
        }
    return {**told(samples, waits), "orders": orders}


def told(
    samples: Sequence[tuple[float, dict[str, dict[str, float]]]], waits: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """A row a process, and the phones' answers at the beginning and at the end."""
    kept = samples[len(samples) // 3 :]
    names = set.intersection(*(set(row) for _, row in kept))
    rows: dict[str, Any] = {}
    for name in sorted(names):
        series = [(at, row[name]) for at, row in kept]
        memory, files = flatness(series, "memory_mb"), flatness(series, "files")
        if name.startswith("disk"):
            rows[name] = {"mb": memory["last"], "mb_per_hour": memory["per_hour"]}
            continue
        rows[name] = {
            "memory_mb": memory["last"],
            "memory_mb_per_hour": memory["per_hour"],
            "memory_pct_per_hour": memory["per_hour_pct"],
            "files": files["last"],
            "files_pct_per_hour": files["per_hour_pct"],
        }
    since = kept[0][0]
    timed = [wait for at, wait in waits if at >= since]
    for title, part in (
        ("answers, first fifth", timed[: len(timed) // 5]),
        ("answers, last fifth", timed[-len(timed) // 5 :]),
    ):
        cuts = statistics.quantiles(part, n=100)
        rows[title] = {"p50_ms": round(cuts[49] * 1e3, 1), "p99_ms": round(cuts[98] * 1e3, 1), "n": len(part)}
    span_s = waits[-1][0] - waits[0][0]
    rows["fixes"] = {
        "per_s": round(BATCH * len(waits) / span_s),
        "refused": sum(wait == float("inf") for _, wait in waits),
    }
    return rows


def main() -> None:
    """Command line."""
    options = parser("soak", __doc__)
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--fixes-per-s", type=float, default=2000.0)
    options.add_argument("--couriers", type=int, default=200, help="of the simulation; the others are off duty")
    options.add_argument("--orders-per-hour", type=float, default=600.0)
    arguments = options.parse_args()
    with postrider_up() as whole:
        results = asyncio.run(watch(whole, arguments))
    report("soak", arguments, {}, results)


if __name__ == "__main__":
    main()
