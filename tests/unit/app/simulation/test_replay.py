import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.simulation import replay as module
from app.simulation.recordings import RecordedFix, Recording
from app.simulation.replay import ReplayError, ReplayParams, replay

T0 = datetime(2008, 10, 23, tzinfo=UTC)
ANNA = "00000000-0000-7000-8000-00000000000a"


def recording(*seconds: float, name: str = "001") -> Recording:
    return Recording(name, tuple(RecordedFix(T0 + timedelta(seconds=s), {"lat": 1.0, "lon": s}) for s in seconds))


def params(**more: Any) -> ReplayParams:
    return ReplayParams(files=(Path("a.csv"),), url="http://postrider", token="t", **more)


class Server:
    """Answers as the API does; `answers` come first, in their order."""

    def __init__(self, *answers: int | Exception, known: dict[str, str] | None = None) -> None:
        self.answers = list(answers)
        self.known = known or {}
        self.uploads: list[list[dict[str, Any]]] = []
        self.created: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/couriers" and request.method == "GET":
            found = self.known.get(request.url.params["external_id"])
            return httpx.Response(200, json={"items": [{"id": found}] if found else []})
        if request.url.path == "/v1/couriers":
            self.created.append(msgspec.json.decode(request.content))
            self.known[self.created[-1]["external_id"]] = ANNA
            return httpx.Response(201, json={"id": ANNA})
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if answer != 202:
                return httpx.Response(answer, json={"detail": "no"}, headers={"retry-after": "0"})
        fixes = msgspec.json.decode(request.content)["fixes"]
        self.uploads.append(fixes)
        bad = [{"index": i, "reason": "mock"} for i, fix in enumerate(fixes) if fix["lon"] == 66]
        return httpx.Response(202, json={"accepted": len(fixes) - len(bad), "quarantined": bad})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)


async def run(server: Callable[[httpx.Request], httpx.Response], *recordings: Recording, **more: Any) -> module.Summary:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://postrider") as client:
        return await replay(client, recordings, params(**more))


async def test_courier_is_created_once_and_every_fix_is_counted() -> None:
    server = Server()
    summary = await run(server, recording(0, 1, 66, 3), batch=3)
    assert [len(upload) for upload in server.uploads] == [3, 1]
    assert (summary.sent, summary.accepted, dict(summary.quarantined)) == (4, 3, {"mock": 1})
    assert [made["external_id"] for made in server.created] == ["001"]
    assert {fix["courier_id"] for upload in server.uploads for fix in upload} == {ANNA}
    assert "quarantined  1\n  mock  1" in str(summary)


async def test_known_courier_and_an_id_of_ours_are_not_created() -> None:
    server = Server(known={"001": ANNA})
    await run(server, recording(0), recording(1, name=ANNA))
    assert server.created == []


async def test_recording_ends_now_with_its_long_pauses_cut() -> None:
    server = Server()
    before = datetime.now(UTC)
    await run(server, recording(0, 5, 5000))
    times = [datetime.fromisoformat(fix["fixed_at"]) for fix in server.uploads[0]]
    assert before <= times[-1] <= datetime.now(UTC)
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [
        timedelta(seconds=5),
        timedelta(seconds=60),
    ]


async def test_times_and_pauses_are_kept_when_asked_for() -> None:
    server = Server()
    await run(server, recording(0, 5, 5000), keep_times=True)
    assert [datetime.fromisoformat(fix["fixed_at"]) for fix in server.uploads[0]] == [
        T0 + timedelta(seconds=s) for s in (0, 5, 5000)
    ]
    await run(server, recording(0, 5, 5000), keep_gaps=True)
    times = [datetime.fromisoformat(fix["fixed_at"]) for fix in server.uploads[1]]
    assert times[-1] - times[0] == timedelta(seconds=5000)


async def test_upload_is_repeated_until_it_is_answered() -> None:
    server = Server(503, httpx.ConnectError("down"), httpx.ReadError("cut"), 429, 202)
    summary = await run(server, recording(0, 1))
    assert (summary.sent, summary.accepted, summary.repeated_requests) == (2, 2, 4)


@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_refusal_that_repeating_would_not_change_ends_the_replay(status: int) -> None:
    with pytest.raises(ReplayError, match=str(status)):
        await run(Server(status), recording(0))


async def test_paced_replay_sends_what_is_due_and_nothing_from_the_future() -> None:
    server = Server()
    summary = await run(server, recording(0, 0.1, 5, 10), speedup=100)
    assert [len(upload) for upload in server.uploads] == [4]
    server = Server()
    summary = await run(server, recording(0, 0.1, 15, 30), speedup=10, batch=100)
    assert [len(upload) for upload in server.uploads] == [2, 1, 1]
    assert summary.elapsed_s >= 3


async def test_a_server_that_is_not_there_is_told_instead_of_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_ANSWER_WITHIN_S", 0.05)
    monkeypatch.setattr(module, "PAUSE_AT_MOST_S", 0.01)
    down = httpx.MockTransport(raise_from)
    async with httpx.AsyncClient(transport=down, base_url="http://postrider") as client:
        with pytest.raises(ReplayError, match="nobody answers"):
            await replay(client, [recording(0)], params())


def raise_from(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


async def test_nothing_to_send_is_an_error_with_a_line_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("lat,lng,datetime,uid\n")
    with pytest.raises(ReplayError, match="nothing was sent"):
        await module.run(ReplayParams(files=(tmp_path / "a.csv",), url="http://postrider", token="t"))
    assert "a.csv: nothing to send" in capsys.readouterr().err
