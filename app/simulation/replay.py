"""
`postrider replay`: post recorded tracks through the public HTTP API, and say what became of every fix.

A batch is sent again until it is answered, through restarts of the server and of everything behind it: what was stored
already is recognised there, so that repeating is harmless.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any, Final
from uuid import UUID

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.simulation.recordings import RecordedFix, Recording, read_all

TIMEOUT_S: Final = 60.0
PAUSE_S: Final = 0.2
PAUSE_AT_MOST_S: Final = 5.0
FIRST_ANSWER_WITHIN_S: Final = 30.0
"""A server that never answered for so long is not there; one that did is waited for."""
TELL_EVERY_S: Final = 10.0
TRY_AGAIN: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, 504}


class ReplayError(RuntimeError):
    """The server refuses for good; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayParams:
    """What to post where, and how fast."""

    files: tuple[Path, ...]
    url: str
    token: str
    """Of a service or an administrator: fixes of several couriers go in one request."""
    speedup: float | None = None
    """So many times faster than recorded; None: as fast as the server takes it."""
    batch: int = 500
    """Fixes a request."""
    keep_times: bool = False
    """Post the times as recorded, instead of moving the recording so that it ends now."""
    keep_gaps: bool = False
    """Leave pauses of more than a minute as long as they are."""
    mode: str = "car"
    """Mode of couriers that have to be created."""
    region: str | None = None
    """Region of couriers that have to be created; None: the installation's only one."""


@dataclass(slots=True)
class Summary:
    """What became of the fixes."""

    sent: int = 0
    accepted: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    repeated_requests: int = 0
    """Requests that had to be sent again because there was no answer, or a "not now"."""
    elapsed_s: float = 0.0
    was_answered: bool = False
    """Whether the server has ever answered."""

    def __str__(self) -> str:
        rate = self.sent / self.elapsed_s if self.elapsed_s > 0 else 0.0
        lines = [f"sent         {self.sent}", f"accepted     {self.accepted}"]
        lines.append(f"quarantined  {self.quarantined.total()}")
        lines += [f"  {reason}  {n}" for reason, n in self.quarantined.most_common()]
        if self.repeated_requests:
            lines.append(f"repeated     {self.repeated_requests} requests")
        lines.append(f"elapsed      {self.elapsed_s:.1f} s ({rate:,.0f} fixes/s)")
        return "\n".join(lines)


async def run(params: ReplayParams) -> Summary:
    """
    Post everything, print a line for each file that was not read whole and the summary, return it.

    Raises ReplayError when there is nothing to send, or when the server refuses for good or never answers.
    """
    recordings, files = await asyncio.to_thread(read_all, params.files)
    for file in files:
        if file.n_left_out or file.ended_by or not file.n_fixes:
            print(file, file=sys.stderr)  # noqa: T201 - the command's answer
    if not recordings:
        raise ReplayError("nothing was sent")
    async with httpx.AsyncClient(
        base_url=params.url, headers={"Authorization": f"Bearer {params.token}"}, timeout=TIMEOUT_S
    ) as client:
        summary = await replay(client, recordings, params)
    print(summary)  # noqa: T201 - the command's answer
    return summary


async def replay(client: httpx.AsyncClient, recordings: Sequence[Recording], params: ReplayParams) -> Summary:
    """Post the recordings with this client; the client carries the token."""
    summary = Summary()
    courier_ids = {
        recording.name: await _courier_id(client, recording.name, params, summary) for recording in recordings
    }
    began = monotonic()
    moved = [_in_time(recording, params, datetime.now(UTC)) for recording in recordings]
    fixes = _merged(moved)
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(_progress())
        bar = progress.add_task("posting", total=len(fixes))
        for due_s, batch in _batches(fixes, params):
            await asyncio.sleep(max(0.0, began + due_s - monotonic()))
            body = msgspec.json.encode(
                {"fixes": [{"courier_id": courier_ids[name], "fixed_at": f.fixed_at, **f.values} for name, f in batch]}
            )
            answer = await _insist(client, "POST", "/v1/positions", summary, content=body)
            summary.sent += len(batch)
            summary.accepted += answer["accepted"]
            summary.quarantined.update(item["reason"] for item in answer.get("quarantined", ()))
            progress.update(bar, completed=summary.sent)
    summary.elapsed_s = monotonic() - began
    return summary


