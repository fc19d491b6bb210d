"""
A plan of a day in a process of its own: minutes of Python, which must hold up neither the API nor the dispatcher.

It may use so much memory and no more, and is killed when it does not answer in time.
"""

import asyncio
import logging
import multiprocessing
import resource
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from time import monotonic
from typing import Final

from dispatch.planning.day import DayProgress
from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.search.day_ahead import Cooling
from dispatch.planning.search.waves import Patience
from dispatch.planning.snapshot import Snapshot
from dispatch.planning.wave import Coming, WavePlan
from dispatch.region import worker_process

log = logging.getLogger(__name__)

MEMORY_BYTES: Final = 2 << 30
"""Of data: 2,000 orders need about a quarter."""
ANSWER_MARGIN_S: Final = 90.0
"""A plan that takes so much longer than it was given is taken for dead; covers starting Python and the reasons."""
NICE: Final = 10
"""Nobody waits for a day as for an answer: the other searches come first."""
TELL_EVERY_S: Final = 0.5
POLL_S: Final = 0.5


class DayFailed(Exception):
    """The plan could not be made; the text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the process is asked."""

    snapshot: Snapshot
    params: Params
    cooling: Cooling
    patience: Patience
    seconds: float
    coming: Coming | None = None
    """Of one wave; None: all of the day is planned."""


async def plan_in_process(
    question: Question, *, heard: Callable[[DayProgress], None], is_cancelled: Callable[[], bool]
) -> Plan | WavePlan | None:
    """
    The plan, or None when it was cancelled; raises DayFailed.

    `heard` gets the newest progress now and then.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    halt = context.Event()
    process = context.Process(target=_run, args=(question, theirs, halt), daemon=True)
    await asyncio.to_thread(process.start)
    theirs.close()
    ends_at = monotonic() + question.seconds + ANSWER_MARGIN_S
    try:
        while monotonic() < ends_at:
            if is_cancelled():
                return None
            if not await asyncio.to_thread(ours.poll, POLL_S):
                continue
            said = await asyncio.to_thread(ours.recv)
            match said:
                case DayProgress():
                    heard(said)
                case Plan() | WavePlan():
                    return said
                case _:
                    raise DayFailed(str(said))
    except (EOFError, OSError) as exc:
        raise DayFailed("the planning process died; perhaps it needed more memory than it may use") from exc
    finally:
        halt.set()
        process.kill()
        await asyncio.to_thread(process.join)
        ours.close()
    raise DayFailed("the planning process did not answer in time")


def _run(question: Question, told: Connection, halt: Event) -> None:
    worker_process.begin(NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    last = 0.0

    def tell(progress: DayProgress) -> None:
        nonlocal last
        if monotonic() - last >= TELL_EVERY_S:
            last = monotonic()
            told.send(progress)

    try:
        # Imported here: the parent needs none of it.
        from dispatch.planning.day import plan_day  # noqa: PLC0415
        from dispatch.planning.wave import plan_wave  # noqa: PLC0415

        snapshot, params, cooling, seconds = question.snapshot, question.params, question.cooling, question.seconds
        made: Plan | WavePlan
        if question.coming is None:
            made = plan_day(snapshot, params, cooling, seconds=seconds, should_end=halt.is_set, tell=tell)
        else:
            made = plan_wave(
                snapshot,
                params,
                cooling,
                question.patience,
                question.coming,
                seconds=seconds,
                should_end=halt.is_set,
                tell=tell,
            )
        told.send(made)
    except MemoryError:
        told.send("the plan needs more memory than it may use: plan a shorter time")
    except Exception as exc:  # noqa: BLE001 - told to whoever asked, whatever it is
        told.send(f"the planner failed: {type(exc).__name__}: {exc}")
