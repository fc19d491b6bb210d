"""
Posts positions as hard as it can over kept-alive connections, and measures each answer.

With `wrk` (Debian package wrk) where it is installed; else with an asyncio client of our own, which needs more of the
processor that the server needs too, so its figures are lower.
"""

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.world import Phone

PATH = "/v1/positions"

# Every fix is new: its time moves on with the clock, so that live state really moves and nothing is a duplicate.
WRK = """
local tokens, n_batch = {}, tonumber(os.getenv("BATCH"))
for token in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = token end
local seconds, at, i = {}, 0, 0
local function second(t)
  if not seconds[t] then seconds[t] = os.date("!%Y-%m-%dT%H:%M:%S", t) end
  return seconds[t]
end
request = function()
  i = i + 1
  local who = i % #tokens + 1
  local now, ms = os.time(), math.floor(i / #tokens) % 1000
  local fixes = {}
  for k = 0, n_batch - 1 do
    fixes[k + 1] = string.format(
      '{"fixed_at":"%s.%03dZ","lat":%.6f,"lon":%.6f,"accuracy_m":4.5,"speed_mps":6.2,"course_deg":271,"battery_pct":64}',
      second(now - n_batch + k), ms, 41.15 + who * 1e-5 + ms * 1e-6, -8.61 + k * 1e-5)
  end
  local body = n_batch == 1 and fixes[1] or "[" .. table.concat(fixes, ",") .. "]"
  local headers = {["Authorization"] = "Bearer " .. tokens[who], ["Content-Type"] = "application/json"}
  return wrk.format("POST", "PATH", headers, body)
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def post(url: str, phones: Sequence[Phone], *, batch: int, connections: int, seconds: int) -> dict[str, Any]:
    """Requests a second, fixes a second and the 99th percentile of the time to an answer."""
    if shutil.which("wrk"):
        found = _wrk(url, phones, batch=batch, connections=connections, seconds=seconds)
    else:
        found = asyncio.run(_own(url, phones, batch=batch, connections=connections, seconds=seconds))
    rate = found["requests"] / found["seconds"]
    return {
        "requests_per_s": round(rate),
        "fixes_per_s": round(rate * batch),
        "p50_ms": round(found["p50_ms"], 1),
        "p99_ms": round(found["p99_ms"], 1),
        "errors": found["errors"],
        "generator": "wrk" if shutil.which("wrk") else "asyncio",
    }


def _wrk(url: str, phones: Sequence[Phone], *, batch: int, connections: int, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        script, tokens = Path(folder, "post.lua"), Path(folder, "tokens")
        script.write_text(WRK.replace("PATH", PATH, 1))
        tokens.write_text("\n".join(phone.token for phone in phones))
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url],
            env={"TOKENS": str(tokens), "BATCH": str(batch)},
            capture_output=True,
            text=True,
            check=True,
        )
    match = re.search(r"RESULT (\{.*\})", done.stdout)
    assert match is not None, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(match.group(1))
    return result


async def _own(url: str, phones: Sequence[Phone], *, batch: int, connections: int, seconds: int) -> dict[str, Any]:
    host, port = re.match(r"http://([^:/]+):(\d+)", url).groups()  # type: ignore[union-attr]  # our own address
    deadline = time.perf_counter() + seconds
    waits: list[float] = []
    errors = 0

    def request(who: int, turn: int) -> bytes:
        now = time.time()
        fixes = [
            {
                "fixed_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - batch + k)) + f".{turn % 1000:03d}Z",
                "lat": 41.15 + who * 1e-5 + turn % 1000 * 1e-6,
                "lon": -8.61 + k * 1e-5,
                "accuracy_m": 4.5,
                "speed_mps": 6.2,
                "course_deg": 271,
                "battery_pct": 64,
            }
            for k in range(batch)
        ]
        body = json.dumps(fixes[0] if batch == 1 else fixes).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {phones[who].token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def connection(first: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(host, int(port))
        turn = 0
        while time.perf_counter() < deadline:
            turn += 1
            began = time.perf_counter()
            writer.write(request((first + turn * connections) % len(phones), turn))
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length.group(1)) if length else 0)
            waits.append(time.perf_counter() - began)
            errors += not head.startswith(b"HTTP/1.1 2")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection(i) for i in range(connections)))
    cuts = statistics.quantiles(waits, n=100)
    return {
        "requests": len(waits),
        "seconds": time.perf_counter() - began,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "errors": errors,
    }