def _in_time(recording: Recording, params: ReplayParams, now: datetime) -> Recording:
    """As it will be posted; a slowed-down replay ends when its last fix is posted, so that nothing lies ahead of us."""
    if not params.keep_gaps and not params.keep_times:
        recording = recording.without_gaps()
    if params.keep_times:
        return recording
    takes = recording.duration / params.speedup if params.speedup else timedelta()
    return recording.ending_at(now + takes)


def _merged(recordings: Sequence[Recording]) -> list[tuple[str, RecordedFix]]:
    """All fixes, oldest first, each with the name of its recording."""
    fixes = [(recording.name, fix) for recording in recordings for fix in recording.fixes]
    fixes.sort(key=lambda item: item[1].fixed_at)
    return fixes


def _batches(
    fixes: Sequence[tuple[str, RecordedFix]], params: ReplayParams
) -> Iterator[tuple[float, Sequence[tuple[str, RecordedFix]]]]:
    """Batches with the moment at which each is due, in seconds after the start."""
    first = fixes[0][1].fixed_at if fixes else None
    batch: list[tuple[str, RecordedFix]] = []
    due_s = 0.0
    for item in fixes:
        assert first is not None
        at_s = (item[1].fixed_at - first).total_seconds() / params.speedup if params.speedup else 0.0
        # At a real pace a batch does not wait to be full: what is due within one second goes together.
        if batch and (len(batch) >= params.batch or at_s - due_s >= 1):
            yield due_s, batch
            batch = []
        if not batch:
            due_s = at_s
        batch.append(item)
    if batch:
        yield due_s, batch


async def _courier_id(client: httpx.AsyncClient, name: str, params: ReplayParams, summary: Summary) -> str:
    """The id of the courier of that external id, who is created when there is none; an id of ours stands for itself."""
    if _is_uuid(name):
        return name
    page = await _insist(client, "GET", "/v1/couriers", summary, params={"external_id": name})
    if page["items"]:
        return str(page["items"][0]["id"])
    body: dict[str, Any] = {"name": f"Courier {name}", "mode": params.mode, "external_id": name}
    if params.region is not None:
        body["region"] = params.region
    made = await _insist(client, "POST", "/v1/couriers", summary, may_exist=True, json=body)
    if "id" in made:
        return str(made["id"])
    return await _courier_id(client, name, params, summary)  # somebody else was faster


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return len(name) == 36


async def _insist(
    client: httpx.AsyncClient, method: str, path: str, summary: Summary, *, may_exist: bool = False, **request: Any
) -> dict[str, Any]:
    """Ask until there is an answer; raises ReplayError on one that repeating would not change."""
    pause_s, began, told_at = PAUSE_S, monotonic(), monotonic()
    while True:
        try:
            answer = await client.request(method, path, **request)
        except httpx.TransportError as exc:
            wait_s = pause_s
            why = str(exc) or type(exc).__name__
            if not summary.was_answered and monotonic() - began > FIRST_ANSWER_WITHIN_S:
                raise ReplayError(f"{client.base_url}: nobody answers ({why})") from exc
        else:
            summary.was_answered = True
            why = f"it answers {answer.status_code}"
            if answer.is_success:
                decoded: dict[str, Any] = answer.json()
                return decoded
            if may_exist and answer.status_code == HTTPStatus.CONFLICT:
                return {}
            if answer.status_code not in TRY_AGAIN:
                raise ReplayError(f"{method} {path}: {answer.status_code} {_detail(answer)}")
            wait_s = _retry_after_s(answer, pause_s)
        summary.repeated_requests += 1
        if monotonic() - told_at > TELL_EVERY_S:
            told_at = monotonic()
            print(f"waiting for {client.base_url}: {why}", file=sys.stderr)  # noqa: T201 - a person waits too
        await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads retries, no secret
        pause_s = min(pause_s * 2, PAUSE_AT_MOST_S)


def _retry_after_s(answer: httpx.Response, otherwise_s: float) -> float:
    try:
        return min(float(answer.headers["retry-after"]), 60.0)
    except (KeyError, ValueError):
        return otherwise_s


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _progress() -> Progress:
    """A bar on a terminal, nothing elsewhere; on standard error, so that the summary can be read by programs."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
